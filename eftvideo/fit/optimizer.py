"""Adam over rows of numbers, each row with a count of updates of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

ADAM_SECOND = 0.999
"""Decay of second moments, as usual (Kingma, Ba 2015)."""
ADAM_EPS = 1e-6
"""Larger than usual (1e-8): a weight whose gradient is but rounding must not take whole steps."""
CHUNK_NUMBERS = 1 << 18
"""So many weights are updated at a time, so that the temporary copies stay in the cache."""


@dataclass(frozen=True)
class PersonState:
    """What is tuned of one person, and the optimiser's memory of them."""

    theta: Tensor
    """(P,) in one row: weights, or the body's own parameters."""
    first_moment: Tensor
    second_moment: Tensor
    num_updates: Tensor
    """() how many updates the moments have seen (Adam's bias correction)."""


@dataclass
class Adam:
    """Adam (Kingma, Ba 2015) over rows, each with a count of updates of its own."""

    first: Tensor
    second: Tensor
    count: Tensor
    momentum: float = 0.9
    """Decay of first moments."""

    def step(
        self,
        theta: Tensor,
        gradient: Tensor | Sequence[Tensor],
        rows: Tensor,
        rate: float,
        pull: float = 0.0,
        base: Tensor | None = None,
    ) -> None:
        """Move theta[rows] by one update, then a share of the way to `base`.

        Args:
            theta: (S, P), changed. rows: (n,).
            gradient: (n, P) of theta[rows], in one or in parts side by side.
            rate: the learning rate. pull: the share. base: (P,); None: nothing pulls.
        """
        self.count[rows] += 1
        share = torch.ones_like(theta[rows, :1])
        how = _Update(self.count[rows], share, rate, self.momentum)
        for part, some in _pieces(gradient, len(rows)):
            first, second, mine = (v[rows, part] for v in (self.first, self.second, theta))
            _move(first, second, mine, some, how)
            if base is not None:
                mine.lerp_(base[part].expand_as(mine), pull * share)
            self.first[rows, part], self.second[rows, part] = first, second
            theta[rows, part] = mine

    def step_all(
        self,
        theta: Tensor,
        gradient: Sequence[Tensor],
        moving: Tensor,
        rate: float,
        pull: float,
        base: Tensor,
    ) -> None:
        """`step` of the `moving` rows where the gradient of every row is known, all in place.

        Fetching the rows and putting them back would cost as much as the update itself.

        Args:
            theta: (S, P), changed. gradient: of all rows, in parts side by side.
            moving: (S,) bool; the others stay as they are. rate, pull, base: as in `step`.
        """
        self.count += moving
        share = moving[:, None].to(theta.dtype)
        how = _Update(self.count, share, rate, self.momentum)
        for part, some in _pieces(gradient, len(theta)):
            first, second, mine = (v[:, part] for v in (self.first, self.second, theta))
            _move(first, second, mine, some, how)
            mine.lerp_(base[part].expand_as(mine), pull * share)


def _pieces(gradient: Tensor | Sequence[Tensor], num: int) -> Iterator[tuple[slice, Tensor]]:
    """Columns and their gradient, few enough at a time for `CHUNK_NUMBERS`."""
    width = max(1, CHUNK_NUMBERS // max(1, num))
    at = 0
    for piece in [gradient] if isinstance(gradient, Tensor) else gradient:
        for some in piece.split(width, dim=1):
            yield slice(at, at + some.shape[1]), some
            at += some.shape[1]


class _Update(NamedTuple):
    """How rows are moved: whole where `share` (n, 1) is 1, not at all where it is 0."""

    num_updates: Tensor
    share: Tensor
    rate: float
    momentum: float


def _move(first: Tensor, second: Tensor, theta: Tensor, gradient: Tensor, how: _Update) -> None:
    """Adam's update of (n, p) rows, in place."""
    b1, b2 = how.momentum, ADAM_SECOND
    n = how.num_updates.clamp(min=1)[:, None].to(theta.dtype)
    first.lerp_(gradient, (1 - b1) * how.share)
    second.lerp_(gradient.square(), (1 - b2) * how.share)
    scale = (second / (1 - b2**n)).sqrt_().add_(ADAM_EPS)
    theta.addcdiv_(first * (-how.rate * how.share / (1 - b1**n)), scale)

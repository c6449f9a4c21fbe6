"""Weights of each person's own: the tuned part of a network as rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eftvideo.regressors import Regressor


class Weights:
    """The tuned part of a regressor's weights, as one row of numbers per person."""

    def __init__(self, regressor: Regressor, which: str | None) -> None:
        """`which` is that of `EftConfig`; None: the first of the regressor's `rates`."""
        self.which = which or next(iter(regressor.rates))
        assert isinstance(regressor, nn.Module)
        self._regressor = regressor
        own = dict(regressor.named_parameters())
        self.names = regressor.tunable(self.which)
        self._shapes = [own[n].shape for n in self.names]
        self._sizes = [own[n].numel() for n in self.names]
        self.base = torch.cat([own[n].detach().flatten() for n in self.names])

    def parts(self, theta: Tensor) -> list[Tensor]:
        """(N, P) weights as one (N, size) view for each parameter, to be differentiated apart.

        One gradient of all would have to be put together from theirs, at twice the memory.
        """
        return [part.detach().requires_grad_() for part in theta.split(self._sizes, dim=1)]

    def forward(self, theta: Tensor | Sequence[Tensor], encoded: Tensor) -> Tensor:
        """Run each person's own network: (N, P) weights and (N, ...) inputs to (N, D).

        Args:
            theta: the weights, or what `parts` gives of them. encoded: (N, ...).
        """
        parts = theta.split(self._sizes, dim=1) if isinstance(theta, Tensor) else theta
        stacked = {
            name: part.unflatten(1, shape)
            for name, part, shape in zip(self.names, parts, self._shapes, strict=True)
        }
        return self._regressor.forward_each(stacked, encoded)

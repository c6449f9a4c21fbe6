"""The one robust mean of the program."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 20
_NEAR = 0.2
"""Share of the median distance that is added to every distance, so that none is 0."""


def robust_mean(values: Tensor, weight: Tensor, near: float | None = None) -> Tensor:
    """Means in which far values count like their distance, not its square.

    The geometric median by Weiszfeld's iteration (1937), weighted, begun at the mean.

    Args:
        values: (..., T, D). weight: (..., T); where all are 0 the mean is 0.
        near: is added to every distance; None: a share of their median.

    Returns:
        (..., D)
    """
    center = _mean(values, weight)
    for _ in range(_ROUNDS):
        far = (values - center[..., None, :]).norm(dim=-1)
        least = _NEAR * far.median(-1, keepdim=True).values + 1e-6
        center = _mean(values, weight / (far + (least if near is None else near)))
    return center


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    total = weight.sum(-1, keepdim=True)
    share = weight / torch.where(total > 0, total, 1.0)
    return (values * share[..., None]).sum(-2)

"""Means that heed what most values say. The one robust mean of the program."""

from __future__ import annotations

from torch import Tensor

_ROUNDS = 5


def robust_mean(values: Tensor, weight: Tensor) -> Tensor:
    """(T, D), (T,) to (D,): mean in which far values count like their distance, not its square.

    The geometric median by Weiszfeld's iteration (1937), weighted, begun at the mean.
    """
    center = (values * weight[:, None]).sum(0) / weight.sum()
    for _ in range(_ROUNDS):
        far = (values - center).norm(dim=1)
        pull = weight / far.clamp(min=0.2 * float(far.median()) + 1e-6)
        center = (values * pull[:, None]).sum(0) / pull.sum()
    return center

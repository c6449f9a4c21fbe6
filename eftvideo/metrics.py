"""Errors of 3D and 2D points; every function takes a batch and returns one number per item."""

from __future__ import annotations

import torch
from torch import Tensor


def mpjpe(pred: Tensor, truth: Tensor, root: int | None = 0) -> Tensor:
    """Mean per-joint position error.

    Args:
        pred, truth: (N, J, 3) in the same unit.
        root: joint moved to the same place in both first; None compares absolute positions.

    Returns:
        (N,) mean distance, in that unit.
    """
    if root is not None:
        pred = pred - pred[:, root : root + 1]
        truth = truth - truth[:, root : root + 1]
    return (pred - truth).norm(dim=-1).mean(dim=-1)


def similarity_align(pred: Tensor, truth: Tensor) -> Tensor:
    """Move, turn and scale each `pred` (N, J, 3) as close as can be to `truth`.

    Umeyama's solution (PAMI 1991), which never reflects. Computed in float64.
    """
    x, y = pred.double(), truth.double()
    x0, y0 = x.mean(dim=1, keepdim=True), y.mean(dim=1, keepdim=True)
    x, y = x - x0, y - y0
    u, s, vh = torch.linalg.svd(y.mT @ x)
    sign = torch.ones_like(s)
    sign[:, -1] = torch.det(u @ vh).sign()
    turn = u @ (sign[..., None] * vh)
    scale = (s * sign).sum(-1) / x.square().sum(dim=(1, 2)).clamp(min=1e-12)
    return (scale[:, None, None] * x @ turn.mT + y0).to(pred.dtype)


def pa_mpjpe(pred: Tensor, truth: Tensor) -> Tensor:
    """MPJPE after Procrustes alignment with scale (N, J, 3) -> (N,)."""
    return mpjpe(similarity_align(pred, truth), truth, root=None)


def acceleration_error(pred: Tensor, truth: Tensor, fps: float) -> Tensor:
    """Mean difference of accelerations of one sequence.

    Args:
        pred, truth: (T, J, 3), T at least 3, in one unit.
        fps: frames per second.

    Returns:
        (T - 2,) in that unit per s^2.
    """
    second = (pred[2:] - 2 * pred[1:-1] + pred[:-2]) - (truth[2:] - 2 * truth[1:-1] + truth[:-2])
    return second.norm(dim=-1).mean(dim=-1) * fps**2


def rms_px(pred_px: Tensor, truth_px: Tensor, weight: Tensor) -> Tensor:
    """Weighted root mean square distance of 2D points.

    Args:
        pred_px, truth_px: (N, J, 2). weight: (N, J), not negative.

    Returns:
        (N,) in px; 0 where all weights are 0.
    """
    square = (pred_px - truth_px).square().sum(-1)
    return ((weight * square).sum(-1) / weight.sum(-1).clamp(min=1e-9)).sqrt()

"""Errors of 3D and 2D points; every function takes a batch and returns one number per item.

Joints with weight 0, or with a coordinate that is NaN, are left out: of the mean, and of the
alignment too. An item of which nothing can be said is NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor

MIN_ALIGNED = 3
"""Fewer joints fix no rotation: PA-MPJPE is NaN."""
PCK_THRESHOLD_MM = 150.0
"""Mehta et al., "Monocular 3D Human Pose Estimation In The Wild", 3DV 2017, section 5."""
AUC_THRESHOLDS_MM: tuple[float, ...] = tuple(5.0 * i for i in range(31))
"""0 to 150 mm in steps of 5 mm, as the evaluation of MPI-INF-3DHP (the same paper) has them."""


def known(pred: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """(N, J) which joints count: finite in both (N, J, D), and with a weight (N, J) above 0."""
    use = pred.isfinite().all(dim=-1) & truth.isfinite().all(dim=-1)
    return use if weight is None else use & (weight > 0)


def masked_mean(value: Tensor, use: Tensor) -> Tensor:
    """(..., J), (..., J) bool to (...): mean of the values in use; NaN where there is none."""
    total = torch.where(use, value, 0.0).sum(dim=-1)
    return total / use.sum(dim=-1)


def joint_errors(pred: Tensor, truth: Tensor, root: int | None = 0) -> Tensor:
    """(N, J, 3) twice to (N, J) distances, after moving the joint `root` of both to one place."""
    if root is not None:
        pred = pred - pred[:, root : root + 1]
        truth = truth - truth[:, root : root + 1]
    return (pred - truth).norm(dim=-1)


def mpjpe(
    pred: Tensor, truth: Tensor, root: int | None = 0, weight: Tensor | None = None
) -> Tensor:
    """Mean per-joint position error.

    Args:
        pred, truth: (N, J, 3) in the same unit.
        root: joint moved to the same place in both first; None compares absolute positions.
        weight: (N, J), 0 for joints to leave out.

    Returns:
        (N,) mean distance, in that unit.
    """
    return masked_mean(joint_errors(pred, truth, root), known(pred, truth, weight))


def similarity_align(pred: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Move, turn and scale each `pred` (N, J, 3) as close as can be to `truth`.

    Umeyama's solution (PAMI 1991), which never reflects. Computed in float64. Joints that do not
    count are moved along, but have no say.
    """
    use = known(pred, truth, weight)[..., None].double()
    x, y = pred.double(), truth.double()
    count = use.sum(dim=1, keepdim=True).clamp(min=1.0)
    x0 = (x.nan_to_num() * use).sum(dim=1, keepdim=True) / count
    y0 = (y.nan_to_num() * use).sum(dim=1, keepdim=True) / count
    x = x - x0
    xc, yc = x.nan_to_num() * use, (y - y0).nan_to_num() * use
    u, s, vh = torch.linalg.svd(yc.mT @ xc)
    sign = torch.ones_like(s)
    sign[:, -1] = torch.det(u @ vh).sign()
    turn = u @ (sign[..., None] * vh)
    scale = (s * sign).sum(-1) / xc.square().sum(dim=(1, 2)).clamp(min=1e-12)
    return (scale[:, None, None] * x @ turn.mT + y0).to(pred.dtype)


def aligned_errors(pred: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """(N, J) distances after Procrustes alignment with scale; NaN for fewer than 3 joints."""
    errors = joint_errors(similarity_align(pred, truth, weight), truth, root=None)
    enough = known(pred, truth, weight).sum(dim=-1) >= MIN_ALIGNED
    return torch.where(enough[:, None], errors, torch.nan)


def pa_mpjpe(pred: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """MPJPE after Procrustes alignment with scale (N, J, 3) -> (N,)."""
    return masked_mean(aligned_errors(pred, truth, weight), known(pred, truth, weight))


def pck(error: Tensor, use: Tensor, threshold: float = PCK_THRESHOLD_MM) -> Tensor:
    """Share of joints in use whose error (N, J) is at most `threshold`, in the same unit: (N,)."""
    return masked_mean((error <= threshold).to(error.dtype), use)


def auc(error: Tensor, use: Tensor, thresholds: tuple[float, ...] = AUC_THRESHOLDS_MM) -> Tensor:
    """Area under the PCK curve: the mean of `pck` over evenly spaced thresholds, (N,)."""
    return torch.stack([pck(error, use, t) for t in thresholds]).mean(dim=0)


def acceleration(points: Tensor, time_s: Tensor) -> Tensor:
    """Second differences of points (T, J, 3) at times (T,) s: (T - 2, J, 3), unit per s^2.

    Exact for parabolas at any spacing; at an even one it is (a - 2 b + c) / dt^2.
    """
    step = time_s.diff().to(points)[:, None, None]
    speed = points.diff(dim=0) / step
    return 2.0 * speed.diff(dim=0) / (step[1:] + step[:-1])


def acceleration_error(pred: Tensor, truth: Tensor, fps: float) -> Tensor:
    """Mean difference of accelerations of one sequence.

    Args:
        pred, truth: (T, J, 3), T at least 3, in one unit.
        fps: frames per second.

    Returns:
        (T - 2,) in that unit per s^2.
    """
    time_s = torch.arange(len(pred), dtype=pred.dtype) / fps
    return acceleration(pred - truth, time_s.to(pred)).norm(dim=-1).mean(dim=-1)


def rms_px(pred_px: Tensor, truth_px: Tensor, weight: Tensor) -> Tensor:
    """Weighted root mean square distance of 2D points.

    Args:
        pred_px, truth_px: (N, J, 2). weight: (N, J), not negative.

    Returns:
        (N,) in px; 0 where all weights are 0.
    """
    square = (pred_px - truth_px).square().sum(-1)
    return ((weight * square).sum(-1) / weight.sum(-1).clamp(min=1e-9)).sqrt()

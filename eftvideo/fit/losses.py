"""Terms of the fitting loss: pure functions, one value per person, differentiable.

2D points are in crop coordinates (-1..1 inside), so 1 px of a 224 px crop is 1/112.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from eftvideo.geometry import camera
from eftvideo.geometry.crops import CROP_SIDE_PX
from eftvideo.geometry.skeletons import COCO17, COCO17_FACE, COCO17_HIPS, LANDMARK33, select
from eftvideo.setup import Setup
from eftvideo.types import Crops, Prediction

CROP_HALF_PX = CROP_SIDE_PX / 2.0
_LEGS = tuple(
    (COCO17.index(f"{side}_knee"), COCO17.index(f"{side}_ankle")) for side in ("left", "right")
)
_BELOW_FACE = [i for i in range(17) if i not in COCO17_FACE]
_COCO_OF_LANDMARKS = [17 + i for i in select(COCO17, LANDMARK33)]
_PARTS = {
    "face": (*COCO17_FACE, *(17 + i for i in range(LANDMARK33.index("left_shoulder")))),
    "hip": (*COCO17_HIPS, *(17 + i for i in select(("left_hip", "right_hip"), LANDMARK33))),
    "ankle": (
        *(ankle for _, ankle in _LEGS),
        *(17 + i for i in select(("left_ankle", "right_ankle"), LANDMARK33)),
    ),
    "hand": [
        17 + i
        for i, n in enumerate(LANDMARK33)
        if n.endswith(("pinky", "index", "thumb")) and "foot" not in n
    ],
    "foot": [17 + i for i, n in enumerate(LANDMARK33) if n.endswith(("heel", "foot_index"))],
}
"""Evidence points (17 keypoints, 33 landmarks) whose weight is a setting."""
HIPS = _PARTS["hip"]
"""Both witnesses' hips among the evidence."""


def project_to_crop(points_cam: Tensor, crops: Crops) -> Tensor:
    """(N, J, 3) metres, camera frame, to (N, J, 2) crop coordinates, by the full frame's camera."""
    px = camera.project(points_cam, crops.focal_length_px, crops.image_size_px)
    return (px - crops.center_px[:, None]) / (crops.size_px / 2.0)[:, None, None]


def joint_weights(score: Tensor, setup: Setup) -> Tensor:
    """Trust in evidence (N, P) to weights: 0 below the least, face and hips lighter."""
    cfg, num = setup.cfg.keypoints, score.shape[-1]
    least = cfg.min_score if num == 17 else cfg.min_trust
    scale = score.new_ones(num)
    for part, points in _PARTS.items():
        scale[[i for i in points if i < num]] = getattr(cfg, f"{part}_weight")
    scale[17:] *= cfg.landmark_weight
    return torch.where(score >= least, score, 0.0) * scale


def enough_joints(weight: Tensor, setup: Setup) -> Tensor:
    """(N,) bool: enough of the (N, P) count: `min_joints`, or `min_body_joints` below the head.

    A joint counts once, whoever sees it.
    """
    cfg, seen = setup.cfg.keypoints, weight[:, :17] > 0
    if weight.shape[1] > 17:
        seen = seen | (weight[:, _COCO_OF_LANDMARKS] > 0)
    below = seen[:, _BELOW_FACE].sum(-1)
    return (seen.sum(-1) >= cfg.min_joints) | (below >= cfg.min_body_joints)


def weighted_mean(value: Tensor, weight: Tensor) -> Tensor:
    """(N, J), (N, J) to (N,); 0 where all weights are 0."""
    return (value * weight).sum(-1) / weight.sum(-1).clamp(min=1e-6)


def weighted_median(value: Tensor, weight: Tensor) -> Tensor:
    """(..., J), (..., J) to (...): the least value with half the weight at or below it."""
    ordered, index = value.sort(dim=-1)
    share = weight.gather(-1, index).cumsum(dim=-1)
    at = (share < 0.5 * share[..., -1:]).sum(dim=-1, keepdim=True)
    return ordered.gather(-1, at).squeeze(-1)


def geman_mcclure(square: Tensor, sigma: float | Tensor) -> Tensor:
    """s^2 d / (s^2 + d) of squared distances d: d when small, s^2 when large (Geman, McClure 1987).

    The robust function of SMPLify (Bogo et al. 2016, section 3.3).
    """
    return square * sigma**2 / (square + sigma**2)


def leg_direction(pred: Tensor, target: Tensor, weight: Tensor, min_length: float) -> Tensor:
    """Disagreement of the lower legs' directions in the picture (EFT, its stand-in for ankles).

    Args:
        pred, target: (N, P, 2) crop coordinates, the keypoints first. weight: (N, P).
        min_length: target legs shorter than this give no direction.

    Returns:
        (N,) sum over both legs of 1 - cos.
    """
    total = pred.new_zeros(len(pred))
    for knee, ankle in _LEGS:
        want, have = target[:, ankle] - target[:, knee], pred[:, ankle] - pred[:, knee]
        use = (weight[:, knee] * weight[:, ankle]) * (want.norm(dim=-1) >= min_length)
        total = total + use * (1.0 - F.cosine_similarity(want, have, dim=-1))
    return total


def robust_scale_px(pred: Tensor, crops: Crops, weight: Tensor, least_px: float) -> Tensor:
    """(N,) px of a 224 px crop: `least_px`, or as far as half the keypoints of a start are.

    Of an answer that is far off as a whole no keypoint would pull at a narrow scale.

    Args:
        pred: (N, P, 2) where the fit starts, crop coordinates. weight: (N, P).
    """
    apart = CROP_HALF_PX * (pred - crops.evidence[..., :2]).norm(dim=-1)
    return weighted_median(apart, weight).clamp(min=least_px)


def eft_loss(
    pred: Tensor,
    prediction: Prediction,
    crops: Crops,
    weight: Tensor,
    robust_px: Tensor,
    setup: Setup,
) -> Tensor:
    """EFT's objective for N people, with a robust 2D term.

    Args:
        pred: (N, P, 2) projected points of `prediction`, crop coordinates.
        weight: (N, P) from `joint_weights`. robust_px: (N, 1) scale of the 2D term.

    Returns:
        (N,)
    """
    terms, target = setup.cfg.fit.eft, crops.evidence[..., :2]
    square = (pred - target).square().sum(-1)
    reproject = weighted_mean(geman_mcclure(square, robust_px / CROP_HALF_PX), weight)
    sane_camera = torch.exp(-10.0 * prediction.pred_cam[:, 0]).square()
    total = terms.reproject_weight * reproject + terms.camera_weight * sane_camera
    if terms.betas_weight:
        total = total + terms.betas_weight * prediction.params.betas.square().mean(-1)
    if terms.leg_weight:
        score = crops.keypoints[..., 2]
        seen = torch.where(score >= setup.cfg.keypoints.min_score, score, 0.0)
        legs = leg_direction(pred, target, seen, terms.leg_min_px / CROP_HALF_PX)
        total = total + terms.leg_weight * legs
    return total


def crop_error_px(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """(N, P, 2) twice and (N, P) to (N,): weighted rms distance in px of a 224 px crop."""
    square = (pred - target).square().sum(-1)
    return CROP_HALF_PX * (weighted_mean(square, weight) + 1e-12).sqrt()


def inlier_error_px(
    pred: Tensor, target: Tensor, weight: Tensor, robust_px: float | Tensor
) -> Tensor:
    """As `crop_error_px`, with each joint's weight reduced as Geman-McClure's gradient is.

    Grossly wrong keypoints hardly count; where all joints are equally far off it equals the plain
    error.
    """
    square = (pred - target).square().sum(-1)
    scale = (robust_px / CROP_HALF_PX) ** 2
    return crop_error_px(pred, target, weight * (scale / (scale + square)).square())

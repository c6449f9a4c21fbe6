"""Where a person stands and how they are turned, from the torso's four keypoints alone.

SMPLify begins without a regressor: the camera comes from the torso's size in the picture (Bogo et
al. 2016, section 3.3) and, where a person is seen from the side, it tries two ways of facing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.geometry.rotations import about_axis
from eftvideo.geometry.skeletons import COCO17

TORSO = tuple(
    COCO17.index(f"{side}_{part}") for side in ("left", "right") for part in ("shoulder", "hip")
)
"""left shoulder, left hip, right shoulder, right hip"""
_UPRIGHT = (1.0, -1.0, -1.0)
"""Turns the body frame (y up, z forward) to face the camera (y down, z away from it)."""
MIN_SCALE = 0.02
"""Smallest `pred_cam` scale: a person of 1.7 m who fills 2 percent of the crop."""


def torso_orient(target: Tensor, rest: Tensor) -> Tensor:
    """The two turns of a rigid torso, left and right of the line of sight, that look alike.

    The spine gives the turn in the picture, the width of hips and shoulders the turn about the
    spine up to its sign; that left is left tells front from back. A torso that leans to or from
    the camera is read as upright.

    Args:
        target: (N, 17, 2) keypoints in the crop. rest: (N, 17, 3) the body's in its own frame, m.

    Returns:
        (N, 2, 3, 3) body to camera.
    """
    spine, width = _torso_axes(target)
    spine3, width3 = _torso_axes(rest)
    roll = torch.atan2(spine[:, 0], -spine[:, 1])
    across = torch.stack([roll.cos(), roll.sin()], dim=-1)
    ratio = width3.norm(dim=-1) / spine3.norm(dim=-1)
    shown = (width * across).sum(-1) / spine.norm(dim=-1).clamp(min=1e-6)
    yaw = torch.acos((shown / ratio).clamp(-1.0, 1.0))
    upright = torch.diag(target.new_tensor(_UPRIGHT))
    turns = about_axis(1, torch.stack([yaw, -yaw], dim=1))
    return about_axis(2, roll)[:, None] @ upright @ turns


def _torso_axes(points: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 17, D) to the spine (hips to shoulders) and the mean step from right to left, (N, D)."""
    ls, lh, rs, rh = (points[:, i] for i in TORSO)
    return (ls + rs - lh - rh) / 2.0, (ls + lh - rs - rh) / 2.0


def fitting_camera(points: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The crop camera that lays points onto keypoints, by least squares, without perspective.

    Args:
        points: (N, J, 3) metres, camera frame, about the body's origin.
        target: (N, J, 2) crop coordinates. weight: (N, J).

    Returns:
        (N, 3) s, tx, ty with target = s * (x + t); s is at least MIN_SCALE.
    """
    share = (weight / weight.sum(-1, keepdim=True).clamp(min=1e-6))[..., None]
    flat = points[..., :2]
    middle, goal = (share * flat).sum(1), (share * target).sum(1)
    away, want = flat - middle[:, None], target - goal[:, None]
    scale = (share * away * want).sum((1, 2)) / (share * away.square()).sum((1, 2)).clamp(min=1e-6)
    scale = scale.clamp(min=MIN_SCALE)
    return torch.cat([scale[:, None], goal / scale[:, None] - middle], dim=1)

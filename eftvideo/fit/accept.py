"""Which fits are accepted; the one rule of all methods."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.geometry.rotations import rotation_angle
from eftvideo.setup import Setup
from eftvideo.types import Crops, FitResult, Prediction


def acceptable(
    tuned: Prediction,
    initial: FitResult,
    loss_px: Tensor,
    enough: Tensor,
    crops: Crops,
    setup: Setup,
) -> Tensor:
    """(N,) bool: enough joints, a small error no worse than before, a sane body and camera.

    Args:
        tuned: the fits. initial: the regressor's own answers. loss_px: (N,) error of the fits.
        enough: (N,) bool from `losses.enough_joints`.
    """
    cfg, usable = setup.cfg.fit.accept, enough & (tuned.pred_cam[:, 0] > 0)
    if not cfg.enabled:
        return usable
    depth = 2.0 * crops.focal_length_px / (tuned.pred_cam[:, 0] * crops.size_px)
    checks = [
        usable,
        loss_px <= cfg.max_loss_px,
        loss_px <= initial.loss_px + cfg.max_rise_px,
        tuned.params.betas.abs().amax(-1) <= cfg.max_abs_beta,
        depth >= cfg.min_depth_m,
    ]
    # SMPLify may end far from the regressor's pose.
    if cfg.max_pose_change_rad is not None and setup.cfg.fit.method != "smplify":
        change = rotation_angle(tuned.params.body_pose, initial.prediction.params.body_pose)
        checks.append(change.amax(-1) <= cfg.max_pose_change_rad)
    return torch.stack(checks).all(0)

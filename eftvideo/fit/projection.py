"""What EFT's loop and its callers share: the body in the crop, and which fits are accepted."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.fit import losses
from eftvideo.geometry import camera
from eftvideo.geometry.rotations import rotation_angle
from eftvideo.geometry.skeletons import LIMB12, SMPL24, select
from eftvideo.types import Crops, FitResult, Prediction

_ENDS = ("left_hand", "right_hand", "left_foot", "right_foot")
_LIMBS = select((*LIMB12, *_ENDS), SMPL24)
"""Hands and feet too: no keypoint holds them, and what nothing holds drifts."""
MIN_DEPTH_M = 0.2
"""A fit whose body stands nearer to the camera than this is rejected."""


def projected(body: BodyModel, prediction: Prediction, crops: Crops) -> tuple[Tensor, Tensor]:
    """Keypoints of the body, (N, 17, 2) crop coordinates, and its limbs, (N, 16, 3) metres.

    The limbs are in the body's own frame, from their middle: how it turns or stands is not in them.
    """
    transl = camera.pred_cam_to_transl(prediction.pred_cam, *crops.view)
    joints, keypoints = body.joints_and_keypoints(prediction.params)
    limbs = joints[:, _LIMBS]
    limbs = (limbs - limbs.mean(dim=1, keepdim=True)) @ prediction.params.global_orient
    return losses.project_to_crop(keypoints + transl[:, None], crops), limbs


def error_px(body: BodyModel, prediction: Prediction, crops: Crops, weight: Tensor) -> Tensor:
    """(N,) weighted rms 2D error, px of a 224 px crop."""
    pred, _ = projected(body, prediction, crops)
    return losses.crop_error_px(pred, crops.keypoints[..., :2], weight)


def acceptable(
    tuned: Prediction, own: FitResult, loss_px: Tensor, enough: Tensor, crops: Crops, cfg: EftConfig
) -> Tensor:
    """(N,) bool: enough joints, a small error no worse than before, a sane body and camera."""
    depth = 2.0 * crops.focal_length_px / (tuned.pred_cam[:, 0] * crops.size_px)
    change = rotation_angle(tuned.params.body_pose, own.prediction.params.body_pose)
    checks = (
        enough,
        loss_px <= cfg.max_loss_px,
        loss_px <= own.loss_px + cfg.max_rise_px,
        tuned.params.betas.abs().amax(-1) <= cfg.max_abs_beta,
        change.amax(-1) <= cfg.max_pose_change_rad,
        depth >= MIN_DEPTH_M,
        tuned.pred_cam[:, 0] > 0,
    )
    return torch.stack(checks).all(0)

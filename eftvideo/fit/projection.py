"""The body in the crop: keypoints, limbs, 2D error."""

from __future__ import annotations

from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.fit import losses
from eftvideo.geometry import camera
from eftvideo.geometry.skeletons import LIMB12, SMPL24, select
from eftvideo.types import Crops, Prediction, SmplParams

_ENDS = ("left_hand", "right_hand", "left_foot", "right_foot")
_LIMBS = select((*LIMB12, *_ENDS), SMPL24)
"""Hands and feet too: no keypoint holds them, and what nothing holds drifts."""


def projected(body: BodyModel, prediction: Prediction, crops: Crops) -> tuple[Tensor, Tensor]:
    """The body's points of evidence, (N, P, 2) in the crop, and its limbs, (N, 16, 3) metres.

    The limbs are in the body's own frame, from their middle: how it turns or stands is not in them.
    """
    joints, keypoints = points_of(body, prediction.params, crops)
    limbs = joints[:, _LIMBS]
    limbs = (limbs - limbs.mean(dim=1, keepdim=True)) @ prediction.params.global_orient
    return _in_crop(keypoints, prediction, crops), limbs


def projected_keypoints(body: BodyModel, prediction: Prediction, crops: Crops) -> Tensor:
    """(N, P, 2) points of the body that answer to `Crops.evidence`, crop coordinates."""
    return _in_crop(points_of(body, prediction.params, crops)[1], prediction, crops)


def points_of(body: BodyModel, params: SmplParams, crops: Crops) -> tuple[Tensor, Tensor]:
    """(N, 24, 3) joints and (N, P, 3) points that answer to `Crops.evidence`, metres."""
    which = "coco17" if crops.landmarks is None else "evidence"
    return body.joints_and_keypoints(params, which)


def _in_crop(keypoints: Tensor, prediction: Prediction, crops: Crops) -> Tensor:
    transl = camera.pred_cam_to_transl(prediction.pred_cam, *crops.view)
    return losses.project_to_crop(keypoints + transl[:, None], crops)


def error_px(body: BodyModel, prediction: Prediction, crops: Crops, weight: Tensor) -> Tensor:
    """(N,) weighted rms 2D error, px of a 224 px crop."""
    pred = projected_keypoints(body, prediction, crops)
    return losses.crop_error_px(pred, crops.evidence[..., :2], weight)

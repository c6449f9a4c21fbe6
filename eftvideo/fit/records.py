"""Fits as the rows of a result, and what follows from a row's pose, shape and place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.fit import losses
from eftvideo.geometry import camera
from eftvideo.geometry.crops import to_crop
from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.types import Crops, FitResult, FrameDetections, SmplParams
from eftvideo.types.result import empty_rows, typed_rows

Rows = dict[str, np.ndarray]
"""The per-row arrays of a `Result`."""


def frame_rows(frame: FrameDetections) -> Rows:
    """What is known of a frame's people before any fit."""
    num = len(frame.people)
    return {
        "frame": np.full(num, frame.frame_index),
        "time_s": np.full(num, frame.time_s),
        "track_id": frame.people.track_id,
        "bbox_xyxy": frame.people.xyxy,
        "bbox_score": frame.people.confidence,
        "keypoints2d": frame.people.keypoints,
    }


@torch.no_grad()
def fit_rows_of(crops: Crops, fit: FitResult, body: BodyModel) -> Rows:
    """What the fits of N people say, as arrays."""
    params = fit.prediction.params
    transl = camera.pred_cam_to_transl(fit.prediction.pred_cam, *crops.view)
    joints, keypoints = body.joints_and_keypoints(params)
    tensors: dict[str, Tensor] = {
        "global_orient": matrix_to_axis_angle(params.global_orient),
        "body_pose": matrix_to_axis_angle(params.body_pose).flatten(1),
        "betas": params.betas,
        "transl": transl,
        "joints3d": joints + transl[:, None],
        "keypoints3d": keypoints + transl[:, None],
        "pred_cam": fit.prediction.pred_cam,
        "crop_center_px": crops.center_px,
        "crop_size_px": crops.size_px,
        "focal_length_px": crops.focal_length_px,
        "loss_px_start": fit.loss_px_start,
        "loss_px": fit.loss_px,
        "num_steps": fit.num_steps,
        "status": fit.status,
    }
    return {k: v.cpu().numpy() for k, v in tensors.items()}


def crops_of_rows(rows: Rows, image_size_px: tuple[int, int], device: str) -> Crops:
    """The crops (without context) in which the rows were fitted."""

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows[name], np.float32)).to(device)

    center, size = tensor("crop_center_px"), tensor("crop_size_px")
    image_size = center.new_tensor([float(v) for v in image_size_px]).expand(len(center), 2)
    keypoints = to_crop(tensor("keypoints2d"), center, size)
    return Crops(keypoints, center, size, tensor("focal_length_px"), image_size)


@torch.no_grad()
def refresh(
    rows: Rows, body: BodyModel, image_size_px: tuple[int, int], cfg: EftConfig, device: str
) -> Rows:
    """Rows whose pose, betas or transl were changed, with all that follows from these.

    Args:
        rows: N rows; `global_orient`, `body_pose`, `betas` and `transl` are believed.
        body: the body of the rows. image_size_px: width and height. cfg: weights of keypoints.

    Returns:
        The same rows with new `joints3d`, `keypoints3d`, `pred_cam` and `loss_px`.
    """
    if not len(rows["frame"]):
        return rows
    crops = crops_of_rows(rows, image_size_px, device)

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows[name], np.float32)).to(device)

    params = SmplParams(
        axis_angle_to_matrix(tensor("global_orient")),
        axis_angle_to_matrix(tensor("body_pose").unflatten(1, (23, 3))),
        tensor("betas"),
    )
    transl = tensor("transl")
    joints, keypoints = body.joints_and_keypoints(params)
    joints, keypoints = joints + transl[:, None], keypoints + transl[:, None]
    weight = losses.joint_weights(crops.keypoints[..., 2], cfg)
    error = losses.crop_error_px(
        losses.project_to_crop(keypoints, crops), crops.keypoints[..., :2], weight
    )
    new = {
        "joints3d": joints,
        "keypoints3d": keypoints,
        "pred_cam": camera.transl_to_pred_cam(transl, *crops.view),
        "loss_px": error,
    }
    return rows | {k: v.cpu().numpy() for k, v in new.items()}


def stack(parts: Iterable[Rows]) -> Rows:
    """Rows one after the other, with the types that a result has."""
    parts = list(parts)
    if not parts:
        return empty_rows()
    return typed_rows({k: np.concatenate([p[k] for p in parts]) for k in parts[0]})

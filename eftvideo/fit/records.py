"""Fits as arrays, and what follows from a body's pose, shape and place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.fit import losses
from eftvideo.fit.projection import points_of
from eftvideo.geometry import camera
from eftvideo.geometry.crops import to_crop, with_landmarks
from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.landmarks.reliability import trust_of
from eftvideo.setup import Setup
from eftvideo.types import FILLED, Crops, FitResult, SmplParams
from eftvideo.types.track_fit import Bodies, Fits


@torch.no_grad()
def bodies_of(crops: Crops, fit: FitResult, body: BodyModel) -> Bodies:
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
    return Bodies(**{k: v.cpu().numpy() for k, v in tensors.items()})


def crops_again(fits: Fits, setup: Setup) -> Crops:
    """The crops (without context) of everybody's fits, in the order of `fits.bodies()`."""
    bodies, seen = fits.bodies(), fits.seen()
    center, size, focal, points, marks = (
        _tensor(v, setup)
        for v in (
            bodies.crop_center_px,
            bodies.crop_size_px,
            bodies.focal_length_px,
            seen.keypoints,
            seen.landmarks.numbers[:, None],
        )
    )
    image_size = center.new_tensor([float(v) for v in setup.camera.size_px])
    keypoints = to_crop(points, center, size)
    crops = Crops(keypoints, center, size, focal, image_size.expand(len(center), 2))
    if setup.cfg.detect.landmarks.network == "off":
        return crops
    trust = trust_of(seen, setup.cfg.keypoints.min_score)
    return with_landmarks(crops, marks, _tensor(trust, setup))


@torch.no_grad()
def posed(fits: Fits, setup: Setup) -> Fits:
    """Fits whose pose, betas or transl were changed, with all that follows from these.

    Returns:
        The same with new `joints3d`, `keypoints3d`, `pred_cam` and `loss_px`.
    """
    if fits.is_posed or not fits.people:
        return fits
    bodies = fits.bodies()
    crops = crops_again(fits, setup)
    params = SmplParams(
        axis_angle_to_matrix(_tensor(bodies.global_orient, setup)),
        axis_angle_to_matrix(_tensor(bodies.body_pose, setup).unflatten(1, (23, 3))),
        _tensor(bodies.betas, setup),
    )
    transl = _tensor(bodies.transl, setup)
    joints, points = points_of(setup.body, params, crops)
    joints, points = joints + transl[:, None], points + transl[:, None]
    weight = losses.joint_weights(crops.evidence[..., 2], setup)
    projected = losses.project_to_crop(points, crops)
    error = losses.crop_error_px(projected, crops.evidence[..., :2], weight).cpu().numpy()
    new = replace(
        bodies,
        joints3d=joints.cpu().numpy(),
        keypoints3d=points[:, :17].cpu().numpy(),
        pred_cam=camera.transl_to_pred_cam(transl, *crops.view).cpu().numpy(),
        # A filled row has no keypoints to be off from.
        loss_px=np.where(bodies.status == FILLED, np.float32(0.0), error),
    )
    return fits.with_all_bodies(new)


def _tensor(value: np.ndarray, setup: Setup) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(value, np.float32)).to(setup.device)

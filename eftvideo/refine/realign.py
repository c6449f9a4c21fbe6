"""After smoothing: bodies put back onto their people in the picture.

Smoothing a fast fall leaves the body behind. Pose and depth stay; the pelvis moves across its ray
by what all keypoints together say, which is far better known than any one of them.
"""

from __future__ import annotations

import numpy as np
import torch

from eftvideo.fit import losses
from eftvideo.fit.records import posed
from eftvideo.geometry.crops import CROP_SIDE_PX
from eftvideo.refine.smoothing import smooth_slowly
from eftvideo.setup import Setup
from eftvideo.types import FILLED
from eftvideo.types.track_fit import Fits, TrackFit

_UNSEEN_WEIGHT = 1e-3


def realign_tracks(fits: Fits, setup: Setup) -> Fits:
    """Fits with `transl` moved sideways where the body is off its keypoints as a whole."""
    if not setup.cfg.refine.realign.enabled or not fits.people:
        return fits
    return posed(fits, setup).each(lambda fit: realigned(fit, setup))


def realigned(fit: TrackFit, setup: Setup) -> TrackFit:
    """One person's fits, moved.

    Args:
        fit: `keypoints3d` must be those of the pose, betas and transl.

    Returns:
        The fits with a new `transl`; what follows from it is not computed.
    """
    cfg, bodies = setup.cfg.refine.realign, fit.bodies
    offset, known = _offset_px(fit, setup)
    unit = bodies.crop_size_px / CROP_SIDE_PX
    transl = bodies.transl.copy()
    for mine in np.split(np.arange(len(fit)), np.flatnonzero(fit.track.starts)[1:]):
        trust = torch.from_numpy(np.where(known[mine], 1.0, _UNSEEN_WEIGHT))
        values = torch.from_numpy(offset[mine] / unit[mine, None])
        time_s = torch.from_numpy(fit.track.time_s[mine])
        shift = smooth_slowly(values, time_s, cfg.bandwidth_s, trust).numpy()
        size = np.linalg.norm(shift, axis=1, keepdims=True)
        shift *= np.maximum(0.0, 1.0 - cfg.dead_px / np.maximum(size, 1e-6))
        depth = bodies.joints3d[mine, 0, 2] / bodies.focal_length_px[mine]
        transl[mine, :2] += shift * (unit[mine] * depth)[:, None]
    return fit.with_bodies(transl=transl)


def _offset_px(fit: TrackFit, setup: Setup) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2) from the body to its keypoints, weighted median, px; (T,) whether enough are seen."""
    bodies, keypoints = fit.bodies, fit.track.keypoints
    points, focal = bodies.keypoints3d.astype(np.float64), bodies.focal_length_px
    middle = np.array(setup.camera.size_px) / 2.0
    px = points[..., :2] / points[..., 2:] * focal[:, None, None] + middle
    off = keypoints[..., :2] - px
    score = torch.from_numpy(np.ascontiguousarray(keypoints[..., 2], np.float32))
    weight = losses.joint_weights(score, setup)
    known = losses.enough_joints(weight, setup).numpy() & (bodies.status != FILLED)
    each = torch.from_numpy(off).mT
    median = losses.weighted_median(each, weight.double()[:, None].expand_as(each)).numpy()
    return np.where(known[:, None], median, 0.0), known

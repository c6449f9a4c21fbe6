"""Every track smoothed: rotations, place and shape."""

from __future__ import annotations

import numpy as np
import torch

from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.refine.smoothing import smooth_slowly, smooth_track
from eftvideo.setup import Setup
from eftvideo.types import FILLED, REJECTED
from eftvideo.types.track_fit import Fits, TrackFit

_SAME_BETAS = 1e-5
"""Betas that differ by no more are one shape, which rounding must not make several."""


def smooth_tracks(fits: Fits, setup: Setup) -> Fits:
    """Fits with smoothed `global_orient`, `body_pose`, `betas` and `transl`; the rest as it was.

    Nothing is mixed across frames in which the person is missing.
    """
    cfg = setup.cfg.refine.smooth
    if not cfg.enabled or cfg.strength <= 0.0:
        return fits
    return fits.each(lambda fit: _smoothed(fit, setup))


def _smoothed(fit: TrackFit, setup: Setup) -> TrackFit:
    cfg, bodies = setup.cfg.refine.smooth, fit.bodies
    trust = np.ones(len(fit))
    trust[bodies.status == REJECTED] = cfg.rejected_weight
    trust[bodies.status == FILLED] = cfg.filled_weight
    pose = np.concatenate([bodies.global_orient, bodies.body_pose], axis=1)
    pelvis = bodies.joints3d[:, 0].astype(np.float64)
    time_s, weight = torch.from_numpy(fit.track.time_s), torch.from_numpy(trust)
    rotations, moved = smooth_track(
        axis_angle_to_matrix(torch.from_numpy(pose).double().unflatten(1, (24, 3))),
        torch.from_numpy(pelvis),
        time_s,
        cfg,
        starts=torch.from_numpy(fit.track.starts),
        weight=weight,
    )
    turned = matrix_to_axis_angle(rotations).flatten(1).numpy()
    # smplx turns a body about its pelvis: the step from transl to the pelvis is linear in betas,
    # and smoothing is linear.
    shape = np.concatenate([bodies.betas, pelvis - bodies.transl], axis=1)
    bandwidth = cfg.strength * cfg.shape_bandwidth_s
    shape = smooth_slowly(torch.from_numpy(shape), time_s, bandwidth, weight).numpy()
    if np.ptp(bodies.betas, axis=0).max() > _SAME_BETAS:
        betas = shape[:, :-3]
    else:
        betas = np.broadcast_to(bodies.betas[0], bodies.betas.shape)
    return fit.with_bodies(
        global_orient=turned[:, :3],
        body_pose=turned[:, 3:],
        betas=betas,
        transl=moved.numpy() - shape[:, -3:],
    )

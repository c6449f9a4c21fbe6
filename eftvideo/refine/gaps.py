"""Short gaps of a track, filled in between the fits before and after.

Rotations turn at constant speed on SO(3); the pelvis moves on a straight line in the picture, its
depth in constant proportions; boxes and crops move evenly. Filled rows have status FILLED,
keypoints of score 0 and no 2D error.
"""

from __future__ import annotations

import numpy as np
import torch

from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.setup import Setup
from eftvideo.types import FILLED, Detections
from eftvideo.types.track import Timeline, Track
from eftvideo.types.track_fit import Bodies, Fits, TrackFit


def fill_gaps(fits: Fits, setup: Setup) -> Fits:
    """Add a sighting for each frame in which a person is missing for a short time.

    Returns:
        The fits with the new ones in their places; `joints3d`, `keypoints3d` and `pred_cam` of new
        ones are rough until they are computed from pose and place again (`records.posed`).
    """
    cfg = setup.cfg.refine.gaps
    if not cfg.enabled:
        return fits
    return fits.each(lambda fit: _filled(fit, fits.timeline, cfg.max_gap_s))


def _filled(fit: TrackFit, timeline: Timeline, max_gap_s: float) -> TrackFit:
    track = fit.track
    before = np.flatnonzero((np.diff(track.at) > 1) & (np.diff(track.time_s) <= max_gap_s + 1e-6))
    missing = [np.arange(int(track.at[i]) + 1, int(track.at[i + 1])) for i in before]
    if not missing:
        return fit
    at = np.concatenate(missing)
    a = np.repeat(before, [len(m) for m in missing])
    time_s = timeline.time_s[at]
    share = (time_s - track.time_s[a]) / (track.time_s[a + 1] - track.time_s[a])
    seen, bodies = _seen_between(track.seen, a, share), _between(fit.bodies, a, share)
    order = np.argsort(np.concatenate([track.at, at]), kind="stable")
    new = Track(track.track_id, track.shot, at, timeline.frame[at], time_s, seen)
    return TrackFit(track.joined(new), Bodies.cat([fit.bodies, bodies]).select(order))


def _even(value: np.ndarray, a: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(M, ...) between rows `a` and the rows after them, at `share` (M,) of the way."""
    part = share.reshape(-1, *([1] * (value.ndim - 1)))
    # What does not change must not change by rounding either: a track has one shape.
    same = value[a] == value[a + 1]
    return np.where(same, value[a], (1.0 - part) * value[a] + part * value[a + 1])


def _seen_between(seen: Detections, a: np.ndarray, share: np.ndarray) -> Detections:
    keypoints = _even(seen.keypoints, a, share).astype(np.float32)
    keypoints[..., 2] = 0.0
    xyxy = _even(seen.xyxy, a, share).astype(np.float32)
    return Detections(xyxy, np.zeros(len(a), np.float32), keypoints, seen.track_id[a])


def _between(bodies: Bodies, a: np.ndarray, share: np.ndarray) -> Bodies:
    names = ("betas", "crop_center_px", "crop_size_px", "focal_length_px")
    rough = ("joints3d", "keypoints3d", "pred_cam")
    new = {name: _even(getattr(bodies, name), a, share) for name in (*names, *rough)}
    for name in ("global_orient", "body_pose"):
        value = getattr(bodies, name)
        new[name] = _turned(value[a], value[a + 1], share)
    pelvis = bodies.joints3d[:, 0]
    depth = np.exp(_even(np.log(pelvis[:, 2:]), a, share))
    moved = _even(pelvis[:, :2] / pelvis[:, 2:], a, share) * depth
    # smplx turns a body about its pelvis, so the step from transl to the pelvis is one of shape.
    step = _even(pelvis - bodies.transl, a, share)
    new["transl"] = np.concatenate([moved, depth], axis=1) - step
    num = len(a)
    new |= {"loss_px_start": np.zeros(num), "loss_px": np.zeros(num), "num_steps": np.zeros(num)}
    new["status"] = np.full(num, FILLED)
    return Bodies(**{n: v.astype(getattr(bodies, n).dtype) for n, v in new.items()})


def _turned(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(M, 3 J) axis-angle on the shortest turns from `a` to `b`, at `share` (M,) of the way."""
    start = axis_angle_to_matrix(torch.from_numpy(a).double().unflatten(1, (-1, 3)))
    end = axis_angle_to_matrix(torch.from_numpy(b).double().unflatten(1, (-1, 3)))
    turn = matrix_to_axis_angle(start.mT @ end) * torch.from_numpy(share)[:, None, None]
    return matrix_to_axis_angle(start @ axis_angle_to_matrix(turn)).flatten(1).numpy()

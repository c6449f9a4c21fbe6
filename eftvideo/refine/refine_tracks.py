"""After the fit: short gaps filled, tracks smoothed, and the rows that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig, SmoothConfig
from eftvideo.fit.records import Rows, refresh
from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.refine.gaps import fill_gaps
from eftvideo.refine.realign import settle_rows
from eftvideo.refine.smoothing import smooth_slowly, smooth_track
from eftvideo.types import FILLED, REJECTED, FrameDetections

_SAME_BETAS = 1e-5
"""Betas that differ by no more are one shape, which rounding must not make several."""


def polish_rows(
    rows: Rows,
    frames: Sequence[FrameDetections],
    body: BodyModel,
    image_size_px: tuple[int, int],
    smooth: SmoothConfig,
    weights: EftConfig,
    device: str,
) -> Rows:
    """Fill short gaps and smooth every track.

    Args:
        rows: what was fitted. frames: the frames that were read. body: the body of the rows.
        image_size_px: width and height. smooth: how strongly. weights: weights of keypoints, for
            the 2D error.

    Returns:
        The rows with those filled in; `loss_px` is the 2D error of the smoothed body.
    """
    filled = fill_gaps(rows, frames, smooth.max_gap_s) if smooth.fill_gaps else rows
    num_filled = len(filled["frame"]) - len(rows["frame"])
    if smooth.strength > 0.0:
        smoothed = smooth_rows(filled, frames, smooth)
        posed = refresh(smoothed, body, image_size_px, weights, device)
        filled = settle_rows(posed, stretches(posed, frames), image_size_px, weights)
    elif not num_filled:
        return rows
    new = refresh(filled, body, image_size_px, weights, device)
    # A filled row has no keypoints to be off from.
    return new | {"loss_px": np.where(new["status"] == FILLED, 0.0, new["loss_px"])}


def smooth_rows(rows: Rows, frames: Sequence[FrameDetections], cfg: SmoothConfig) -> Rows:
    """Rows with smoothed `global_orient`, `body_pose`, `betas` and `transl`; the rest as it was.

    Nothing is mixed across cuts, nor across frames in which the person is missing.
    """
    stretch = stretches(rows, frames)
    new = rows | {n: rows[n].copy() for n in ("global_orient", "body_pose", "betas", "transl")}
    trust = np.ones(len(rows["frame"]))
    trust[rows["status"] == REJECTED] = cfg.rejected_weight
    trust[rows["status"] == FILLED] = cfg.filled_weight
    for track_id in np.unique(rows["track_id"]):
        mine = np.flatnonzero(rows["track_id"] == track_id)
        starts = np.diff(stretch[mine], prepend=-1) != 0
        _smooth_track(new, rows, mine, starts, trust[mine], cfg)
    return new


def stretches(rows: Rows, frames: Sequence[FrameDetections]) -> np.ndarray:
    """(N,) the unbroken stretch that each row is in: one person, no cut, no frame missing."""
    where = {frame.frame_index: at for at, frame in enumerate(frames)}
    shot = np.cumsum([frame.is_cut for frame in frames])
    at = np.array([where[i] for i in rows["frame"].tolist()], np.int64)
    order = np.lexsort((at, rows["track_id"]))
    at, track_id = at[order], rows["track_id"][order]
    breaks = (np.diff(track_id) != 0) | (np.diff(at) > 1) | (np.diff(shot[at]) > 0)
    out = np.zeros(len(order), np.int64)
    out[order[1:]] = np.cumsum(breaks)
    return out


def _smooth_track(
    new: Rows,
    rows: Rows,
    mine: np.ndarray,
    starts: np.ndarray,
    trust: np.ndarray,
    cfg: SmoothConfig,
) -> None:
    """Write one track's smoothed values to `new`, at the rows `mine` (T,)."""
    pose = np.concatenate([rows["global_orient"][mine], rows["body_pose"][mine]], axis=1)
    pelvis = rows["joints3d"][mine, 0].astype(np.float64)
    time_s, weight = torch.from_numpy(rows["time_s"][mine]), torch.from_numpy(trust)
    rotations, moved = smooth_track(
        axis_angle_to_matrix(torch.from_numpy(pose).double().unflatten(1, (24, 3))),
        torch.from_numpy(pelvis),
        time_s,
        cfg,
        starts=torch.from_numpy(starts),
        weight=weight,
    )
    turned = matrix_to_axis_angle(rotations).flatten(1).numpy()
    new["global_orient"][mine], new["body_pose"][mine] = turned[:, :3], turned[:, 3:]
    # smplx turns a body about its pelvis: the step from transl to the pelvis is linear in betas,
    # and smoothing is linear.
    shape = np.concatenate([rows["betas"][mine], pelvis - rows["transl"][mine]], axis=1)
    bandwidth = cfg.strength * cfg.shape_bandwidth_s
    shape = smooth_slowly(torch.from_numpy(shape), time_s, bandwidth, weight).numpy()
    if np.ptp(rows["betas"][mine], axis=0).max() > _SAME_BETAS:
        new["betas"][mine] = shape[:, :-3]
    else:
        new["betas"][mine] = rows["betas"][mine[0]]
    new["transl"][mine] = moved.numpy() - shape[:, -3:]

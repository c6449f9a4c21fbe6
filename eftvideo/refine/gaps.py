"""Short gaps of a track, filled in between the fits before and after.

Rotations turn at constant speed on SO(3); the pelvis moves on a straight line in the picture, its
depth in constant proportions; boxes and crops move evenly. Filled rows have status FILLED,
keypoints of score 0 and no 2D error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.types import FILLED, FrameDetections
from eftvideo.types.result import typed_rows

_EVEN = ("bbox_xyxy", "keypoints2d", "betas", "crop_center_px", "crop_size_px", "focal_length_px")


def fill_gaps(
    rows: dict[str, np.ndarray], frames: Sequence[FrameDetections], max_gap_s: float
) -> dict[str, np.ndarray]:
    """Add a row for each frame in which a person is missing for a short time.

    Args:
        rows: N rows of a `Result`, sorted by frame, then id.
        frames: the frames that were read, in order: their indices, times and cuts.
        max_gap_s: longest time between two sightings that is bridged. Cuts are never bridged.

    Returns:
        The rows with the new ones in their places; `joints3d`, `keypoints3d` and `pred_cam` of new
        rows are rough until they are computed from pose and place again (`rows.refresh`).
    """
    where = {frame.frame_index: at for at, frame in enumerate(frames)}
    times = np.array([frame.time_s for frame in frames])
    shot = np.cumsum([frame.is_cut for frame in frames])
    order = np.lexsort((rows["frame"], rows["track_id"]))
    place = np.array([where[i] for i in rows["frame"][order].tolist()], np.int64)
    before: list[int] = []
    after: list[int] = []
    missing: list[int] = []
    for i in range(len(order) - 1):
        a, b, left, right = order[i], order[i + 1], place[i], place[i + 1]
        same = rows["track_id"][a] == rows["track_id"][b] and shot[left] == shot[right]
        if same and right - left > 1 and times[right] - times[left] <= max_gap_s + 1e-6:
            missing += range(left + 1, right)
            before += [int(a)] * (right - left - 1)
            after += [int(b)] * (right - left - 1)
    if not missing:
        return rows
    at = np.array(missing)
    new = _between(rows, np.array(before), np.array(after), times[at])
    new["frame"] = np.array([frames[i].frame_index for i in missing])
    joined = {name: np.concatenate([value, new[name]]) for name, value in rows.items()}
    order = np.lexsort((joined["track_id"], joined["frame"]))
    return typed_rows({name: value[order] for name, value in joined.items()})


def _between(
    rows: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray, time_s: np.ndarray
) -> dict[str, np.ndarray]:
    """Rows at `time_s` between rows `a` and rows `b`, (M,) each."""
    share = (time_s - rows["time_s"][a]) / (rows["time_s"][b] - rows["time_s"][a])

    def even(value: np.ndarray) -> np.ndarray:
        part = share.reshape(-1, *([1] * (value.ndim - 1)))
        # What does not change must not change by rounding either: a track has one shape.
        same = value[a] == value[b]
        return np.where(same, value[a], (1.0 - part) * value[a] + part * value[b])

    new = {name: even(rows[name]) for name in _EVEN}
    new["keypoints2d"][..., 2] = 0.0
    for name in ("global_orient", "body_pose"):
        new[name] = _turned(rows[name][a], rows[name][b], share)
    pelvis = rows["joints3d"][:, 0]
    depth = np.exp(even(np.log(pelvis[:, 2:])))
    moved = np.concatenate([even(pelvis[:, :2] / pelvis[:, 2:]) * depth, depth], axis=1)
    # smplx turns a body about its pelvis, so the step from transl to the pelvis is one of shape.
    new["transl"] = moved - even(pelvis - rows["transl"])
    for name in ("joints3d", "keypoints3d", "pred_cam"):
        new[name] = even(rows[name])
    num = len(a)
    return new | {
        "time_s": time_s,
        "track_id": rows["track_id"][a],
        "bbox_score": np.zeros(num),
        "loss_px_start": np.zeros(num),
        "loss_px": np.zeros(num),
        "num_steps": np.zeros(num, np.int64),
        "status": np.full(num, FILLED),
    }


def _turned(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(M, 3 J) axis-angle on the shortest turns from `a` to `b`, at `share` (M,) of the way."""
    start = axis_angle_to_matrix(torch.from_numpy(a).double().unflatten(1, (-1, 3)))
    end = axis_angle_to_matrix(torch.from_numpy(b).double().unflatten(1, (-1, 3)))
    turn = matrix_to_axis_angle(start.mT @ end) * torch.from_numpy(share)[:, None, None]
    return matrix_to_axis_angle(start @ axis_angle_to_matrix(turn)).flatten(1).numpy()

"""From tracked keypoints to SMPL, frame by frame, for all people of a frame at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eftvideo import camera, eft
from eftvideo.bodies import BodyModel
from eftvideo.config import RunConfig
from eftvideo.crops import crop_people
from eftvideo.progress import Progress
from eftvideo.regressors import Regressor
from eftvideo.results import empty_rows, typed_rows
from eftvideo.rotations import matrix_to_axis_angle
from eftvideo.types import Crops, FitResult, FrameDetections

CONTEXT_TOLERANCE_S = 0.02
"""A context frame may be off its nominal time by this, or by half the frames' distance."""

BLOCK_FRAMES = 32
"""Frames whose crops are held, and asked of the regressor, at once."""


@dataclass(frozen=True)
class Camera:
    """The full frame's camera: principal point in the middle, square pixels."""

    focal_length_px: float
    width_px: int
    height_px: int


class TrackMemory:
    """All sightings of each person, to look up where somebody was at another time."""

    def __init__(self, frames: Sequence[FrameDetections]) -> None:
        seen: dict[int, list[tuple[float, np.ndarray]]] = {}
        for frame in frames:
            for track_id, keypoints in zip(
                frame.people.track_id.tolist(), frame.people.keypoints, strict=True
            ):
                seen.setdefault(track_id, []).append((frame.time_s, keypoints))
        self._times = {i: np.array([t for t, _ in rows]) for i, rows in seen.items()}
        self._keypoints = {i: np.stack([k for _, k in rows]) for i, rows in seen.items()}
        times = np.array([f.time_s for f in frames])
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        self._tolerance_s = max(CONTEXT_TOLERANCE_S, 0.51 * step)

    def around(self, track_id: int, time_s: float, offsets_s: Sequence[float]) -> np.ndarray:
        """(C, 17, 3) keypoints at time_s + each offset; zeros where the person was not seen."""
        times, want = self._times[track_id], time_s + np.asarray(offsets_s)
        right = np.clip(np.searchsorted(times, want), 0, len(times) - 1)
        left = np.clip(right - 1, 0, None)
        at = np.where(np.abs(times[left] - want) <= np.abs(times[right] - want), left, right)
        off = np.abs(times[at] - want)
        ok = (off <= self._tolerance_s) & (np.abs(times[at] - time_s) > 1e-6)
        return np.where(ok[:, None, None], self._keypoints[track_id][at], 0.0).astype(np.float32)


def crops_of(
    frame: FrameDetections,
    memory: TrackMemory,
    regressor: Regressor,
    view: Camera,
    cfg: RunConfig,
    device: str,
) -> Crops:
    """The crops of one frame's people, with their context if the regressor looks at any."""
    people = frame.people
    num = len(people)
    context = None
    if regressor.context_offsets_s:
        around = [
            memory.around(i, frame.time_s, regressor.context_offsets_s)
            for i in people.track_id.tolist()
        ]
        shape = (num, len(regressor.context_offsets_s), 17, 3)
        context = torch.from_numpy(np.array(around, np.float32).reshape(shape)).to(device)
    return crop_people(
        torch.from_numpy(people.xyxy).to(device),
        torch.from_numpy(people.keypoints).to(device),
        torch.full((num,), view.focal_length_px, device=device),
        torch.tensor([float(view.width_px), float(view.height_px)], device=device).expand(num, 2),
        cfg.crop,
        context,
    )


def fit_people(
    frames: Sequence[FrameDetections],
    regressor: Regressor,
    body: BodyModel,
    view: Camera,
    cfg: RunConfig,
    device: str,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Fit everybody in every frame, in order of time.

    Returns:
        The per-row arrays of a `Result`.
    """
    threads = torch.get_num_threads()
    # A few rows at a time: waiting for a second core costs more than it gives.
    torch.set_num_threads(1)
    try:
        return _fit_blocks(frames, regressor, body, view, cfg, device, progress)
    finally:
        torch.set_num_threads(threads)


def _fit_blocks(
    frames: Sequence[FrameDetections],
    regressor: Regressor,
    body: BodyModel,
    view: Camera,
    cfg: RunConfig,
    device: str,
    progress: Progress,
) -> dict[str, np.ndarray]:
    memory = TrackMemory(frames)
    rows: list[dict[str, np.ndarray]] = []
    warm = eft.WarmStart()
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = frames[start : start + BLOCK_FRAMES]
        crops = [crops_of(f, memory, regressor, view, cfg, device) for f in block]
        # The network's own answers do not depend on each other: one pass for the whole block.
        own = eft.regress(regressor, body, Crops.cat(crops), cfg.eft)
        counts = [len(c) for c in crops]
        splits = torch.arange(sum(counts), device=device).split(counts)
        for frame, crop, index in zip(block, crops, splits, strict=True):
            fit = own.select(index)
            if cfg.method == "eft":
                if frame.is_cut or not cfg.warm_start:
                    warm = eft.WarmStart()
                ids = frame.people.track_id.tolist()
                fit, warm = eft.fit(
                    regressor, body, crop, ids, frame.time_s, warm, cfg.eft, own=fit
                )
            rows.append(_rows(frame, crop, fit, body))
            px = {"px": float(fit.loss_px.mean())} if len(crop) else {}
            progress.advance(1, people=len(crop), **px)
    return _stack(rows)


@torch.no_grad()
def _rows(
    frame: FrameDetections, crops: Crops, fit: FitResult, body: BodyModel
) -> dict[str, np.ndarray]:
    params, num = fit.prediction.params, len(crops)
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
    return {
        "frame": np.full(num, frame.frame_index),
        "time_s": np.full(num, frame.time_s),
        "track_id": frame.people.track_id,
        "bbox_xyxy": frame.people.xyxy,
        "bbox_score": frame.people.confidence,
        "keypoints2d": frame.people.keypoints,
    } | {k: v.cpu().numpy() for k, v in tensors.items()}


def _stack(rows: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    rows = list(rows)
    if not rows:
        return empty_rows()
    return typed_rows({k: np.concatenate([r[k] for r in rows]) for k in rows[0]})

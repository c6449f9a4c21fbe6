"""Where each person was seen, as crops for a regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from eftvideo.config import RunConfig
from eftvideo.fit.pixels import PixelSource
from eftvideo.geometry.crops import crop_people
from eftvideo.regressors import Regressor
from eftvideo.types import Crops, FrameDetections

CONTEXT_TOLERANCE_S = 0.02
"""A context frame may be off its nominal time by this, or by half the frames' distance."""


@dataclass(frozen=True)
class Camera:
    """The full frame's camera: principal point in the middle, square pixels."""

    focal_length_px: float
    width_px: int
    height_px: int


class TrackMemory:
    """All sightings of each person, to look up where somebody was at another time."""

    def __init__(
        self, frames: Sequence[FrameDetections], pixels: PixelSource | None = None
    ) -> None:
        """`pixels` are those of the same frames, for regressors that need them."""
        self.pixels = pixels
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
    shapes: Mapping[int, np.ndarray] | None = None,
) -> Crops:
    """The crops of one frame's people, with context and pixels if the regressor looks at any.

    Args:
        shapes: betas by track id, to be held; None: nobody's are known.
    """
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
    crops = crop_people(
        torch.from_numpy(people.xyxy).to(device),
        torch.from_numpy(people.keypoints).to(device),
        torch.full((num,), view.focal_length_px, device=device),
        torch.tensor([float(view.width_px), float(view.height_px)], device=device).expand(num, 2),
        cfg.crop,
        context,
    )
    if regressor.needs == "image":
        assert memory.pixels is not None, "this regressor needs the clip"
        crops = replace(crops, image=memory.pixels.of(frame).to(device))
    if shapes is None:
        return crops
    held = np.array([shapes[i] for i in people.track_id.tolist()], np.float32).reshape(num, 10)
    return replace(crops, betas=torch.from_numpy(held).to(device))

"""What a detector and a tracker say of a clip, as plain arrays in an npz; nothing of the package.

Made once for each clip and each way to detect, for detection takes longer than all that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Raw:
    """The tracked people of F frames, N sightings in all, before tracks are put in order."""

    width_px: int
    height_px: int
    fps: float
    num_frames: int
    """Frames in the file."""
    focal_length_px: float
    """Of the full frame; NaN: not known, the program guesses."""
    frame: np.ndarray
    """(F,) index in the file."""
    time_s: np.ndarray
    """(F,)"""
    is_cut: np.ndarray
    """(F,) bool: a new shot begins."""
    num_people: np.ndarray
    """(F,) sightings in each frame; the arrays below have them frame after frame."""
    xyxy: np.ndarray
    """(N, 4) px."""
    score: np.ndarray
    """(N,) of the box."""
    keypoints: np.ndarray
    """(N, 17, 3) px, px, score; COCO order."""
    track_id: np.ndarray
    """(N,)"""
    points2d: np.ndarray
    """(N, 33, 4) of the landmark network; zeros where it was not asked or not believed."""
    points3d: np.ndarray
    """(N, 33, 3)"""
    landmark_score: np.ndarray
    """(N,)"""
    person: np.ndarray
    """(N,) the same before anything was refused; NaN: not asked."""

    @property
    def at(self) -> np.ndarray:
        """(N,) place of each sighting's frame."""
        return np.repeat(np.arange(len(self.frame)), self.num_people)


def save_raw(path: Path, raw: Raw) -> None:
    """Write an npz, whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **{f.name: getattr(raw, f.name) for f in fields(raw)})
    part.replace(path)


def load_raw(path: Path) -> Raw:
    """Read what `save_raw` wrote."""
    with np.load(path, allow_pickle=False) as data:
        return Raw(**{k: v.item() if v.ndim == 0 else v for k, v in dict(data).items()})


def num_added(raw: Raw, without: Raw) -> int:
    """Sightings that nobody's box overlaps (IoU 0.5) in the same frame `without`."""
    count = 0
    for t in range(len(raw.frame)):
        old = without.xyxy[without.at == t]
        count += sum(not (_overlap(box, old) >= 0.5).any() for box in raw.xyxy[raw.at == t])
    return count


def num_changed(raw: Raw, without: Raw) -> int:
    """Sightings in the same box whose keypoints are others than `without`."""
    count = 0
    for t in range(len(raw.frame)):
        old = without.at == t
        for n in np.flatnonzero(raw.at == t):
            same = (without.xyxy[old] == raw.xyxy[n]).all(axis=1)
            if same.any():
                before = without.keypoints[old][same][0]
                count += not np.allclose(before, raw.keypoints[n], atol=0.05)
    return count


def _overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return shared / np.maximum(areas - shared, 1e-6)

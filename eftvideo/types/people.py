"""The people whom a detector sees, frame by frame. Numpy; N people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eftvideo.types.landmarks import Landmarks
from eftvideo.types.masks import Masks
from eftvideo.types.shapes import expect_shape


@dataclass(frozen=True)
class Detections:
    """The people that a detector saw in one frame. N may be 0."""

    xyxy: np.ndarray
    """(N, 4) float32 box corners, px of the full frame."""
    confidence: np.ndarray
    """(N,) float32 box score in 0..1."""
    keypoints: np.ndarray
    """(N, 17, 3) float32: x px, y px, score in 0..1, in COCO order."""
    track_id: np.ndarray
    """(N,) int64; -1 where no track is assigned."""
    landmarks: Landmarks = field(default_factory=lambda: Landmarks.none(0))
    """N of them; left out: nobody looked."""
    masks: Masks = field(default_factory=lambda: Masks.none(0))
    """N of them; left out: not asked for."""
    stirs: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """(N,) float32 how far the picture moved at the person's place in about a second, in longer
    sides of the box; NaN where that is not known, which is in most frames; left out: nowhere."""

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        if n and not len(self.landmarks):
            object.__setattr__(self, "landmarks", Landmarks.none(n))
        if n and not len(self.masks):
            object.__setattr__(self, "masks", Masks.none(n))
        if n and not len(self.stirs):
            object.__setattr__(self, "stirs", np.full(n, np.nan, np.float32))
        expect_shape("xyxy", self.xyxy, (None, 4))
        expect_shape("confidence", self.confidence, (n,))
        expect_shape("keypoints", self.keypoints, (n, 17, 3))
        expect_shape("track_id", self.track_id, (n,))
        expect_shape("landmarks.score", self.landmarks.score, (n,))
        expect_shape("masks.region", self.masks.region, (n, 4))
        expect_shape("stirs", self.stirs, (n,))

    def __len__(self) -> int:
        return len(self.xyxy)

    def select(self, index: np.ndarray) -> Detections:
        """The people at `index` (a boolean mask or integer indices)."""
        return Detections(
            self.xyxy[index],
            self.confidence[index],
            self.keypoints[index],
            self.track_id[index],
            self.landmarks.select(index),
            self.masks.select(index),
            self.stirs[index],
        )

    @classmethod
    def empty(cls) -> Detections:
        """Nobody."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 17, 3), np.float32),
            np.zeros(0, np.int64),
            stirs=np.zeros(0, np.float32),
        )


@dataclass(frozen=True)
class FrameDetections:
    """The people of one frame, with the frame's place in the clip and in its shots."""

    frame_index: int
    time_s: float
    people: Detections
    is_cut: bool
    """True where a new shot begins with this frame; nothing may be carried over from before."""


def stacked(people: Sequence[Detections]) -> Detections:
    """Everybody of several sets in one; of none, nobody."""
    people = [Detections.empty(), *people]
    return Detections(
        np.concatenate([p.xyxy for p in people]),
        np.concatenate([p.confidence for p in people]),
        np.concatenate([p.keypoints for p in people]),
        np.concatenate([p.track_id for p in people]),
        Landmarks.cat([p.landmarks for p in people]),
        Masks.cat([p.masks for p in people]),
        np.concatenate([p.stirs for p in people]),
    )

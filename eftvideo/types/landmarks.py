"""What the landmark network says of the people of a frame, or of a track. Numpy; N sightings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from eftvideo.types.shapes import expect_shape


@dataclass(frozen=True)
class Landmarks:
    """33 points in the order of `LANDMARK33`; zeros where nobody looked or the look was refused."""

    points2d: np.ndarray
    """(N, 33, 4) float32: x px, y px of the full frame, visibility, presence in 0..1. A hidden
    point is present and not visible, one outside the picture is not present."""
    points3d: np.ndarray
    """(N, 33, 3) float32 metres from the middle of the hips, as the network sees the crop: x right
    and y down in the picture, z away from the camera."""
    score: np.ndarray
    """(N,) float32 probability that a person is there; 0: nobody looked, or it is not trusted."""
    person: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """(N,) float32 the same before anything was refused; left out, and NaN: nobody looked."""

    def __post_init__(self) -> None:
        n = len(self.score)
        if n and not len(self.person):
            object.__setattr__(self, "person", np.full(n, np.nan, np.float32))
        expect_shape("points2d", self.points2d, (n, 33, 4))
        expect_shape("points3d", self.points3d, (n, 33, 3))
        expect_shape("score", self.score, (n,))
        expect_shape("person", self.person, (n,))

    def __len__(self) -> int:
        return len(self.score)

    @property
    def scored(self) -> np.ndarray:
        """(N, 33, 3) x px, y px, and how far the place is to be believed: visible and present."""
        seen = self.points2d[..., 2:3] * self.points2d[..., 3:4]
        return np.concatenate([self.points2d[..., :2], seen], axis=-1)

    @property
    def numbers(self) -> np.ndarray:
        """(N, 33, 7) `points2d`, then `points3d`: as `Crops.landmarks`, but px."""
        return np.concatenate([self.points2d, self.points3d], axis=-1)

    def select(self, index: np.ndarray) -> Landmarks:
        """The sightings at `index` (a mask or indices)."""
        return Landmarks(*(v[index] for v in vars(self).values()))

    @classmethod
    def none(cls, num: int) -> Landmarks:
        """Of `num` people at whom nobody looked."""
        return cls(
            np.zeros((num, 33, 4), np.float32),
            np.zeros((num, 33, 3), np.float32),
            np.zeros(num, np.float32),
        )

    @classmethod
    def cat(cls, parts: Sequence[Landmarks]) -> Landmarks:
        """Those of several, one after the other."""
        names = [f.name for f in fields(cls)]
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

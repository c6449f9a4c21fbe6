"""The labelled people of photos, as one way of looking sees them, and how far off it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.geometry.boxes import longer_side
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, select
from eftvideo.landmarks.merge import merge_witnesses
from eftvideo.setup import Setup
from eftvideo.types import Detections
from photos.bodies import projected, setup_of_photos
from photos.labels import KINDS, Photo

_SAME = select(COCO17, LANDMARK33)


@dataclass(frozen=True)
class People:
    """The labelled people of P photos, as one way of looking sees them."""

    photos: Sequence[Photo]
    seen: Sequence[Detections | None]
    """One person each; None: not found."""

    @classmethod
    def of(cls, photos: Sequence[Photo], everybody: Sequence[Detections]) -> People:
        """The one of everybody in each photo that is the labelled person."""
        who = [p.who(e.xyxy) for p, e in zip(photos, everybody, strict=True)]
        seen = [
            None if w is None else e.select(np.array([w]))
            for w, e in zip(who, everybody, strict=True)
        ]
        return cls(photos, seen)

    @property
    def found(self) -> np.ndarray:
        """(P,) bool."""
        return np.array([s is not None for s in self.seen])

    def errors(self, places: Mapping[int, np.ndarray]) -> np.ndarray:
        """(P, 12) torso lengths for places (17, 2) of some people; infinite for all others."""
        nowhere = np.full((17, 2), np.inf)
        return np.stack([p.errors(places.get(i, nowhere)) for i, p in enumerate(self.photos)])

    def rows(self) -> list[tuple[int, Detections]]:
        """Those who were found."""
        return [(i, s) for i, s in enumerate(self.seen) if s is not None]

    def keypoints(self) -> np.ndarray:
        """Errors of what the detector says."""
        return self.errors({i: s.keypoints[0, :, :2] for i, s in self.rows()})

    def landmarks(self) -> np.ndarray:
        """Errors of what the landmark network says, where it is trusted."""
        looked = [(i, s) for i, s in self.rows() if s.landmarks.score[0] > 0]
        return self.errors({i: s.landmarks.points2d[0, _SAME, :2] for i, s in looked})

    def merged(self) -> np.ndarray:
        """Errors of both witnesses together."""
        both = {
            i: merge_witnesses(s.keypoints, s.landmarks, longer_side(s.xyxy))[0, :, :2]
            for i, s in self.rows()
        }
        return self.errors(both)

    def bodies(self, setup: Setup) -> np.ndarray:
        """Errors of the fitted bodies' joints."""
        rows = self.rows()
        sizes = [self.photos[i].size_px for i, _ in rows]
        places = projected([s for _, s in rows], sizes, setup_of_photos(setup))
        return self.errors({i: p for (i, _), p in zip(rows, places, strict=True)})


def line(name: str, errors: np.ndarray) -> str:
    """PCK at 0.2 and 0.5, median error, and PCK at 0.2 of each kind of joint."""
    kinds = [errors[:, 2 * n : 2 * n + 2] for n in range(len(KINDS))]
    known = [e[~np.isnan(e)] for e in (errors, *kinds)]
    each = "".join(f"{(e <= 0.2).mean():10.3f}" for e in known[1:])
    every = known[0]
    near, far = (every <= 0.2).mean(), (every <= 0.5).mean()
    return f"{name:24}{near:8.3f}{far:8.3f}{np.median(every):9.3f}{each}"

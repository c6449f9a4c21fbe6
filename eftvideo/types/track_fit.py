"""Fitted bodies of a track, and of everybody. Numpy; types as in a result's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from eftvideo.types.people import Detections, stacked
from eftvideo.types.track import Timeline, Track


@dataclass(frozen=True)
class Bodies:
    """N bodies; rotations as axis-angle in radians, metres in the camera frame."""

    global_orient: np.ndarray
    """(N, 3)"""
    body_pose: np.ndarray
    """(N, 69)"""
    betas: np.ndarray
    """(N, 10)"""
    transl: np.ndarray
    """(N, 3)"""
    joints3d: np.ndarray
    """(N, 24, 3)"""
    keypoints3d: np.ndarray
    """(N, 17, 3)"""
    pred_cam: np.ndarray
    """(N, 3) s, tx, ty of the crop."""
    crop_center_px: np.ndarray
    """(N, 2)"""
    crop_size_px: np.ndarray
    """(N,)"""
    focal_length_px: np.ndarray
    """(N,)"""
    loss_px_start: np.ndarray
    """(N,) 2D error of the regressor's own answer."""
    loss_px: np.ndarray
    """(N,) 2D error of the body."""
    num_steps: np.ndarray
    """(N,) int64"""
    status: np.ndarray
    """(N,) int64: FITTED, REJECTED or FILLED."""

    def __len__(self) -> int:
        return len(self.status)

    def select(self, index: np.ndarray) -> Bodies:
        """The bodies at `index`."""
        return Bodies(**{n: v[index] for n, v in vars(self).items()})

    @classmethod
    def cat(cls, parts: Sequence[Bodies]) -> Bodies:
        """The bodies of several, one after the other; there is at least one."""
        names = [f.name for f in fields(cls)]
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


@dataclass(frozen=True)
class TrackFit:
    """A person over time, with the body of each sighting."""

    track: Track
    bodies: Bodies
    """T of them, as many as sightings."""

    def __len__(self) -> int:
        return len(self.track)

    def with_bodies(self, **values: np.ndarray) -> TrackFit:
        """Some arrays of `Bodies` replaced, with the types that they had."""
        typed = {n: v.astype(getattr(self.bodies, n).dtype) for n, v in values.items()}
        return replace(self, bodies=replace(self.bodies, **typed))


@dataclass(frozen=True)
class Fits:
    """Everybody of a clip."""

    timeline: Timeline
    people: tuple[TrackFit, ...]
    """In order of id."""
    is_posed: bool = True
    """Whether joints, keypoints and errors are those of pose, shape and place."""

    def each(self, change: Callable[[TrackFit], TrackFit]) -> Fits:
        """Every person changed in pose, shape or place."""
        people = tuple(change(p) for p in self.people)
        if all(a is b for a, b in zip(people, self.people, strict=True)):
            return self
        return replace(self, people=people, is_posed=False)

    def order(self) -> np.ndarray:
        """(N,) where each row, by frame and then by id, is among all people's rows in a row."""
        at = np.concatenate([p.track.at for p in self.people] or [np.zeros(0, np.int64)])
        who = np.repeat(np.arange(len(self.people)), [len(p) for p in self.people])
        return np.lexsort((who, at))

    def bodies(self) -> Bodies:
        """All N bodies, by frame, then by id; there is somebody."""
        return Bodies.cat([p.bodies for p in self.people]).select(self.order())

    def seen(self) -> Detections:
        """All N sightings, in the same order."""
        return stacked([p.track.seen for p in self.people]).select(self.order())

    def with_all_bodies(self, bodies: Bodies) -> Fits:
        """The same people with other, posed bodies, given in the order of `bodies()`."""
        back = np.empty(len(bodies), np.int64)
        back[self.order()] = np.arange(len(bodies))
        mine = bodies.select(back)
        ends = np.cumsum([len(p) for p in self.people])
        parts = [np.arange(e - len(p), e) for e, p in zip(ends, self.people, strict=True)]
        people = [
            replace(p, bodies=mine.select(r)) for p, r in zip(self.people, parts, strict=True)
        ]
        return replace(self, people=tuple(people), is_posed=True)

"""One person over time, and everybody of a clip. Numpy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eftvideo.types.landmarks import Landmarks
from eftvideo.types.people import Detections, FrameDetections, stacked


@dataclass(frozen=True)
class Timeline:
    """The F frames that were read, in order."""

    frame: np.ndarray
    """(F,) int64 index of the frame in the file."""
    time_s: np.ndarray
    """(F,) float64 presentation time."""
    is_cut: np.ndarray
    """(F,) bool: a new shot begins here; nothing may be carried over from before."""

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def step_s(self) -> float:
        """Typical time from frame to frame; 0 where there are fewer than two."""
        return float(np.median(np.diff(self.time_s))) if len(self) > 1 else 0.0

    @classmethod
    def of(cls, frames: Sequence[FrameDetections]) -> Timeline:
        """Of the frames that `detect_people` gives."""
        return cls(
            np.array([f.frame_index for f in frames], np.int64),
            np.array([f.time_s for f in frames], np.float64),
            np.array([f.is_cut for f in frames], bool),
        )


@dataclass(frozen=True)
class Track:
    """One person's T sightings in order of time, all of one shot."""

    track_id: int
    shot: int
    """Number of the shot; a track never reaches over a cut."""
    at: np.ndarray
    """(T,) int64 place of each sighting's frame in the clip's `Timeline`."""
    frame: np.ndarray
    """(T,) int64 index of the frame in the file."""
    time_s: np.ndarray
    """(T,) float64."""
    seen: Detections
    """T rows: box, score and keypoints of each sighting."""

    def __len__(self) -> int:
        return len(self.at)

    @property
    def xyxy(self) -> np.ndarray:
        """(T, 4) boxes, px."""
        return self.seen.xyxy

    @property
    def keypoints(self) -> np.ndarray:
        """(T, 17, 3) px, px, score, as the detector sees them."""
        return self.seen.keypoints

    @property
    def landmarks(self) -> Landmarks:
        """T of them."""
        return self.seen.landmarks

    @property
    def starts(self) -> np.ndarray:
        """(T,) bool: no sighting in the frame before, so that a new stretch begins."""
        return np.diff(self.at, prepend=-2) > 1

    def select(self, index: np.ndarray) -> Track:
        """The sightings at `index` (a mask, or indices in order of time)."""
        return replace(
            self,
            at=self.at[index],
            frame=self.frame[index],
            time_s=self.time_s[index],
            seen=self.seen.select(index),
        )

    def joined(self, *others: Track) -> Track:
        """All sightings in order of time, under this one's id; of one frame in the order given."""
        parts = (self, *others)
        order = np.argsort(np.concatenate([p.at for p in parts]), kind="stable")
        return replace(
            self,
            at=np.concatenate([p.at for p in parts])[order],
            frame=np.concatenate([p.frame for p in parts])[order],
            time_s=np.concatenate([p.time_s for p in parts])[order],
            seen=stacked([p.seen for p in parts]).select(order),
        ).named(self.track_id)

    def with_keypoints(self, keypoints: np.ndarray) -> Track:
        """The same sightings with other keypoints (T, 17, 3)."""
        return replace(self, seen=replace(self.seen, keypoints=keypoints))

    def named(self, track_id: int) -> Track:
        """The same person with another id."""
        ids = np.full(len(self), track_id, np.int64)
        return replace(self, track_id=track_id, seen=replace(self.seen, track_id=ids))


@dataclass(frozen=True)
class Tracks:
    """Everybody of a clip."""

    timeline: Timeline
    people: tuple[Track, ...]
    """In order of id; none is empty."""

    def __len__(self) -> int:
        return len(self.people)

    def of(self, people: Iterable[Track]) -> Tracks:
        """Other tracks over the same frames; empty ones are left out."""
        kept = sorted((t for t in people if len(t)), key=lambda t: t.track_id)
        return Tracks(self.timeline, tuple(kept))

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All N sightings, by frame, then by id.

        Returns:
            (N,) which of `people`, (N,) which of their sightings, (N,) place of the frame.
        """
        lengths = [len(t) for t in self.people]
        who = np.repeat(np.arange(len(lengths)), lengths)
        which = np.concatenate([np.arange(n) for n in lengths] or [np.zeros(0, np.int64)])
        at = np.concatenate([t.at for t in self.people] or [np.zeros(0, np.int64)])
        order = np.lexsort((who, at))
        return who[order], which[order].astype(np.int64), at[order]

    @classmethod
    def gather(cls, frames: Sequence[FrameDetections]) -> Tracks:
        """The tracks of frames whose people have ids; people without (below 0) are left out.

        An id that is used again behind a cut says nothing there: it gets a free one.
        """
        timeline = Timeline.of(frames)
        people = stacked([f.people for f in frames])
        at = np.repeat(np.arange(len(frames)), [len(f.people) for f in frames])
        shots = np.cumsum(timeline.is_cut)[at]
        order = np.lexsort((shots, people.track_id))
        begins = (np.diff(people.track_id[order]) != 0) | (np.diff(shots[order]) != 0)
        free = int(people.track_id.max(initial=0)) + 1
        found: dict[int, Track] = {}
        for rows in np.split(order, np.flatnonzero(begins) + 1):
            track_id = int(people.track_id[rows[0]]) if len(rows) else -1
            if track_id < 0:
                continue
            where, seen = at[rows], people.select(rows)
            times, index = timeline.time_s[where], timeline.frame[where]
            track = Track(track_id, int(shots[rows[0]]), where, index, times, seen)
            if track_id in found:
                track, free = track.named(free), free + 1
            found[track.track_id] = track
        return cls(timeline, ()).of(found.values())

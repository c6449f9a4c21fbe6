"""One id's sightings over a clip, and how two of them compare. Numpy only.

What `tracks.py` decides with: does one track go on where another one ended, and do two tracks lie
on the same person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eftvideo.geometry.boxes import inside
from eftvideo.types import Detections, FrameDetections
from eftvideo.types.people import stacked

MIN_JOINT_SCORE = 0.3
"""Keypoints below are not compared."""
MIN_JOINTS = 4
"""With fewer in common, two poses cannot be compared."""
VELOCITY_S = 0.25
"""A track's velocity is taken over this much of its end."""
END_S = 0.25
"""Sightings this near to a gap are compared across it."""
MAX_JUMP = 0.5
"""A person goes on where the motion leads to, give or take this share of the longer side."""
STOPPING = 0.2
"""The person may have stopped instead, but that is less likely by this share of the side."""
MAX_GROWTH = 1.4
"""Longer side of the box after a gap over the one before, or the inverse."""
MAX_POSE_CHANGE = 0.2
"""Mean keypoint distance across a gap, with the shift taken out, as a share of the pose's side."""
AT_ONCE_S = 0.15
"""Where somebody ends and somebody begins within this time, one box in the other, it is one person
who jumps, turns over or curls up: size and pose say nothing. Any better match comes first."""
WORST_JOIN = 0.99
INSIDE = 0.8
"""Two boxes may hold one person if this share of the smaller lies in the larger ..."""
SAME_POSE = 0.06
"""... and do if the median distance of their keypoints is below this share of the pose's side."""


@dataclass(frozen=True)
class Tracklet:
    """All sightings of one id, T of them, in order of time."""

    shot: int
    at: np.ndarray
    """(T,) place of the frame in the list of frames."""
    time_s: np.ndarray
    """(T,)."""
    people: Detections
    """T rows."""

    def part(self, index: np.ndarray) -> Tracklet:
        """The sightings at `index`."""
        return Tracklet(self.shot, self.at[index], self.time_s[index], self.people.select(index))

    def joined(self, other: Tracklet) -> Tracklet:
        """Both, in order of time."""
        order = np.argsort(np.concatenate([self.at, other.at]), kind="stable")
        return Tracklet(
            self.shot,
            np.concatenate([self.at, other.at])[order],
            np.concatenate([self.time_s, other.time_s])[order],
            stacked([self.people, other.people]).select(order),
        )


def gather(frames: Sequence[FrameDetections]) -> dict[int, Tracklet]:
    """The tracklets by id; people without a track (id below 0) are left out."""
    people = stacked([f.people for f in frames])
    at = np.repeat(np.arange(len(frames)), [len(f.people) for f in frames])
    times = np.array([f.time_s for f in frames])
    shots = np.cumsum([f.is_cut for f in frames])
    order = np.argsort(people.track_id, kind="stable")
    ids, starts = np.unique(people.track_id[order], return_index=True)
    found = {}
    for track_id, rows in zip(ids.tolist(), np.split(order, starts[1:]), strict=False):
        if track_id >= 0:
            where = at[rows]
            found[track_id] = Tracklet(
                int(shots[where[0]]), where, times[where], people.select(rows)
            )
    return found


def rename(frames: Sequence[FrameDetections], names: Mapping[int, int]) -> list[FrameDetections]:
    """The same frames, with ids replaced as `names` says."""

    def renamed(people: Detections) -> Detections:
        ids = [names.get(i, i) for i in people.track_id.tolist()]
        return replace(people, track_id=np.array(ids, dtype=np.int64))

    return [replace(f, people=renamed(f.people)) for f in frames]


def select_ids(frames: Sequence[FrameDetections], ids: Iterable[int]) -> list[FrameDetections]:
    """The same frames, with the people of these ids only."""
    wanted = np.array(sorted(ids), dtype=np.int64)
    return [replace(f, people=f.people.select(np.isin(f.people.track_id, wanted))) for f in frames]


def misfit(a: Tracklet, b: Tracklet, max_gap_s: float) -> float:
    """0 where two tracklets go on from each other exactly; 1 and more: not one person.

    They may take turns (one fills a gap of the other); the worst of the turns counts. Infinite if
    both are seen in one frame, are of different shots, or a turn takes longer than `max_gap_s`.
    """
    far = a.time_s[0] - b.time_s[-1] > max_gap_s or b.time_s[0] - a.time_s[-1] > max_gap_s
    if a.shot != b.shot or far or np.isin(a.at, b.at, assume_unique=True).any():
        return np.inf
    both = a.joined(b)
    owner = np.isin(both.at, b.at)
    worst = 0.0
    turns = np.flatnonzero(np.diff(owner)) + 1
    for begin, here, end in zip([0, *turns], turns, [*turns[1:], len(owner)], strict=False):
        before, after = both.part(np.arange(begin, here)), both.part(np.arange(here, end))
        if after.time_s[0] - before.time_s[-1] > max_gap_s + 1e-6:
            return np.inf
        worst = max(worst, _misfit_at_turn(before, after))
    return worst


def _misfit_at_turn(first: Tracklet, second: Tracklet) -> float:
    """The least misfit of the last and first few sightings: those at the gap are often cut off."""
    last = np.flatnonzero(first.time_s >= first.time_s[-1] - END_S)
    new = np.flatnonzero(second.time_s <= second.time_s[0] + END_S)
    i, j = (grid.ravel() for grid in np.meshgrid(last, new, indexing="ij"))
    worst = _box_misfit(first, i, second, j)
    best = np.inf
    for n in np.argsort(worst, kind="stable"):
        if worst[n] >= min(best, 1.0):
            break
        apart = keypoint_distances(
            first.people.keypoints[i[n]], second.people.keypoints[j[n]], centred=True
        )
        pose = float(apart.mean()) if len(apart) else np.inf
        best = min(best, max(float(worst[n]), pose / MAX_POSE_CHANGE))
    if best > WORST_JOIN and second.time_s[0] - first.time_s[-1] <= AT_ONCE_S:
        here, there = first.people.xyxy[-1:], second.people.xyxy[:1]
        if inside(here, there)[0] >= INSIDE:
            return WORST_JOIN
    return best


def _box_misfit(first: Tracklet, i: np.ndarray, second: Tracklet, j: np.ndarray) -> np.ndarray:
    """(N,) misfit of the boxes `first[i]` and `second[j]` in place, by motion, and in size."""
    here, there = first.people.xyxy[i], second.people.xyxy[j]
    side, other = np.maximum(_side(here), 1e-6), np.maximum(_side(there), 1e-6)
    larger = np.maximum(side, other)
    gap_s = (second.time_s[j] - first.time_s[i])[:, None]
    step = _center(there) - _center(here)
    jump = np.linalg.norm(step, axis=1) / larger
    velocities = [_velocity(first, last=True), _velocity(second, last=False)]
    moves = np.array([v for v in velocities if v is not None])
    if len(moves):
        left = np.linalg.norm(step - moves.mean(axis=0) * gap_s, axis=1)
        turned = np.linalg.norm(moves[-1] - moves[0]) * gap_s[:, 0] / 4.0
        jump = np.minimum(jump + STOPPING, (left + turned) / larger)
    growth = np.abs(np.log(side / other)) / np.log(MAX_GROWTH)
    return np.maximum(jump / MAX_JUMP, growth)


def _velocity(track: Tracklet, last: bool) -> np.ndarray | None:
    """(2,) px/s of the box centre at the tracklet's end or beginning; None if too short to tell."""
    end = track.time_s[-1] if last else track.time_s[0]
    near = np.abs(track.time_s - end) <= VELOCITY_S
    times, boxes = track.time_s[near], track.people.xyxy[near]
    if len(times) < 3:
        return None
    return (_center(boxes[-1:]) - _center(boxes[:1]))[0] / (times[-1] - times[0])


def same_person(a: Tracklet, b: Tracklet) -> bool:
    """Both lie on one person in half or more of the frames that they share.

    One shared frame is enough only if that is all there is of one of them.
    """
    if a.at[0] > b.at[-1] or b.at[0] > a.at[-1]:
        return False
    _, in_a, in_b = np.intersect1d(a.at, b.at, return_indices=True)
    if len(in_a) < min(2, len(a.at), len(b.at)):
        return False
    within = inside(a.people.xyxy[in_a], b.people.xyxy[in_b]) >= INSIDE
    if within.mean() < 0.5:
        return False
    same = [_same_pose(a, i, b, j) for i, j in zip(in_a[within], in_b[within], strict=True)]
    return sum(same) >= 0.5 * len(in_a)


def _same_pose(a: Tracklet, i: int, b: Tracklet, j: int) -> bool:
    apart = keypoint_distances(a.people.keypoints[i], b.people.keypoints[j], centred=False)
    return len(apart) > 0 and float(np.median(apart)) < SAME_POSE


def keypoint_distances(a: np.ndarray, b: np.ndarray, centred: bool) -> np.ndarray:
    """Distances of the keypoints that both (17, 3) poses have, as shares of the larger's side.

    Empty if there are too few to compare. `centred` takes out where the person is.
    """
    both = (a[:, 2] > MIN_JOINT_SCORE) & (b[:, 2] > MIN_JOINT_SCORE)
    if both.sum() < MIN_JOINTS:
        return np.zeros(0)
    p, q = a[both, :2], b[both, :2]
    side = max(float(np.ptp(p, axis=0).max()), float(np.ptp(q, axis=0).max()), 1e-6)
    if centred:
        p, q = p - p.mean(axis=0), q - q.mean(axis=0)
    return np.linalg.norm(p - q, axis=1) / side


def _center(xyxy: np.ndarray) -> np.ndarray:
    return (xyxy[:, :2] + xyxy[:, 2:]) / 2.0


def _side(xyxy: np.ndarray) -> np.ndarray:
    return (xyxy[:, 2:] - xyxy[:, :2]).max(axis=1)

"""How two tracks compare: does one go on where another ended, do they lie on one person. Numpy."""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.boxes import inside, longer_side
from eftvideo.setup import Setup
from eftvideo.types.track import Track

WORST_JOIN = 0.99
"""What a match that only boxes and times speak for is taken to be: any better one comes first."""


class Matcher:
    """Compares tracks by the rules of `track.join` and `track.merge`."""

    def __init__(self, setup: Setup) -> None:
        cfg = setup.cfg
        self._join, self._merge = cfg.track.join, cfg.track.merge
        self._max_gap_s, self._min_score = cfg.detect.max_gap_s, cfg.keypoints.min_score

    def misfit(self, a: Track, b: Track) -> float:
        """0 where two tracks go on from each other exactly; 1 and more: not one person.

        They may take turns (one fills a gap of the other); the worst of the turns counts.
        Infinite if both are seen in one frame, are of different shots, or a turn takes longer
        than `detect.max_gap_s`.
        """
        max_gap_s = self._max_gap_s
        far = a.time_s[0] - b.time_s[-1] > max_gap_s or b.time_s[0] - a.time_s[-1] > max_gap_s
        if a.shot != b.shot or far or np.isin(a.at, b.at, assume_unique=True).any():
            return np.inf
        both = a.joined(b)
        owner = np.isin(both.at, b.at)
        worst = 0.0
        turns = np.flatnonzero(np.diff(owner)) + 1
        for begin, here, end in zip([0, *turns], turns, [*turns[1:], len(owner)], strict=False):
            before, after = both.select(np.arange(begin, here)), both.select(np.arange(here, end))
            if after.time_s[0] - before.time_s[-1] > max_gap_s + 1e-6:
                return np.inf
            worst = max(worst, self._misfit_at_turn(before, after))
        return worst

    def _misfit_at_turn(self, first: Track, second: Track) -> float:
        """The least misfit of the last and first few sightings; at a gap they are often cut off."""
        join = self._join
        last = np.flatnonzero(first.time_s >= first.time_s[-1] - join.end_s)
        new = np.flatnonzero(second.time_s <= second.time_s[0] + join.end_s)
        i, j = (grid.ravel() for grid in np.meshgrid(last, new, indexing="ij"))
        worst = self._box_misfit(first, i, second, j)
        best = np.inf
        for n in np.argsort(worst, kind="stable"):
            if worst[n] >= min(best, 1.0):
                break
            apart = self.keypoint_distances(
                first.keypoints[i[n]], second.keypoints[j[n]], centred=True
            )
            pose = float(apart.mean()) if len(apart) else np.inf
            best = min(best, max(float(worst[n]), pose / join.max_pose_change))
        if best > WORST_JOIN and second.time_s[0] - first.time_s[-1] <= join.at_once_s:
            here, there = first.seen.xyxy[-1:], second.seen.xyxy[:1]
            if inside(here, there)[0] >= self._merge.inside:
                return WORST_JOIN
        return best

    def _box_misfit(self, first: Track, i: np.ndarray, second: Track, j: np.ndarray) -> np.ndarray:
        """(N,) misfit of the boxes `first[i]` and `second[j]` in place, by motion, and in size."""
        join = self._join
        here, there = first.seen.xyxy[i], second.seen.xyxy[j]
        side, other = np.maximum(longer_side(here), 1e-6), np.maximum(longer_side(there), 1e-6)
        larger = np.maximum(side, other)
        gap_s = (second.time_s[j] - first.time_s[i])[:, None]
        step = _center(there) - _center(here)
        jump = np.linalg.norm(step, axis=1) / larger
        velocities = [
            _velocity(first, join.velocity_s, last=True),
            _velocity(second, join.velocity_s, last=False),
        ]
        moves = np.array([v for v in velocities if v is not None])
        if len(moves):
            left = np.linalg.norm(step - moves.mean(axis=0) * gap_s, axis=1)
            turned = np.linalg.norm(moves[-1] - moves[0]) * gap_s[:, 0] / 4.0
            jump = np.minimum(jump + join.stopping, (left + turned) / larger)
        growth = np.abs(np.log(side / other)) / np.log(join.max_growth)
        return np.maximum(jump / join.max_jump, growth)

    def same_person(self, a: Track, b: Track) -> bool:
        """Both lie on one person in `track.merge.share` or more of the frames that they share.

        One shared frame is enough only if that is all there is of one of them.
        """
        if a.at[0] > b.at[-1] or b.at[0] > a.at[-1]:
            return False
        _, in_a, in_b = np.intersect1d(a.at, b.at, return_indices=True)
        if len(in_a) < min(2, len(a.at), len(b.at)):
            return False
        within = inside(a.seen.xyxy[in_a], b.seen.xyxy[in_b]) >= self._merge.inside
        if within.mean() < self._merge.share:
            return False
        same = [
            self._same_pose(a.keypoints[i], b.keypoints[j])
            for i, j in zip(in_a[within], in_b[within], strict=True)
        ]
        return sum(same) >= self._merge.share * len(in_a)

    def _same_pose(self, a: np.ndarray, b: np.ndarray) -> bool:
        apart = self.keypoint_distances(a, b, centred=False)
        return len(apart) > 0 and float(np.median(apart)) < self._merge.same_pose

    def keypoint_distances(self, a: np.ndarray, b: np.ndarray, *, centred: bool) -> np.ndarray:
        """Distances of the keypoints that both (17, 3) poses have, as shares of the larger's side.

        Empty if there are too few to compare. `centred` takes out where the person is.
        """
        both = (a[:, 2] > self._min_score) & (b[:, 2] > self._min_score)
        if both.sum() < self._join.min_joints:
            return np.zeros(0)
        p, q = a[both, :2], b[both, :2]
        side = max(float(np.ptp(p, axis=0).max()), float(np.ptp(q, axis=0).max()), 1e-6)
        if centred:
            p, q = p - p.mean(axis=0), q - q.mean(axis=0)
        return np.linalg.norm(p - q, axis=1) / side


def _velocity(track: Track, over_s: float, *, last: bool) -> np.ndarray | None:
    """(2,) px/s of the box centre at the track's end or beginning; None if too short to tell."""
    end = track.time_s[-1] if last else track.time_s[0]
    near = np.abs(track.time_s - end) <= over_s
    times, boxes = track.time_s[near], track.seen.xyxy[near]
    if len(times) < 3:
        return None
    return (_center(boxes[-1:]) - _center(boxes[:1]))[0] / (times[-1] - times[0])


def _center(xyxy: np.ndarray) -> np.ndarray:
    return (xyxy[:, :2] + xyxy[:, 2:]) / 2.0

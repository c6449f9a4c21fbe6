"""People whom the detector loses in mid-picture, searched for where they were.

Somebody who jumps, turns over or is dazzled out drops below the detector's threshold for some
frames, and comes back as somebody else. A close-up of the place, turned as the person was last
seen to lean, often still shows them. Whoever is found goes to the tracker like all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from eftvideo.config import DetectConfig
from eftvideo.detect.close_ups import CloseUp, CloseUps
from eftvideo.detect.upright import lean_rad
from eftvideo.geometry.boxes import area, shared_area
from eftvideo.track.matching import MIN_JOINT_SCORE
from eftvideo.types import Detections
from eftvideo.types.people import stacked

TURNS_RAD = tuple(tuple(math.radians(t) for t in turns) for turns in ((0.0,), (-25.0, 25.0)))
"""As the person leaned when last seen; if nobody is found so, on either side of it."""
MAX_LOST_S = 0.5
"""Nobody is searched for longer after the last sighting."""
MIN_SIGHTINGS = 5
"""Tracks of fewer frames are not searched for: the detector may have been wrong."""
THERE = 0.3
"""Overlap (IoU) with a box of the frame from which on the person is not lost."""
NEAR = 0.25
"""Overlap with the last box from which on somebody found is the person."""
MIN_MEAN_SCORE = 0.35
"""Of the 17 keypoints of somebody found: what is not a person has less."""
BORDER = 0.02
"""Nobody is searched for whose box was this near to the picture's border (share of its sides)."""
_PADDING = 0.1


@dataclass
class _Seen:
    """Somebody's last sighting."""

    xyxy: np.ndarray
    lean_rad: float
    time_s: float
    count: int


class Search:
    """Remembers who was where, and searches for those who are missing."""

    def __init__(self, cfg: DetectConfig, close_ups: CloseUps) -> None:
        self._min_confidence, self._close_ups = cfg.min_confidence, close_ups
        self._enabled = cfg.second_look != "off"
        self._last: dict[int, _Seen] = {}

    def forget(self) -> None:
        """A new shot begins."""
        self._last.clear()

    def remember(self, people: Detections, time_s: float) -> None:
        """Take note of a frame's tracked people."""
        leans = lean_rad(people.keypoints)
        for i, track_id in enumerate(people.track_id.tolist()):
            before = self._last.get(track_id)
            lean = leans[i]
            if np.isnan(lean):
                lean = before.lean_rad if before else 0.0
            count = before.count + 1 if before else 1
            self._last[track_id] = _Seen(people.xyxy[i].astype(float), float(lean), time_s, count)
        self._last = {i: s for i, s in self._last.items() if time_s - s.time_s <= MAX_LOST_S}

    def with_lost(self, image: np.ndarray, people: Detections, time_s: float) -> Detections:
        """The people of the next frame, and those who were missing among them and were found.

        Args:
            image: (H, W, 3) RGB uint8. people: from `Detector.detect`. time_s: of the frame.
        """
        if not self._enabled:
            return people
        for seen in self._last.values():
            if not self._is_missing(seen, image, people, time_s):
                continue
            for turns in TURNS_RAD:
                where = [CloseUp(image, seen.xyxy, seen.lean_rad + turn) for turn in turns]
                person = self._best(seen, self._close_ups.look(where), people, image)
                if person is not None:
                    people = stacked([people, person])
                    break
        return people

    def _is_missing(
        self, seen: _Seen, image: np.ndarray, people: Detections, time_s: float
    ) -> bool:
        if seen.count < MIN_SIGHTINGS or time_s - seen.time_s > MAX_LOST_S:
            return False
        height, width = image.shape[:2]
        margin = BORDER * np.array([width, height])
        inside = (seen.xyxy[:2] > margin).all() and (seen.xyxy[2:] < [width, height] - margin).all()
        return bool(inside) and not (_overlap(seen.xyxy, people.xyxy) >= THERE).any()

    def _best(
        self, seen: _Seen, views: list[Detections], people: Detections, image: np.ndarray
    ) -> Detections | None:
        """The likeliest sighting of one person in the close-ups, with a box round the keypoints."""
        best, best_score = None, 0.0
        for view in views:
            for n in range(len(view)):
                one = _boxed(view.select(np.array([n])), image)
                mean = float(one.keypoints[0, :, 2].mean())
                score = float(one.confidence[0]) * mean
                ok = (
                    one.confidence[0] >= self._min_confidence
                    and mean >= MIN_MEAN_SCORE
                    and _overlap(seen.xyxy, one.xyxy)[0] >= NEAR
                    and not (_overlap(one.xyxy[0], people.xyxy) >= THERE).any()
                )
                if ok and score > best_score:
                    best, best_score = one, score
        return best


def _boxed(person: Detections, image: np.ndarray) -> Detections:
    """With an upright box round the keypoints: that of a turned box is too large."""
    points = person.keypoints[0]
    seen = points[points[:, 2] >= MIN_JOINT_SCORE, :2]
    if len(seen) < 4:
        return person
    low, high = seen.min(axis=0), seen.max(axis=0)
    pad = _PADDING * float((high - low).max())
    limit = np.array([image.shape[1], image.shape[0]], np.float32)
    box = np.concatenate([np.clip(low - pad, 0.0, limit), np.clip(high + pad, 0.0, limit)])
    return replace(person, xyxy=box[None].astype(np.float32))


def _overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) intersection over union of a box (4,) with others (N, 4)."""
    shared = shared_area(box[None], others)
    return shared / np.maximum(area(box[None]) + area(others) - shared, 1e-6)

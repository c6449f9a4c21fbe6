"""People whom the detector loses in mid-picture, searched for where they were.

Somebody who jumps, turns over or is dazzled out drops below the detector's threshold for some
frames, and comes back as somebody else. A close-up of the place, turned as the person was last
seen to lean, often still shows them. Whoever is found goes to the tracker like all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from eftvideo.detect.close_ups import CloseUp, CloseUps
from eftvideo.detect.upright import lean_rad
from eftvideo.geometry.boxes import iou
from eftvideo.setup import Setup
from eftvideo.types import Detections
from eftvideo.types.people import stacked

_MIN_BOXED = 4
"""Keypoints from which a box is drawn anew."""


@dataclass
class _Seen:
    """Somebody's last sighting."""

    xyxy: np.ndarray
    lean_rad: float
    time_s: float
    count: int


class Search:
    """Remembers who was where, and searches for those who are missing."""

    def __init__(self, setup: Setup, close_ups: CloseUps) -> None:
        cfg = setup.cfg
        self._min_confidence, self._close_ups = cfg.detect.min_confidence, close_ups
        self._cfg, self._min_score = cfg.detect.recover, cfg.keypoints.min_score
        self._last: dict[int, _Seen] = {}

    def forget(self) -> None:
        """A new shot begins."""
        self._last.clear()

    def remember(
        self, people: Detections, time_s: float, confirmed: np.ndarray | None = None
    ) -> None:
        """Take note of a frame's tracked people.

        Args:
            confirmed: (M, 4) boxes of those who are searched for after one sighting already.
        """
        sure = np.zeros((0, 4)) if confirmed is None else confirmed
        leans = lean_rad(people.keypoints, self._min_score)
        for i, track_id in enumerate(people.track_id.tolist()):
            before = self._last.get(track_id)
            lean = leans[i]
            if np.isnan(lean):
                lean = before.lean_rad if before else 0.0
            count = before.count + 1 if before else 1
            if (people.xyxy[i] == sure).all(axis=1).any():
                count = max(count, self._cfg.min_sightings)
            self._last[track_id] = _Seen(people.xyxy[i].astype(float), float(lean), time_s, count)
        self._last = {
            i: s for i, s in self._last.items() if time_s - s.time_s <= self._cfg.max_lost_s
        }

    def with_lost(self, image: np.ndarray, people: Detections, time_s: float) -> Detections:
        """The people of the next frame, and those who were missing among them and were found.

        Args:
            image: (H, W, 3) RGB uint8. people: from `Detector.detect`. time_s: of the frame.
        """
        if not self._cfg.enabled:
            return people
        every = [math.radians(t) for t in self._cfg.turns_deg]
        turns_rad = (every[:1], every[1:])
        for seen in self._last.values():
            if not self._is_missing(seen, image, people, time_s):
                continue
            for turns in turns_rad:
                where = [CloseUp(image, seen.xyxy, seen.lean_rad + turn) for turn in turns]
                person = self._best(seen, self._close_ups.look(where), people, image)
                if person is not None:
                    people = stacked([people, person])
                    break
        return people

    def _is_missing(
        self, seen: _Seen, image: np.ndarray, people: Detections, time_s: float
    ) -> bool:
        if seen.count < self._cfg.min_sightings or time_s - seen.time_s > self._cfg.max_lost_s:
            return False
        height, width = image.shape[:2]
        margin = self._cfg.border * np.array([width, height])
        inside = (seen.xyxy[:2] > margin).all() and (seen.xyxy[2:] < [width, height] - margin).all()
        return bool(inside) and not (iou(seen.xyxy, people.xyxy) >= self._cfg.there_iou).any()

    def _best(
        self, seen: _Seen, views: list[Detections], people: Detections, image: np.ndarray
    ) -> Detections | None:
        """The likeliest sighting of one person in the close-ups, with a box round the keypoints."""
        best, best_score = None, 0.0
        for view in views:
            for n in range(len(view)):
                one = self._boxed(view.select(np.array([n])), image)
                mean = float(one.keypoints[0, :, 2].mean())
                score = float(one.confidence[0]) * mean
                ok = (
                    one.confidence[0] >= self._min_confidence
                    and mean >= self._cfg.min_mean_score
                    and iou(seen.xyxy, one.xyxy)[0] >= self._cfg.near_iou
                    and not (iou(one.xyxy[0], people.xyxy) >= self._cfg.there_iou).any()
                )
                if ok and score > best_score:
                    best, best_score = one, score
        return best

    def _boxed(self, person: Detections, image: np.ndarray) -> Detections:
        """With an upright box round the keypoints: that of a turned box is too large."""
        points = person.keypoints[0]
        seen = points[points[:, 2] >= self._min_score, :2]
        if len(seen) < _MIN_BOXED:
            return person
        low, high = seen.min(axis=0), seen.max(axis=0)
        pad = self._cfg.padding * float((high - low).max())
        limit = np.array([image.shape[1], image.shape[0]], np.float32)
        box = np.concatenate([np.clip(low - pad, 0.0, limit), np.clip(high + pad, 0.0, limit)])
        return replace(person, xyxy=box[None].astype(np.float32))

"""People whom the detector only sees in another view of the picture: turned, or from afar.

Detectors are trained on people who stand, and who do not fill the picture. At the beginning of a
shot, and once in a while, the whole picture is also looked at turned by a quarter, half and three
quarters, and small. Whoever is seen there better than in the picture as it is, and whom the
landmark network takes for a person in that place, is added, or put in the place of a worse box
(docs/photos.md has the figures). Shadows and limbs that look like somebody are not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eftvideo.geometry.boxes import inside, iou
from eftvideo.setup import Setup
from eftvideo.types import Detections
from eftvideo.types.people import stacked

Detect = Callable[[Sequence[np.ndarray]], list[Detections]]
"""A detector's `detect`."""
Confirm = Callable[[np.ndarray, Detections], tuple[np.ndarray, np.ndarray]]
"""The landmark network's word on people of a picture: (N,) person scores, and (N, 4) boxes round
the points that it sees, px. Cold: from nothing but the detections."""
_GREY = 114
"""Ultralytics' own padding."""


class TurnedLooks:
    """Knows when the next look is due."""

    def __init__(self, setup: Setup, detect: Detect, confirm: Confirm | None) -> None:
        """Without `confirm` nobody is looked for."""
        self._cfg, self._detect, self._confirm = setup.cfg.detect.turned, detect, confirm
        self._last_s: float | None = None
        self.found_xyxy = np.zeros((0, 4), np.float32)
        """(M, 4) boxes of those who were found in the last frame."""

    def forget(self) -> None:
        """A new shot begins: the next frame is looked at."""
        self._last_s = None

    def with_turned(self, image: np.ndarray, people: Detections, time_s: float) -> Detections:
        """The people of the next frame, and those who are only seen in the turned picture.

        Args:
            image: (H, W, 3) RGB uint8. people: everybody found in it, low scores too.
            time_s: of the frame.
        """
        self.found_xyxy = self.found_xyxy[:0]
        waited = np.inf if self._last_s is None else time_s - self._last_s
        if not self._cfg.enabled or self._confirm is None or waited < self._cfg.every_s:
            return people
        self._last_s = time_s
        turned = [self._seen(image, quarters, self._cfg.border) for quarters in (1, 2, 3)]
        found = stacked([*turned, self._seen(image, 0, self._cfg.afar)])
        found = self._better(found, people)
        if not len(found):
            return people
        score, extent = self._confirm(image, found)
        overlap = np.array([iou(a, b[None])[0] for a, b in zip(extent, found.xyxy, strict=True)])
        found = found.select((score >= self._cfg.min_score) & (overlap >= self._cfg.min_iou))
        self.found_xyxy = found.xyxy
        return stacked([people.select(~self._taken(people, found)), found])

    def _seen(self, image: np.ndarray, quarters: int, border: float) -> Detections:
        """Who is seen in the turned picture with a border, in px of the picture as it is."""
        across, down = (round(border * side) for side in (image.shape[1], image.shape[0]))
        framed = np.pad(image, ((down, down), (across, across), (0, 0)), constant_values=_GREY)
        (people,) = self._detect([np.ascontiguousarray(np.rot90(framed, quarters))])
        people = turned_back(people, quarters, (framed.shape[1], framed.shape[0]))
        shift = np.array([across, down], np.float32)
        keypoints = people.keypoints.copy()
        keypoints[..., :2] -= shift
        return replace(people, xyxy=people.xyxy - np.tile(shift, 2), keypoints=keypoints)

    def _better(self, found: Detections, people: Detections) -> Detections:
        """Those who are seen well and once each, and better than upright."""
        kept: list[int] = []
        for i in np.argsort(-found.confidence, kind="stable").tolist():
            box, confidence = found.xyxy[i], found.confidence[i]
            within = inside(np.broadcast_to(box, people.xyxy.shape), people.xyxy)
            rival = (iou(box, people.xyxy) >= self._cfg.same_iou) | (within >= self._cfg.part)
            known = (people.confidence[rival] + self._cfg.margin >= confidence).any()
            again = (iou(box, found.xyxy[kept]) >= self._cfg.same_iou).any()
            if confidence >= self._cfg.min_confidence and not known and not again:
                kept.append(i)
        return found.select(np.array(kept, np.int64))

    def _taken(self, people: Detections, found: Detections) -> np.ndarray:
        """(N,) bool: who of `people` gives way to one of those found."""
        taken = np.zeros(len(people), bool)
        for box in found.xyxy:
            taken |= iou(box, people.xyxy) >= self._cfg.same_iou
        return taken


def turned_back(people: Detections, quarters: int, size_px: tuple[int, int]) -> Detections:
    """People of a picture that `np.rot90` turned, in px of the picture as it was.

    Args:
        quarters: how many times it was turned by 90 degrees. size_px: width, height before.
    """
    keypoints = people.keypoints.copy()
    keypoints[..., :2] = _back(keypoints[..., :2], quarters, size_px)
    ends = _back(people.xyxy.reshape(-1, 2, 2), quarters, size_px)
    xyxy = np.concatenate([ends.min(axis=1), ends.max(axis=1)], axis=1)
    return replace(people, xyxy=xyxy, keypoints=keypoints)


def _back(points: np.ndarray, quarters: int, size_px: tuple[int, int]) -> np.ndarray:
    """(..., 2) px; `np.rot90` takes the right edge to the top."""
    x, y = points[..., 0], points[..., 1]
    width, height = size_px
    places = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.stack(places[quarters], axis=-1).astype(points.dtype)

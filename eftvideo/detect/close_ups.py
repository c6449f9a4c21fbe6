"""Parts of a frame, turned and large, for a detector that finds more there than in the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from eftvideo.config import DetectConfig
from eftvideo.types import Detections

Detect = Callable[[Sequence[np.ndarray]], list[Detections]]
"""A detector's `detect`."""
_FILL = (114, 114, 114)
"""Ultralytics' own padding."""


@dataclass(frozen=True)
class CloseUp:
    """Where to look."""

    image: np.ndarray
    """(H, W, 3) RGB uint8, the whole frame."""
    xyxy: np.ndarray
    """(4,) box of a person, px."""
    turn_rad: float
    """How far the person leans to the right; the close-up is turned back by as much."""


class CloseUps:
    """Detects people in close-ups; the detector is only made when it is needed."""

    def __init__(self, cfg: DetectConfig, make: Callable[[DetectConfig], Detect]) -> None:
        """`make` gives a detector for a configuration with another network size."""
        self._cfg = cfg.close_ups
        self._make = lambda: make(replace(cfg, image_size=cfg.close_ups.size_px))
        self._detect: Detect | None = None

    def look(self, where: Sequence[CloseUp]) -> list[Detections]:
        """Everybody in each close-up, in px of the whole frame.

        Boxes are upright boxes round the turned ones.
        """
        if not where:
            return []
        self._detect = self._detect or self._make()
        turns = [self._affine(w.xyxy, w.turn_rad) for w in where]
        pixels = [
            _cut(w.image, turn, self._cfg.size_px) for w, turn in zip(where, turns, strict=True)
        ]
        return [_back(d, turn) for d, turn in zip(self._detect(pixels), turns, strict=True)]

    def _affine(self, xyxy: np.ndarray, turn_rad: float) -> np.ndarray:
        """(2, 3) from the frame, px, to a close-up with the person turned back by `turn_rad`."""
        cfg = self._cfg
        extent = (xyxy[2:] - xyxy[:2]).astype(float)
        side = cfg.scale * max(extent.max(), cfg.diagonal * float(np.hypot(*extent)), 1.0)
        cos, sin = math.cos(turn_rad), math.sin(turn_rad)
        turn = cfg.size_px / side * np.array([[cos, sin], [-sin, cos]])
        middle = (xyxy[:2] + xyxy[2:]).astype(float) / 2.0
        return np.column_stack([turn, cfg.size_px / 2.0 - turn @ middle])


def _cut(image: np.ndarray, to_close_up: np.ndarray, size_px: int) -> np.ndarray:
    """(S, S, 3) pixels; what is shrunk is drawn larger first, then averaged."""
    scale = float(np.hypot(*to_close_up[:, 0]))
    times = max(1, min(8, math.floor(1.0 / scale)))
    large = times * to_close_up
    # OpenCV's places are those of the pixels' middles, ours of their corners.
    large[:, 2] += large[:, :2] @ [0.5, 0.5] - 0.5
    size = times * size_px
    pixels = cv2.warpAffine(image, large, (size, size), flags=cv2.INTER_LINEAR, borderValue=_FILL)
    if times == 1:
        return pixels
    return cv2.resize(pixels, (size_px, size_px), interpolation=cv2.INTER_AREA)


def _back(people: Detections, to_close_up: np.ndarray) -> Detections:
    to_frame = cv2.invertAffineTransform(to_close_up)

    def placed(points: np.ndarray) -> np.ndarray:
        return points.astype(float) @ to_frame[:, :2].T + to_frame[:, 2]

    keypoints = people.keypoints.copy()
    keypoints[..., :2] = placed(keypoints[..., :2])
    corners = placed(people.xyxy[:, [[0, 1], [2, 1], [2, 3], [0, 3]]])
    xyxy = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
    return replace(people, xyxy=xyxy, keypoints=keypoints)

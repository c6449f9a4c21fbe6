"""How much the picture changes where each person is: somebody alive stirs, a poster does not.

The picture at a person's place is averaged over two short times a little apart, which takes noise
and coding out. From the change of brightness along its gradients follows how far things moved there
(normal flow: Horn and Schunck, 1981, equation 1), whatever the contrast.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F

from eftvideo.geometry.boxes import longer_side
from eftvideo.types import Detections

_SIDE_PX = 64
"""Of the small pictures that are compared."""
_EACH_S, _APART_S = 0.4, 0.8
"""How long each average takes, and from the beginning of one to that of the other."""
_LEAST_PX = 24.0
"""Of a box's longer side: less shows nothing."""


@dataclass
class _Watch:
    """One place that is watched."""

    since_s: float
    box: tuple[int, int, int, int]
    sums: list[np.ndarray | None] = field(default_factory=lambda: [None, None])
    counts: list[int] = field(default_factory=lambda: [0, 0])

    def take(self, image: np.ndarray, time_s: float) -> None:
        waited = time_s - self.since_s
        which = 0 if waited < _EACH_S else 1 if waited >= _APART_S else None
        if which is None:
            return
        small, had = _small(image, self.box), self.sums[which]
        self.sums[which] = small if had is None else had + small
        self.counts[which] += 1

    def flow(self) -> float:
        """In longer sides of the box; NaN where one of the averages lacks."""
        first, second = self.sums
        if first is None or second is None:
            return float("nan")
        a, b = first / self.counts[0], second / self.counts[1]
        change = b - a
        change = change - float(np.median(change))
        down, across = np.gradient((a + b) / 2.0)
        steep = np.hypot(down, across)
        return float((np.abs(change) * steep).sum() / max((steep * steep).sum(), 1e-6)) / _SIDE_PX


class Stirring:
    """Watches where everybody is; frames are given in order."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watch] = {}

    def forget(self) -> None:
        """A new shot begins."""
        self._watched.clear()

    def at(self, image: np.ndarray, people: Detections, time_s: float) -> np.ndarray:
        """Of the people of the next frame.

        Args:
            image: (H, W, 3) RGB uint8. people: tracked, N of them. time_s: of the frame.

        Returns:
            (N,) float32: how far the picture moved in the last 1.2 s at the person's place, in
            longer sides of the box; NaN where that is not known in this frame.
        """
        out = np.full(len(people), np.nan, np.float32)
        watched: dict[int, _Watch] = {}
        rows = zip(people.track_id.tolist(), people.xyxy, longer_side(people.xyxy), strict=True)
        for row, (track_id, xyxy, side_px) in enumerate(rows):
            watch = self._watched.get(track_id)
            if watch and time_s - watch.since_s >= _APART_S + _EACH_S:
                out[row] = watch.flow()
                watch = None
            if watch is None and side_px >= _LEAST_PX:
                box = _inside(xyxy, image.shape)
                watch = _Watch(time_s, box) if box else None
            if watch:
                watch.take(image, time_s)
                watched[track_id] = watch
        self._watched = watched
        return out


def _inside(xyxy: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """The part of a box that is in the picture; None if there is next to nothing."""
    limit = np.array([shape[1], shape[0]] * 2)
    x0, y0, x1, y1 = np.clip(np.round(xyxy), 0, limit).astype(int).tolist()
    return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= 4 else None


def _small(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """(h, w) float32 brightness there, its longer side 64 px."""
    x0, y0, x1, y1 = box
    scale = _SIDE_PX / max(x1 - x0, y1 - y0)
    size = max(round((y1 - y0) * scale), 4), max(round((x1 - x0) * scale), 4)
    part = torch.from_numpy(np.ascontiguousarray(image[y0:y1, x0:x1])).float().mean(dim=2)
    return F.adaptive_avg_pool2d(part[None], size)[0].numpy()

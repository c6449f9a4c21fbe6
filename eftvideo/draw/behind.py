"""Who stands in front of whom in a frame, by fitted depths and by the masks of both.

Of one picture size and depth are hardly known, so depth alone is wrong between a child and an
adult. A mask holds what is seen of a person: where two overlap, the one behind is the one of whose
body more lies in the other's mask and not in the own. But alike and close together each mask has
both people, so masks alone are wrong, too. Both count, over a short time.
"""

from __future__ import annotations

import numpy as np

from eftvideo.bodies import BodyModel
from eftvideo.landmarks.masks import near_cells, shares_at
from eftvideo.renderers import Hidden
from eftvideo.results.posing import vertices
from eftvideo.results.result import Result
from eftvideo.types import Masks

_NEAR_CELLS = 2
"""Clothes and hair are this near to a body: of 64 cells, of which a person takes about 50."""
_ABOUT_CELLS = 5
"""What is farther off in somebody's mask is more likely somebody else."""
_DEPTH_WEIGHT = 0.5
"""Of the logarithm of two depths, against the share of a body that is hidden."""
_WINDOW_S = 0.25
"""Who is in front is told by all frames this near, so that it does not change from one to the next
and back, nor where a mask is missing."""


class Behind:
    """Tells of each frame what is hidden of each person; frames are asked for in order.

    Args:
        everybody: a result with masks, also of people who are not drawn.
        body: the model that it was made with.
    """

    def __init__(self, everybody: Result, body: BodyModel) -> None:
        self._result, self._body = everybody, body
        self._frames, first = np.unique(everybody.frame, return_index=True)
        self._times_s = everybody.time_s[first]
        self._lost: dict[int, dict[tuple[int, int], float]] = {}

    def of_frame(self, frame: int) -> dict[int, Hidden]:
        """What is hidden of those behind somebody in a frame, by their ids."""
        rows, masks = self._near(frame), self._result.masks
        if len(rows) < 2:
            return {}
        lost, fronts = self._lost_about(frame), rows[masks.select(rows).there]
        found = {}
        for row in rows:
            by = np.array([n for n in fronts if n != row and self._hides(n, row, lost)], np.int64)
            if len(by):
                own, front = masks.select(np.array([row])), masks.select(by)
                pixels = self._pixels(by)
                near, about = (near_bodies(front, pixels, n) for n in (_NEAR_CELLS, _ABOUT_CELLS))
                found[int(self._result.track_id[row])] = Hidden(own, about, near)
        return found

    def _hides(self, front: int, back: int, lost: dict[tuple[int, int], float]) -> bool:
        r = self._result
        a, b = (int(r.track_id[row]) for row in (front, back))
        hides = lost.get((b, a), 0.0) - lost.get((a, b), 0.0)
        span = r.time_s[front] + np.array([-1.0, 1.0]) * (_WINDOW_S + 1e-6)
        about = slice(*np.searchsorted(r.time_s, span))
        ids, pelvis_m = r.track_id[about], r.joints3d[about, 0, 2].clip(0.1)
        depth = [np.median(pelvis_m[ids == i]) for i in (a, b)]
        return bool(hides + _DEPTH_WEIGHT * np.log(depth[1] / depth[0]) > 0.0)

    def _lost_about(self, frame: int) -> dict[tuple[int, int], float]:
        """Mean shares of bodies that others hide, by the ids of both, over the frames about."""
        time_s = self._times_s[np.searchsorted(self._frames, frame)]
        about = self._frames[np.abs(self._times_s - time_s) <= _WINDOW_S + 1e-6].tolist()
        self._lost = {f: self._lost[f] if f in self._lost else self._lost_in(f) for f in about}
        pairs = {pair for each in self._lost.values() for pair in each}
        return {
            pair: float(np.mean([each[pair] for each in self._lost.values() if pair in each]))
            for pair in pairs
        }

    def _lost_in(self, frame: int) -> dict[tuple[int, int], float]:
        """The same of one frame; of pairs of whom both have masks."""
        rows = self._near(frame)
        rows = rows[self._result.masks.select(rows).there]
        if len(rows) < 2:
            return {}
        lost = hidden_shares(self._pixels(rows), self._result.masks.select(rows))
        ids = self._result.track_id[rows].tolist()
        return {(a, b): lost[i, j] for i, a in enumerate(ids) for j, b in enumerate(ids) if i != j}

    def _near(self, frame: int) -> np.ndarray:
        """Rows of a frame's people who come near another."""
        first, end = np.searchsorted(self._result.frame, [frame, frame + 1])
        return _near_others(self._result.bbox_xyxy[first:end]) + first

    def _pixels(self, rows: np.ndarray) -> list[np.ndarray]:
        """(V, 2) px of the vertices of each row that are before the camera."""
        r = self._result
        middle = np.array([r.width_px, r.height_px]) / 2.0
        found = []
        for row, points in zip(rows, vertices(r, self._body, rows), strict=True):
            points = points[points[:, 2] > 0.0]
            found.append(points[:, :2] / points[:, 2:] * r.focal_length_px[row] + middle)
        return found


def hidden_shares(pixels: list[np.ndarray], masks: Masks) -> np.ndarray:
    """How much of each of N bodies each of N people hides.

    Args:
        pixels: (V, 2) px of each body's vertices. masks: of the same people.

    Returns:
        (N, N), of the vertices of the row's body: the share in the column's mask and not the own.
    """
    num = len(masks)
    lost = np.zeros((num, num))
    each = list(zip(masks.shares, masks.region, strict=True))
    for n, points in enumerate(pixels):
        mine = shares_at(*each[n], points) > 0.5
        for other in np.flatnonzero(np.arange(num) != n):
            theirs = shares_at(*each[other], points) > 0.5
            lost[n, other] = (theirs & ~mine).mean() if len(points) else 0.0
    return lost


def near_bodies(masks: Masks, pixels: list[np.ndarray], reach: int) -> Masks:
    """What of masks is within `reach` cells of the bodies with these vertices, (V, 2) px each."""
    pairs = zip(masks.region, pixels, strict=True)
    near = [near_cells(region, points, reach) for region, points in pairs]
    return Masks.of(masks.shares * np.stack(near), masks.region)


def _near_others(xyxy: np.ndarray) -> np.ndarray:
    """Rows of boxes (N, 4) that come near another's."""
    grown = xyxy + 0.15 * (xyxy[:, 2:] - xyxy[:, :2]).max(axis=1)[:, None] * [-1, -1, 1, 1]
    low, high = grown[:, None, :2], grown[:, None, 2:]
    meet = (low < high.swapaxes(0, 1)).all(axis=-1) & (low.swapaxes(0, 1) < high).all(axis=-1)
    return np.flatnonzero(meet.sum(axis=1) > 1)

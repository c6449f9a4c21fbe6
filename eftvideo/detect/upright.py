"""A second look at people who lean: turned upright and large, and the sightings merged.

Detectors are trained on people who stand. Of somebody who leans, lies or is seen by a tilted camera
a small one draws both legs as one, or a limb elsewhere, with full confidence; shown the same person
upright it does not (docs/second_look.md has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eftvideo.detect.close_ups import CloseUp, CloseUps
from eftvideo.geometry.skeletons import COCO17, select
from eftvideo.setup import Setup
from eftvideo.types import Detections

_ROUNDS = 20
_PAIRS = tuple(
    select((f"left_{part}", f"right_{part}"), COCO17) for part in ("ankle", "knee", "hip")
)
_SHOULDERS = select(("left_shoulder", "right_shoulder"), COCO17)


class SecondLook:
    """Looks again at those whom `cfg.detect.second_look` names."""

    def __init__(self, setup: Setup, close_ups: CloseUps) -> None:
        self._setup, self._cfg = setup, setup.cfg.detect.second_look
        self._min_score = setup.cfg.keypoints.min_score
        self._limit, self._close_ups = math.radians(self._cfg.lean_deg), close_ups

    def again(self, images: Sequence[np.ndarray], people: Sequence[Detections]) -> list[Detections]:
        """The same people, with better keypoints for those who were looked at again.

        Args:
            images: B frames, (H, W, 3) RGB uint8. people: who was found in each.
        """
        turns_rad = [math.radians(t) for t in self._cfg.turns_deg]
        whom: list[tuple[int, int]] = []
        where: list[CloseUp] = []
        for i, (image, found) in enumerate(zip(images, people, strict=True)):
            leans = lean_rad(found.keypoints, self._min_score)
            for n in np.flatnonzero(self._wanted(leans)).tolist():
                whom += [(i, n)] * len(turns_rad)
                lean = float(leans[n])
                where += [CloseUp(image, found.xyxy[n], lean + turn) for turn in turns_rad]
        return self._merged(people, whom, self._close_ups.look(where))

    def _wanted(self, leans: np.ndarray) -> np.ndarray:
        known = ~np.isnan(leans)
        if not self._cfg.enabled:
            return np.zeros_like(known)
        return (
            known
            if self._cfg.whom == "all"
            else known & (np.abs(np.nan_to_num(leans)) > self._limit)
        )

    def _merged(
        self,
        people: Sequence[Detections],
        whom: Sequence[tuple[int, int]],
        found: Sequence[Detections],
    ) -> list[Detections]:
        """`whom` (frame, person) each close-up is of, and everybody `found` in it."""
        sightings: dict[tuple[int, int], list[np.ndarray]] = {}
        for (frame, person), others in zip(whom, found, strict=True):
            first = people[frame].keypoints[person]
            mine = sightings.setdefault((frame, person), [first])
            same = self._same_person(first, others.keypoints, _side_px(people[frame].xyxy[person]))
            if same is not None:
                mine.append(others.keypoints[same])
        out = [p.keypoints.copy() for p in people]
        for (frame, person), seen in sightings.items():
            side_px = _side_px(people[frame].xyxy[person])
            out[frame][person] = merge_sightings(np.stack(seen).astype(float), side_px, self._setup)
        return [replace(p, keypoints=k) for p, k in zip(people, out, strict=True)]

    def _same_person(self, first: np.ndarray, others: np.ndarray, side_px: float) -> int | None:
        """Which of `others` (M, 17, 3) is the person of `first` (17, 3); None: nobody."""
        both = (first[:, 2] >= self._min_score) & (others[..., 2] >= self._min_score)
        apart = np.linalg.norm(others[..., :2] - first[:, :2], axis=-1)
        middle = [
            float(np.median(a[b])) if b.any() else np.inf for a, b in zip(apart, both, strict=True)
        ]
        if not middle or min(middle) > self._cfg.same_person * side_px:
            return None
        return int(np.argmin(middle))


def lean_rad(keypoints: np.ndarray, min_score: float) -> np.ndarray:
    """(N, 17, 3) to (N,): how far people lean in the picture, positive to the right of it.

    From the lowest part that is seen of ankles, knees and hips to the shoulders; NaN where there
    are none. Not the torso's: somebody who bends over stands on his legs, and is seen well.
    """
    out = np.full(len(keypoints), np.nan)
    for n, points in enumerate(keypoints):
        top = _middle(points[_SHOULDERS], min_score)
        feet = [foot for pair in _PAIRS if (foot := _middle(points[pair], min_score)) is not None]
        if top is not None and feet:
            right, down = top - feet[0]
            out[n] = math.atan2(right, -down)
    return out


def _middle(pair: np.ndarray, min_score: float) -> np.ndarray | None:
    seen = pair[pair[:, 2] >= min_score, :2]
    return seen.mean(axis=0).astype(float) if len(seen) else None


def _side_px(xyxy: np.ndarray) -> float:
    return max(float((xyxy[2:] - xyxy[:2]).max()), 1.0)


def merge_sightings(seen: np.ndarray, side_px: float, setup: Setup) -> np.ndarray:
    """One person's keypoints out of several sightings of them.

    The place is the geometric median (Weiszfeld's rounds), weighted by score: of three sightings,
    one that is far off hardly counts. The score is the mean of the sightings' scores, where those
    that are not near to that place count as 0.

    Args:
        seen: (S, 17, 3) px, px, score; the first is kept where none is to be believed.
        side_px: longer side of the person's box.

    Returns:
        (17, 3) float32.
    """
    weight = np.where(seen[..., 2] >= setup.cfg.keypoints.min_score, seen[..., 2], 0.0)
    total = weight.sum(axis=0)
    known = total > 0
    place = np.einsum("sk,skc->kc", weight, seen[..., :2]) / np.where(known, total, 1.0)[:, None]
    for _ in range(_ROUNDS):
        pull = weight / (np.linalg.norm(seen[..., :2] - place, axis=-1) + 0.002 * side_px)
        place = np.einsum("sk,skc->kc", pull, seen[..., :2])
        place /= np.where(known, pull.sum(axis=0), 1.0)[:, None]
    near = (
        np.linalg.norm(seen[..., :2] - place, axis=-1)
        <= setup.cfg.detect.second_look.agrees * side_px
    )
    score = (seen[..., 2] * near).mean(axis=0)
    merged = np.column_stack([place, score])
    return np.where(known[:, None], merged, seen[0]).astype(np.float32)

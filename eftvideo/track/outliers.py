"""Keypoints that jump away and come back are believed less, before the fit.

A joint is an outlier where the sightings shortly before and after agree with each other and this
one is far from both, and where the joint is calm before and after. A fast swing is none: there the
joint goes on to somewhere else, and it moves before and after too. (In a swing it is often the one
sighting that differs that is right.) How far is far is told by the same joint's own unrest over the
track, and by the person's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eftvideo.types import FrameDetections

MIN_JUMP = 0.08
"""Jumps below are never outliers, in longer sides of the box (0.14 m of a standing person)."""
UNREST = 6.0
"""Jumps below this many times the joint's median jump are none either."""
AGREE = 0.5
"""Before and after must be nearer to each other, and to what was before and comes after them, than
this share of the jump."""
MAX_SPAN_S = 0.14
"""Time from the sighting before to the one after: four frames at 30 per second."""
MIN_SCORE = 0.1
_SPANS = ((1, 1), (1, 2), (2, 1), (1, 3), (2, 2), (3, 1))
"""Frames before and after: a spell of up to three bad frames has good ones around it."""


def soften_outliers(frames: Sequence[FrameDetections]) -> list[FrameDetections]:
    """The same people, with lower scores where a keypoint is nonsense beside its neighbours."""
    places: dict[int, list[tuple[int, int]]] = {}
    for at, frame in enumerate(frames):
        for row, track_id in enumerate(frame.people.track_id.tolist()):
            places.setdefault(track_id, []).append((at, row))
    keypoints = [f.people.keypoints.copy() for f in frames]
    shot = np.cumsum([f.is_cut for f in frames])
    for where in places.values():
        seen = np.stack([keypoints[at][row] for at, row in where])
        boxes = np.stack([frames[at].people.xyxy[row] for at, row in where])
        time_s = np.array([frames[at].time_s for at, _ in where])
        trust = keypoint_trust(seen, boxes, time_s, np.array([shot[at] for at, _ in where]))
        for (at, row), share in zip(where, trust, strict=True):
            keypoints[at][row, :, 2] *= share
    return [
        replace(f, people=replace(f.people, keypoints=k))
        for f, k in zip(frames, keypoints, strict=True)
    ]


def keypoint_trust(
    keypoints: np.ndarray, xyxy: np.ndarray, time_s: np.ndarray, shot: np.ndarray
) -> np.ndarray:
    """How far each sighting of one person's keypoints is to be believed.

    Args:
        keypoints: (T, 17, 3) px, px, score. xyxy: (T, 4) boxes, px. time_s: (T,).
        shot: (T,) number of the shot; nothing is compared across cuts.

    Returns:
        (T, 17) in 0..1, 1 for all that is not an outlier.
    """
    num = len(keypoints)
    trust = np.ones((num, 17))
    if num < 3:
        return trust
    side = np.median(np.maximum(xyxy[:, 2:] - xyxy[:, :2], 1.0).max(axis=1))
    limit, step = _limits(keypoints, side), _steps(keypoints)
    for before, after in _SPANS:
        if num <= before + after:
            continue
        middle = slice(before, num - after)
        a, b = keypoints[: num - before - after], keypoints[before + after :]
        jump, apart, usable = _jumps(keypoints[middle], a, b)
        near = time_s[before + after :] - time_s[: num - before - after] <= MAX_SPAN_S + 1e-6
        near &= shot[before + after :] == shot[: num - before - after]
        # Step i leads to frame i: into the sighting before, and away from the one after.
        into, away = step[: num - before - after], step[before + after + 1 :]
        unrest = np.maximum(apart, np.maximum(into, away))
        out = usable & near[:, None] & (jump > limit) & (unrest < AGREE * jump)
        share = np.where(out, (limit / np.maximum(jump, 1e-6)) ** 2, 1.0)
        trust[middle] = np.minimum(trust[middle], share)
    return trust


def _steps(keypoints: np.ndarray) -> np.ndarray:
    """(T + 1, 17) px from frame to frame; 0 before the first frame and after the last."""
    return np.pad(np.linalg.norm(np.diff(keypoints[..., :2], axis=0), axis=-1), ((1, 1), (0, 0)))


def _limits(keypoints: np.ndarray, side: float) -> np.ndarray:
    """(17,) px: smallest jump of each joint that may be an outlier."""
    jump, _, usable = _jumps(keypoints[1:-1], keypoints[:-2], keypoints[2:])
    floor = MIN_JUMP * side
    typical = [
        np.median(jump[usable[:, j], j]) if usable[:, j].sum() >= 3 else 0.0 for j in range(17)
    ]
    return np.maximum(UNREST * np.array(typical), floor)


def _jumps(
    now: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of (M, 17, 3) thrice: distance to the nearer neighbour, between neighbours, px; usable."""
    here, a, b = now[..., :2], before[..., :2], after[..., :2]
    jump = np.minimum(np.linalg.norm(here - a, axis=-1), np.linalg.norm(here - b, axis=-1))
    usable = np.minimum(np.minimum(now[..., 2], before[..., 2]), after[..., 2]) >= MIN_SCORE
    return jump, np.linalg.norm(a - b, axis=-1), usable

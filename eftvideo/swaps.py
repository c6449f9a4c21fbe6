"""Mend frames in which the detector took a person's left for the right.

Seen from behind, or small, a person is now and then labelled the wrong way round for some frames.
Which frames are is a chain of two states (as detected, or swapped); the cheapest chain is found by
dynamic programming (Viterbi 1967): neighbouring frames should agree, and few should be swapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eftvideo.skeletons import COCO17, mirror_index
from eftvideo.types import FrameDetections

SWAP_COST = 0.01
"""Cost of a swapped frame, in longer sides of the box: the majority is believed."""
MAX_STEP = 0.15
"""Disagreement of two neighbouring frames counts no more than this, in longer sides of the box."""
MIN_SCORE = 0.3
_MIRROR = mirror_index(COCO17)
_BODY = slice(COCO17.index("left_shoulder"), None)


def mend_swaps(frames: Sequence[FrameDetections]) -> list[FrameDetections]:
    """The same people, with left and right put back where a track's neighbours say so."""
    places: dict[int, list[tuple[int, int]]] = {}
    for at, frame in enumerate(frames):
        for row, track_id in enumerate(frame.people.track_id.tolist()):
            places.setdefault(track_id, []).append((at, row))
    keypoints = [f.people.keypoints.copy() for f in frames]
    for where in places.values():
        seen = np.stack([keypoints[at][row] for at, row in where])
        boxes = np.stack([frames[at].people.xyxy[row] for at, row in where])
        side = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0).max(axis=1)
        for (at, row), swapped in zip(where, swapped_frames(seen, side), strict=True):
            if swapped:
                keypoints[at][row] = keypoints[at][row][_MIRROR]
    return [
        replace(f, people=replace(f.people, keypoints=k))
        for f, k in zip(frames, keypoints, strict=True)
    ]


def swapped_frames(keypoints: np.ndarray, side_px: np.ndarray) -> np.ndarray:
    """Which sightings of one person are labelled the wrong way round.

    Args:
        keypoints: (T, 17, 3) px, px, score. side_px: (T,) longer side of the box.

    Returns:
        (T,) bool.
    """
    num = len(keypoints)
    if num < 2:
        return np.zeros(num, bool)
    same = _step(keypoints[1:], keypoints[:-1], side_px[1:])
    other = _step(keypoints[1:][:, _MIRROR], keypoints[:-1], side_px[1:])
    here = np.array([0.0, SWAP_COST])
    cost = here
    came_from = np.zeros((num, 2), np.int64)
    for t in range(1, num):
        stay, change = cost + same[t - 1], cost[::-1] + other[t - 1]
        came_from[t] = np.where(stay <= change, [0, 1], [1, 0])
        cost = np.minimum(stay, change) + here
    state = int(cost.argmin())
    states = np.zeros(num, bool)
    for t in range(num - 1, -1, -1):
        states[t] = bool(state)
        state = int(came_from[t, state])
    return states


def _step(now: np.ndarray, before: np.ndarray, side_px: np.ndarray) -> np.ndarray:
    """(T,) mean distance of the body's keypoints that both frames show, in box sides, clipped."""
    a, b = now[:, _BODY], before[:, _BODY]
    both = (a[..., 2] >= MIN_SCORE) & (b[..., 2] >= MIN_SCORE)
    distance = np.linalg.norm(a[..., :2] - b[..., :2], axis=-1) / side_px[:, None]
    mean = (distance * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    return np.minimum(mean, MAX_STEP)

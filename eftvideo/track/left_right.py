"""Mend frames in which the detector took a person's left for the right.

Seen from behind, or small, a person is now and then labelled the wrong way round for some frames;
sometimes the legs only, or the arms. Which frames are is a chain of four states (arms and legs,
each as detected or swapped); the cheapest chain is found by dynamic programming (Viterbi 1967):
neighbouring frames should agree, few should be swapped, and arms seldom without legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eftvideo.geometry.skeletons import COCO17, mirror_index
from eftvideo.types import FrameDetections

SWAP_COST = 0.01
"""Cost of a swapped frame, in longer sides of the box: the majority is believed."""
SPLIT_COST = 0.02
"""Further cost of a frame in which arms and legs disagree."""
MAX_STEP = 0.15
"""Disagreement of two neighbouring frames counts no more than this, in longer sides of the box."""
MIN_SCORE = 0.3
_MIRROR = mirror_index(COCO17)
_ARMS = slice(COCO17.index("left_shoulder"), COCO17.index("left_hip"))
_LEGS = slice(COCO17.index("left_hip"), None)
_STATES = np.array([[False, False], [True, True], [True, False], [False, True]])
"""(4, 2): whether arms and legs are swapped."""


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
            mirrored = keypoints[at][row][_MIRROR]
            if swapped[0]:
                head_and_arms = slice(None, _ARMS.stop)
                keypoints[at][row][head_and_arms] = mirrored[head_and_arms]
            if swapped[1]:
                keypoints[at][row][_LEGS] = mirrored[_LEGS]
    return [
        replace(f, people=replace(f.people, keypoints=k))
        for f, k in zip(frames, keypoints, strict=True)
    ]


def swapped_frames(keypoints: np.ndarray, side_px: np.ndarray) -> np.ndarray:
    """Which sightings of one person are labelled the wrong way round.

    Args:
        keypoints: (T, 17, 3) px, px, score. side_px: (T,) longer side of the box.

    Returns:
        (T, 2) bool: arms (and face), legs.
    """
    num = len(keypoints)
    if num < 2:
        return np.zeros((num, 2), bool)
    changes = _STATES[:, None] ^ _STATES[None]
    moves = np.zeros((num - 1, len(_STATES), len(_STATES)))
    for half, part in enumerate((_ARMS, _LEGS)):
        same, other = _steps(keypoints, side_px, part)
        moves += 0.5 * np.where(changes[..., half], other, same)
    here = SWAP_COST * _STATES.mean(axis=1) + SPLIT_COST * (_STATES[:, 0] != _STATES[:, 1])
    cost = here
    came_from = np.zeros((num, len(_STATES)), np.int64)
    for t in range(1, num):
        total = cost[:, None] + moves[t - 1]
        came_from[t] = total.argmin(axis=0)
        cost = total.min(axis=0) + here
    state = int(cost.argmin())
    states = np.zeros((num, 2), bool)
    for t in range(num - 1, -1, -1):
        states[t] = _STATES[state]
        state = int(came_from[t, state])
    return states


def _steps(
    keypoints: np.ndarray, side_px: np.ndarray, part: slice
) -> tuple[np.ndarray, np.ndarray]:
    """(T - 1, 1, 1) twice: disagreement with the frame before, as labelled and swapped.

    Mean distance of the keypoints that both frames show, in box sides, clipped.
    """
    before, found = keypoints[:-1, part], []
    for now in (keypoints[1:, part], keypoints[1:][:, _MIRROR][:, part]):
        both = (now[..., 2] >= MIN_SCORE) & (before[..., 2] >= MIN_SCORE)
        distance = np.linalg.norm(now[..., :2] - before[..., :2], axis=-1) / side_px[1:, None]
        mean = (distance * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        found.append(np.minimum(mean, MAX_STEP)[:, None, None])
    return found[0], found[1]

"""Mend frames in which the detector took a person's left for the right.

Seen from behind, or small, a person is now and then labelled the wrong way round for some frames;
sometimes the legs only, or the arms. Which frames are is a chain of four states (arms and legs,
each as detected or swapped); the cheapest chain is found by dynamic programming (Viterbi 1967):
neighbouring frames should agree, few should be swapped, and arms seldom without legs.
"""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.boxes import longer_side
from eftvideo.geometry.skeletons import COCO17, mirror_index
from eftvideo.setup import Setup
from eftvideo.types.track import Track, Tracks

_MIRROR = mirror_index(COCO17)
_ARMS = slice(COCO17.index("left_shoulder"), COCO17.index("left_hip"))
_LEGS = slice(COCO17.index("left_hip"), None)
_STATES = np.array([[False, False], [True, True], [True, False], [False, True]])
"""(4, 2): whether arms and legs are swapped."""


def mend_left_right(tracks: Tracks, setup: Setup) -> Tracks:
    """The same people, with left and right put back where a track's neighbours say so.

    Whom the landmark network sees in most frames stays as detected: it seldom takes one side for
    the other, both witnesses are weighed, and nothing is gained there (docs/ablation.md).
    """
    if not setup.cfg.track.left_right.enabled:
        return tracks
    return tracks.of(t if _is_looked_at(t) else _mended(t, setup) for t in tracks.people)


def _is_looked_at(track: Track) -> bool:
    return float((track.landmarks.score > 0).mean()) > 0.5


def _mended(track: Track, setup: Setup) -> Track:
    side = longer_side(track.xyxy, least=1.0)
    swapped = swapped_frames(track.keypoints, side, setup)
    mirrored, keypoints = track.keypoints[:, _MIRROR], track.keypoints.copy()
    head_and_arms = slice(None, _ARMS.stop)
    for part, rows in ((head_and_arms, swapped[:, 0]), (_LEGS, swapped[:, 1])):
        keypoints[rows, part] = mirrored[rows, part]
    return track.with_keypoints(keypoints)


def swapped_frames(keypoints: np.ndarray, side_px: np.ndarray, setup: Setup) -> np.ndarray:
    """Which sightings of one person are labelled the wrong way round.

    Args:
        keypoints: (T, 17, 3) px, px, score. side_px: (T,) longer side of the box.

    Returns:
        (T, 2) bool: arms (and face), legs.
    """
    costs, num = setup.cfg.track.left_right, len(keypoints)
    if num < 2:
        return np.zeros((num, 2), bool)
    changes = _STATES[:, None] ^ _STATES[None]
    moves = np.zeros((num - 1, len(_STATES), len(_STATES)))
    for half, part in enumerate((_ARMS, _LEGS)):
        same, other = _steps(keypoints, side_px, part, setup)
        moves += 0.5 * np.where(changes[..., half], other, same)
    here = costs.swap_cost * _STATES.mean(axis=1) + costs.split_cost * (
        _STATES[:, 0] != _STATES[:, 1]
    )
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
    keypoints: np.ndarray, side_px: np.ndarray, part: slice, setup: Setup
) -> tuple[np.ndarray, np.ndarray]:
    """(T - 1, 1, 1) twice: disagreement with the frame before, as labelled and swapped.

    Mean distance of the keypoints that both frames show, in box sides, clipped.
    """
    score = setup.cfg.keypoints.min_score
    before, found = keypoints[:-1, part], []
    for now in (keypoints[1:, part], keypoints[1:][:, _MIRROR][:, part]):
        both = (now[..., 2] >= score) & (before[..., 2] >= score)
        distance = np.linalg.norm(now[..., :2] - before[..., :2], axis=-1) / side_px[1:, None]
        mean = (distance * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        found.append(np.minimum(mean, setup.cfg.track.left_right.max_step)[:, None, None])
    return found[0], found[1]

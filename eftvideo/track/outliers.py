"""Keypoints that jump away and come back are believed less, before the fit.

A joint is an outlier where the sightings shortly before and after agree with each other and this
one is far from both, and where the joint is calm before and after. A fast swing is none: there the
joint goes on to somewhere else, and it moves before and after too. (In a swing it is often the one
sighting that differs that is right.) How far is far is told by the same joint's own unrest over the
track, and by the person's size.
"""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.boxes import longer_side
from eftvideo.setup import Setup
from eftvideo.types.track import Track, Tracks

_SPANS = ((1, 1), (1, 2), (2, 1), (1, 3), (2, 2), (3, 1))
"""Frames before and after: a spell of up to three bad frames has good ones around it."""


def soften_outliers(tracks: Tracks, setup: Setup) -> Tracks:
    """The same people, with lower scores where a keypoint is nonsense beside its neighbours."""
    if not setup.cfg.track.outliers.enabled:
        return tracks
    return tracks.of(_softened(t, setup) for t in tracks.people)


def _softened(track: Track, setup: Setup) -> Track:
    keypoints = track.keypoints.copy()
    keypoints[..., 2] *= keypoint_trust(keypoints, track.xyxy, track.time_s, setup)
    return track.with_keypoints(keypoints)


def keypoint_trust(
    keypoints: np.ndarray, xyxy: np.ndarray, time_s: np.ndarray, setup: Setup
) -> np.ndarray:
    """How far each sighting of one person's keypoints is to be believed.

    Args:
        keypoints: (T, 17, 3) px, px, score, of one shot. xyxy: (T, 4) boxes, px. time_s: (T,).

    Returns:
        (T, 17) in 0..1, 1 for all that is not an outlier.
    """
    cfg, num = setup.cfg.track.outliers, len(keypoints)
    trust = np.ones((num, 17))
    if num < 3:
        return trust
    side = np.median(longer_side(xyxy, least=1.0))
    limit, step = _limits(keypoints, side, setup), _steps(keypoints)
    for before, after in _SPANS:
        if num <= before + after:
            continue
        middle = slice(before, num - after)
        a, b = keypoints[: num - before - after], keypoints[before + after :]
        jump, apart, usable = _jumps(keypoints[middle], a, b, cfg.min_score)
        near = time_s[before + after :] - time_s[: num - before - after] <= cfg.max_span_s + 1e-6
        # Step i leads to frame i: into the sighting before, and away from the one after.
        into, away = step[: num - before - after], step[before + after + 1 :]
        unrest = np.maximum(apart, np.maximum(into, away))
        out = usable & near[:, None] & (jump > limit) & (unrest < cfg.agree * jump)
        share = np.where(out, (limit / np.maximum(jump, 1e-6)) ** 2, 1.0)
        trust[middle] = np.minimum(trust[middle], share)
    return trust


def _steps(keypoints: np.ndarray) -> np.ndarray:
    """(T + 1, 17) px from frame to frame; 0 before the first frame and after the last."""
    return np.pad(np.linalg.norm(np.diff(keypoints[..., :2], axis=0), axis=-1), ((1, 1), (0, 0)))


def _limits(keypoints: np.ndarray, side: float, setup: Setup) -> np.ndarray:
    """(17,) px: smallest jump of each joint that may be an outlier."""
    cfg = setup.cfg.track.outliers
    jump, _, usable = _jumps(keypoints[1:-1], keypoints[:-2], keypoints[2:], cfg.min_score)
    floor = cfg.min_jump * side
    typical = [
        np.median(jump[usable[:, j], j]) if usable[:, j].sum() >= 3 else 0.0 for j in range(17)
    ]
    return np.maximum(cfg.unrest * np.array(typical), floor)


def _jumps(
    now: np.ndarray, before: np.ndarray, after: np.ndarray, min_score: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of (M, 17, 3) thrice: distance to the nearer neighbour, between neighbours, px; usable."""
    here, a, b = now[..., :2], before[..., :2], after[..., :2]
    jump = np.minimum(np.linalg.norm(here - a, axis=-1), np.linalg.norm(here - b, axis=-1))
    usable = np.minimum(np.minimum(now[..., 2], before[..., 2]), after[..., 2]) >= min_score
    return jump, np.linalg.norm(a - b, axis=-1), usable

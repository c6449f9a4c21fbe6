"""One witness out of two: the detector's keypoints and the landmark network's points."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eftvideo.geometry.skeletons import COCO17, LANDMARK33, select
from eftvideo.landmarks.places import coco_places
from eftvideo.landmarks.reliability import apart, reliability
from eftvideo.types import Landmarks

_SAME = select(COCO17, LANDMARK33)
_AGREES = 0.08
"""Witnesses this far apart (sides of the box) are weighed by the square of their odds."""
_MOST = 8.0
"""Power of the odds of witnesses that are far apart: the better one alone."""
_DOUBT = 0.05
"""Added to the probability of being wrong, so that no odds are without end."""


def merge_witnesses(keypoints: np.ndarray, landmarks: Landmarks, side_px: np.ndarray) -> np.ndarray:
    """COCO keypoints as both witnesses together have them.

    The network's points are moved to COCO's places first. Where the two agree, the place is their
    mean, weighted by the odds that they are right (`reliability`); the farther apart they are, the
    more it is the better one's alone. The score is the probability that it is right.

    Args:
        keypoints: (N, 17, 3) px, px, score of the detector. landmarks: of the same N people.
        side_px: (N,) longer side of each person's box.

    Returns:
        (N, 17, 3) float32; keypoints as they were for those at whom the network did not look.
    """
    given, points, score, side = (
        torch.from_numpy(np.asarray(a, np.float64))
        for a in (keypoints, landmarks.points2d, landmarks.score, side_px)
    )
    merged = merge(given, points, score, side).numpy().astype(np.float32)
    looked = landmarks.score[:, None, None] > 0
    return np.where(looked, merged, np.asarray(keypoints, np.float32))


def merge(keypoints: Tensor, points2d: Tensor, score: Tensor, side_px: Tensor) -> Tensor:
    """(N, 17, 3) merged keypoints; arguments as in `reliability`, where the score is above 0."""
    moved = coco_places(points2d[..., :2])
    detector, every = reliability(keypoints, points2d, score, side_px)
    landmark = every[:, _SAME]
    power = (1.0 + (apart(keypoints, points2d, side_px) / _AGREES) ** 2).clamp(max=_MOST)
    ours, theirs = (_odds(p) ** power for p in (detector, landmark))
    share = (ours / (ours + theirs).clamp(min=1e-30))[..., None]
    place = share * keypoints[..., :2] + (1.0 - share) * moved
    sure = share[..., 0] * detector + (1.0 - share[..., 0]) * landmark
    return torch.cat([place, sure[..., None]], dim=-1)


def _odds(probability: Tensor) -> Tensor:
    return probability / (1.0 - probability + _DOUBT)

"""Who is who: the people of a result and those of the truth, frame by frame, by the picture."""

from __future__ import annotations

from dataclasses import dataclass

import lap
import numpy as np

from eftvideo.evaluate.truth import Truth
from eftvideo.results.result import Result

GATE = 0.3
"""People farther apart than this share of the true person's size in the picture are two people."""
_MIN_SIZE_PX = 8.0
_FAR = 1e6


@dataclass(frozen=True)
class Matches:
    """Indices of rows."""

    result: np.ndarray
    """(P,) rows of the result, each with its row of the truth in `truth`."""
    truth: np.ndarray
    """(P,)"""
    missed: np.ndarray
    """Rows of the truth that are scored and nobody found."""
    false: np.ndarray
    """Rows of the result who are nobody in the truth; frames of which the truth has no row, or an
    unscored one, are left out."""


def project_points(
    points: np.ndarray, focal_length_px: np.ndarray, principal_px: np.ndarray
) -> np.ndarray:
    """(N, J, 3) metres, camera frame, to (N, J, 2) px; NaN behind the camera."""
    depth = points[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        px = points[..., :2] / depth * focal_length_px[:, None, None] + principal_px
    return np.where(depth > 0, px, np.nan)


def result_points_px(result: Result) -> np.ndarray:
    """(N, 41, 2) px: the body's SMPL joints and COCO keypoints in the picture."""
    points = np.concatenate([result.joints3d, result.keypoints3d], axis=1).astype(np.float64)
    return project_points(points, result.focal_length_px, _middle(result))


def truth_points_px(truth: Truth, result: Result) -> np.ndarray:
    """(N, 41, 2) px: the same of the truth, by its own camera; NaN where not known.

    COCO keypoints that the truth has in the picture come before projected ones. Where the truth
    has no camera, the result's is taken.
    """
    points = np.concatenate([truth.joints3d, truth.keypoints3d], axis=1)
    focal = truth.focal_length_px
    if len(result):
        focal = np.where(np.isfinite(focal), focal, result.focal_length_px[0])
    center = np.where(np.isfinite(truth.principal_px), truth.principal_px, _middle(result))
    px = project_points(points, focal, center)
    seen = truth.keypoints2d[..., 2] > 0
    px[:, 24:][seen] = truth.keypoints2d[..., :2][seen]
    return px


def match_people(result: Result, truth: Truth, gate: float = GATE) -> Matches:
    """Pair the people of every frame so that the distances in the picture are least in sum.

    The distance of two people is the mean over the points known of both, as a share of the longer
    side of the true person's points; beyond `gate` two people are better left alone. Solved exactly
    (Jonker and Volgenant 1987).
    """
    seen, true = result_points_px(result), truth_points_px(truth, result)
    pairs: list[tuple[int, int]] = []
    for frame in np.intersect1d(result.frame, truth.frame):
        rows, columns = (np.flatnonzero(x.frame == frame) for x in (result, truth))
        cost = _distances(seen[rows], true[columns])
        _, chosen, _ = lap.lapjv(cost, extend_cost=True, cost_limit=gate)
        pairs += [(int(rows[i]), int(columns[j])) for i, j in enumerate(chosen) if j >= 0]
    found = np.array(pairs, np.int64).reshape(-1, 2)
    missed = np.setdiff1d(np.flatnonzero(truth.scored), found[:, 1])
    false = np.setdiff1d(np.arange(len(result)), found[:, 0])
    judged = np.setdiff1d(truth.frame, truth.frame[~truth.scored])
    false = false[np.isin(result.frame[false], judged)]
    return Matches(found[:, 0], found[:, 1], missed, false)


def _distances(seen: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(R, T) mean distance of the known points over the true person's size; `_FAR` for none."""
    distance = np.linalg.norm(seen[:, None] - true[None], axis=-1)
    use = np.isfinite(distance)
    mean = np.where(use, distance, 0.0).sum(-1) / np.maximum(use.sum(-1), 1)
    known = np.isfinite(true).all(axis=-1, keepdims=True)
    high = np.where(known, true, -np.inf).max(axis=1)
    low = np.where(known, true, np.inf).min(axis=1)
    size = np.maximum((high - low).max(-1), _MIN_SIZE_PX)
    return np.where(use.any(-1), mean / size, _FAR)


def _middle(result: Result) -> np.ndarray:
    return np.array([result.width_px, result.height_px]) / 2.0

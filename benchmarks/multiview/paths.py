"""Points that several cameras see over time, triangulated together with how they move.

V views, K sightings of a point in one view (looks, detectors), T frames, N points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from multiview.geometry import View, robust_triangulate

SIGMA_PX = 6.0
"""How sharp a view's sightings of a point are: what jerk is weighed against."""
SCALES_PX = (40.0, 30.0, 20.0, 20.0, 20.0)
"""Geman-McClure's scale in each round: a sighting this far off has a quarter of its weight."""
STEPS = 3
"""Gauss-Newton steps in a round."""
JERK = 150.0
"""Standard deviation of a point's third derivative, m/s^3."""
START_TOLERANCE_PX = 30.0
STEP_M = 1e-4
STAY = 1e-6
"""Holds what nothing else holds."""


@dataclass(frozen=True)
class Paths:
    """N points over T frames."""

    points: np.ndarray
    """(T, N, 3) metres in the world."""
    off_px: np.ndarray
    """(V, T, N) distance of the projections from the mean of the view's sightings that count, px;
    NaN where none does."""
    share: np.ndarray
    """(V, T, N) how much of the view's weight is on sightings that count, 0..1."""
    weight: np.ndarray
    """(V, T, N) the view's weight times its share."""


def follow(
    views: Sequence[View], px: np.ndarray, weight: np.ndarray, fps: float, jerk: float = JERK
) -> Paths:
    """Robust least squares in px, with a soft limit on jerk.

    Starts from the sightings that agree frame by frame; then Geman-McClure's loss by iterated
    weights (Geman and McClure 1987), its scale made smaller from round to round.

    Args:
        px: (V, K, T, N, 2). weight: (V, K, T, N), not negative; 0 means not seen. A view's
            sightings are shares of one: weights are divided by the most that it ever has.
        jerk: m/s^3; smaller is smoother.
    """
    seen = (weight > 0) & np.isfinite(px).all(axis=-1)
    px, weight = np.where(seen[..., None], px, 0.0), np.where(seen, weight, 0.0)
    weight = weight / np.maximum(seen.any(axis=(2, 3)).sum(axis=1), 1)[:, None, None, None]
    points = start(views, px, weight)
    stiff = _stiffness(weight.shape[2], fps, jerk)
    for scale in SCALES_PX:
        for _ in range(STEPS):
            points = _step(views, px, weight, points, scale, stiff)
    there = np.stack([v.project(points) for v in views])[:, None]
    gain = weight * _trust(np.linalg.norm(there - px, axis=-1), SCALES_PX[-1])
    total, all_of = gain.sum(axis=1), weight.sum(axis=1)
    mean = (gain[..., None] * px).sum(axis=1) / np.maximum(total, 1e-12)[..., None]
    off = np.linalg.norm(there[:, 0] - mean, axis=-1)
    share = total / np.maximum(all_of, 1e-12)
    return Paths(points, np.where(total > 0, off, np.nan), share, total)


def start(views: Sequence[View], px: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T, N, 3) points on which most sightings agree; unknown ones on the line between known."""
    frames, num = weight.shape[2:]
    some_px, some_weight = few(px, weight)
    found = robust_triangulate(
        views,
        some_px.reshape(*some_px.shape[:2], -1, 2),
        some_weight.reshape(*some_weight.shape[:2], -1),
        START_TOLERANCE_PX,
    )
    sure = found.support.sum(axis=0) >= min(3, len(views))
    points = np.where(sure[:, None], found.points, np.nan).reshape(frames, num, 3)
    for j in range(num):
        points[:, j] = filled(points[:, j])
    return points


def few(px: np.ndarray, weight: np.ndarray, most: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The sightings in at most `most` groups, medians of each: pairs of all would be too many."""
    groups = np.array_split(np.arange(px.shape[1]), min(most, px.shape[1]))
    places, weights = [], []
    for group in groups:
        seen = weight[:, group] > 0
        some = np.where(seen[..., None], px[:, group], np.nan)
        known = seen.any(axis=1)
        middle = np.full((*known.shape, 2), np.nan)
        middle[known] = np.nanmedian(some.swapaxes(0, 1)[:, known], axis=0)
        places.append(middle)
        weights.append(weight[:, group].sum(axis=1))
    return np.stack(places, axis=1), np.stack(weights, axis=1)


def filled(path: np.ndarray) -> np.ndarray:
    """(T, D) with NaN rows put on the line between their neighbours in time."""
    known = np.isfinite(path).all(axis=-1)
    if not known.any():
        return np.zeros_like(path)
    at = np.arange(len(path))
    return np.stack([np.interp(at, at[known], c[known]) for c in path.T], axis=-1)


def _trust(far_px: np.ndarray, scale: float) -> np.ndarray:
    return 1.0 / (1.0 + (far_px / scale) ** 2) ** 2


def _stiffness(frames: int, fps: float, jerk: float) -> np.ndarray:
    """(T, T) weight of third differences."""
    if frames < 4:
        return np.zeros((frames, frames))
    third = np.diff(np.eye(frames), n=3, axis=0) * fps**3 / jerk
    return third.T @ third


def _step(
    views: Sequence[View],
    px: np.ndarray,
    weight: np.ndarray,
    points: np.ndarray,
    scale: float,
    stiff: np.ndarray,
) -> np.ndarray:
    """One Gauss-Newton step of all points over all frames."""
    frames, num = points.shape[:2]
    square = np.zeros((frames, num, 3, 3))
    right = np.zeros((frames, num, 3))
    for v, view in enumerate(views):
        here = view.project(points)
        jac = np.stack(
            [(view.project(points + STEP_M * e) - here) / STEP_M for e in np.eye(3)], axis=-1
        )  # (T, N, 2, 3)
        off = px[v] - here
        gain = weight[v] * _trust(np.linalg.norm(off, axis=-1), scale) / SIGMA_PX**2
        pull = (gain[..., None] * off).sum(axis=0)
        square += gain.sum(axis=0)[..., None, None] * np.einsum("tnik,tnil->tnkl", jac, jac)
        right += np.einsum("tnik,tni->tnk", jac, pull)
    right += np.einsum("tnkl,tnl->tnk", square, points)
    out = np.empty_like(points)
    for j in range(num):
        goal = right[:, j] + STAY * points[:, j]
        out[:, j] = solveh_banded(_banded(stiff, square[:, j]), goal.ravel()).reshape(frames, 3)
    return out


def _banded(stiff: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The normal matrix of one path as scipy's upper band, (10, 3 T): third differences reach 9."""
    frames = len(square)
    band = np.zeros((10, 3 * frames))
    for reach in range(min(4, frames)):
        row = np.diagonal(stiff, reach)
        band[9 - 3 * reach, 3 * reach :] = np.repeat(row, 3)
    band[9] += np.einsum("tii->ti", square).ravel() + STAY
    for i, j in ((0, 1), (1, 2), (0, 2)):
        band[9 - (j - i), j::3] += square[:, i, j]
    return band

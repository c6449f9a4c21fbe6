"""The athlete's joints in the world: cameras refined on them, and which of them to believe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.geometry.skeletons import COCO17, LIMB12, select
from multiview.calibration import refine
from multiview.geometry import View, reprojection_px, robust_triangulate, triangulate

ROUNDS_PX = (50.0, 30.0, 20.0, 15.0)
"""Tolerance of the triangulation in each round of bundle adjustment."""
FIT_STRIDE = 2
"""The cameras are refined on every second frame; the others test them."""
TOLERANCE_PX = 20.0
"""Sightings within this of the projection agree, once the cameras are refined."""
MIN_VIEWS = 3
MAX_RESIDUAL_PX = 12.0
MAX_STRETCH = 0.15
"""A bone whose length is off its median by more makes both its ends doubtful."""
MAX_JUMP_M = 0.06
"""A joint farther than this from the median of the nine frames around it is doubtful."""

LIMBS = select(LIMB12, COCO17)
BONES = [
    (COCO17.index(f"{side}_{a}"), COCO17.index(f"{side}_{b}"))
    for side in ("left", "right")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
]


@dataclass(frozen=True)
class Truth:
    """T frames of the athlete's COCO keypoints."""

    views: Sequence[View]
    points: np.ndarray
    """(T, 17, 3) metres in the world; NaN where no two views agree."""
    good: np.ndarray
    """(T, 17) bool: three views agree closely, bones keep their length, nothing jumps."""


def refine_cameras(
    rough: Sequence[View], px: np.ndarray, weight: np.ndarray
) -> tuple[list[View], dict[str, tuple[float, float]]]:
    """Bundle adjustment in rounds, each with a smaller tolerance.

    Args:
        px: (V, K, T, J, 2). weight: (V, K, T, J); 0 means not seen.

    Returns:
        The cameras, and rms px (before, after) on the frames used and on those left out. Both are
        over the same sightings: those that at least three of the refined views agree on.
    """
    views = list(rough)
    fit_px, fit_weight = _flat(px[:, :, ::FIT_STRIDE]), _flat(weight[:, :, ::FIT_STRIDE], 0)
    for tolerance in ROUNDS_PX:
        found = robust_triangulate(views, fit_px, fit_weight, tolerance)
        use = found.support.sum(axis=0) >= MIN_VIEWS
        views = refine(views, found.px[:, use], found.support[:, use].astype(float))
    figures = {}
    for name, first in (("used", 0), ("left out", 1)):
        some = slice(first, None, FIT_STRIDE)
        found = robust_triangulate(
            views, _flat(px[:, :, some]), _flat(weight[:, :, some], 0), ROUNDS_PX[-1]
        )
        use = found.support.sum(axis=0) >= MIN_VIEWS
        seen, at = found.px[:, use], found.support[:, use]
        figures[name] = (rms_px(rough, seen, at), rms_px(views, seen, at))
    return views, figures


def rms_px(views: Sequence[View], px: np.ndarray, seen: np.ndarray) -> float:
    """Rms distance of sightings (V, N, 2) from the points triangulated from them."""
    points = triangulate(views, px, seen.astype(float))
    off = reprojection_px(views, points, px)[seen]
    return float(np.sqrt(np.mean(off**2)))


def _flat(x: np.ndarray, tail: int = 1) -> np.ndarray:
    """(V, K, T, J, ...) to (V, K, T * J, ...)."""
    return x.reshape(*x.shape[:2], -1, *x.shape[x.ndim - tail :])


def find_truth(views: Sequence[View], px: np.ndarray, weight: np.ndarray) -> Truth:
    """Triangulate every joint of every frame; px (V, K, T, J, 2), weight (V, K, T, J)."""
    frames, joints = weight.shape[2:]
    found = robust_triangulate(views, _flat(px), _flat(weight, 0), TOLERANCE_PX)
    points = found.points.reshape(frames, joints, 3)
    close = np.nan_to_num(found.residual_px, nan=np.inf) <= MAX_RESIDUAL_PX
    good = ((found.support.sum(axis=0) >= MIN_VIEWS) & close).reshape(frames, joints)
    good &= ~stretched(points, good)
    return Truth(views, points, good & ~jumps(points, good))


def stretched(points: np.ndarray, good: np.ndarray) -> np.ndarray:
    """(T, 17) ends of bones whose length is far from its median over the good frames."""
    out = np.zeros_like(good)
    for a, b in BONES:
        length = np.linalg.norm(points[:, a] - points[:, b], axis=-1)
        both = good[:, a] & good[:, b]
        if both.any():
            off = np.abs(length / np.median(length[both]) - 1.0) > MAX_STRETCH
            out[both & off, a] = out[both & off, b] = True
    return out


def jumps(points: np.ndarray, good: np.ndarray, reach: int = 4) -> np.ndarray:
    """(T, 17) joints far from the median of their good neighbours in time."""
    known = np.where(good[..., None], points, np.nan)
    out = np.zeros_like(good)
    for t in range(len(points)):
        around = known[max(t - reach, 0) : t + reach + 1]
        for j in np.flatnonzero(good[t]):
            middle = np.nanmedian(around[:, j], axis=0)
            out[t, j] = np.linalg.norm(points[t, j] - middle) > MAX_JUMP_M
    return out

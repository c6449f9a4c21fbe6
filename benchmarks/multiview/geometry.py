"""Cameras of known place, and points that several of them see. numpy only.

Camera frames are OpenCV's (x right, y down, z forward); the world is the calibration's; metres.
V views, K sightings of a point in one view (several detectors, say), N points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

UNDISTORT_STEPS = 8
TRIANGULATE_STEPS = 4
NEAREST_M = 0.3
"""No camera sees anything nearer than this; hypotheses that say so are dropped."""


@dataclass(frozen=True)
class View:
    """A camera in the world, with OpenCV's lens model (k1, k2, p1, p2)."""

    name: str
    rotation: np.ndarray
    """(3, 3) world to camera."""
    translation: np.ndarray
    """(3,) metres: x_camera = rotation @ x_world + translation."""
    focal_px: np.ndarray
    """(2,)"""
    center_px: np.ndarray
    """(2,)"""
    distortion: np.ndarray
    """(4,) k1, k2, p1, p2."""

    @property
    def position(self) -> np.ndarray:
        """(3,) the camera's centre in the world, metres."""
        return -self.rotation.T @ self.translation

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) world to camera frame."""
        return points @ self.rotation.T + self.translation

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera frame to world."""
        return (points - self.translation) @ self.rotation

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) world to (..., 2) px. Points behind the camera give nonsense: see depth."""
        local = self.to_camera(points)
        return self.distort(local[..., :2] / local[..., 2:]) * self.focal_px + self.center_px

    def distort(self, slope: np.ndarray) -> np.ndarray:
        """(..., 2) x/z, y/z as a pinhole sees them, to where the lens puts them."""
        k1, k2, p1, p2 = self.distortion
        x, y = slope[..., 0], slope[..., 1]
        r2 = x * x + y * y
        radial = 1.0 + r2 * (k1 + r2 * k2)
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=-1,
        )

    def slope(self, px: np.ndarray) -> np.ndarray:
        """(..., 2) px to x/z, y/z of the ray, the lens taken out (fixed-point iteration)."""
        bent = (px - self.center_px) / self.focal_px
        straight = bent
        for _ in range(UNDISTORT_STEPS):
            straight = straight + bent - self.distort(straight)
        return straight

    def rays(self, px: np.ndarray) -> np.ndarray:
        """(..., 3) unit directions in the world of the rays through (..., 2) px."""
        slope = self.slope(px)
        local = np.concatenate([slope, np.ones_like(slope[..., :1])], axis=-1)
        return (local / np.linalg.norm(local, axis=-1, keepdims=True)) @ self.rotation


def triangulate(views: Sequence[View], px: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The points whose projections lie nearest to `px`.

    Least squares in px by iterated linear solutions; NaN where fewer than two views have weight.

    Args:
        px: (V, N, 2). weight: (V, N), not negative; 0 means not seen.

    Returns:
        (N, 3) metres.
    """
    slopes = np.stack([v.slope(p) for v, p in zip(views, px, strict=True)])
    rows, offsets = [], []
    for view, slope in zip(views, slopes, strict=True):
        rows.append(slope[..., None] * view.rotation[2] - view.rotation[:2])
        offsets.append(view.translation[:2] - slope * view.translation[2])
    a, b = np.stack(rows), np.stack(offsets)  # (V, N, 2, 3), (V, N, 2)
    seen = np.where(np.isfinite(px).all(axis=-1), weight, 0.0)
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    enough = (seen > 0).sum(axis=0) >= 2
    depth = np.ones_like(seen)
    points = np.full((px.shape[1], 3), np.nan)
    for _ in range(TRIANGULATE_STEPS):
        w = seen * np.array([v.focal_px.mean() for v in views])[:, None] ** 2 / depth**2
        normal = np.einsum("vn,vnij,vnik->njk", w, a, a)[enough]
        right = np.einsum("vn,vnij,vni->nj", w, a, b)[enough]
        points[enough] = np.linalg.solve(normal, right[..., None])[..., 0]
        depth = np.stack([np.nan_to_num(v.to_camera(points)[:, 2], nan=1.0) for v in views])
        depth = np.maximum(np.abs(depth), NEAREST_M)
    return points


def reprojection_px(views: Sequence[View], points: np.ndarray, px: np.ndarray) -> np.ndarray:
    """(V, N) distances of (N, 3) points' projections from (V, N, 2) px."""
    return np.stack(
        [np.linalg.norm(v.project(points) - p, axis=-1) for v, p in zip(views, px, strict=True)]
    )


@dataclass(frozen=True)
class Triangulated:
    """Points with the sightings that they rest on."""

    points: np.ndarray
    """(N, 3) metres in the world; NaN where no two views agree."""
    px: np.ndarray
    """(V, N, 2) mean of the view's sightings that agree with the point; NaN where none does."""
    support: np.ndarray
    """(V, N) bool: the view has a sighting that agrees."""
    residual_px: np.ndarray
    """(N,) rms distance of the projections from `px` over the supporting views."""


def robust_triangulate(
    views: Sequence[View], px: np.ndarray, weight: np.ndarray, tolerance_px: float
) -> Triangulated:
    """Triangulate each point from the sightings that agree; the others are left out.

    Every pair of sightings from two views makes a hypothesis (all pairs, no lots drawn); the one
    with the best sum over views of its best sighting's weight * (1 - (distance / tolerance)^2)
    wins. Then the point is solved from all sightings within the tolerance.

    Args:
        px: (V, K, N, 2). weight: (V, K, N); 0 means not seen.
        tolerance_px: sightings within this of the projection agree.
    """
    best = _best_hypothesis(views, px, weight, tolerance_px)
    for _ in range(2):
        mean, agreeing = _agreeing(views, best, px, weight, tolerance_px)
        points = triangulate(views, mean, agreeing)
        best = np.where(np.isfinite(points), points, best)
    mean, agreeing = _agreeing(views, best, px, weight, tolerance_px)
    support = agreeing > 0
    enough = support.sum(axis=0) >= 2
    points = np.where(enough[:, None], best, np.nan)
    square = np.where(support, reprojection_px(views, points, mean), 0.0) ** 2
    residual = np.sqrt(square.sum(axis=0) / np.maximum(support.sum(axis=0), 1))
    return Triangulated(points, mean, support & enough, np.where(enough, residual, np.nan))


def _best_hypothesis(
    views: Sequence[View], px: np.ndarray, weight: np.ndarray, tolerance_px: float
) -> np.ndarray:
    num_views, num_sightings, num_points = weight.shape
    rays = np.stack([v.rays(p) for v, p in zip(views, px, strict=True)])
    best = np.full((num_points, 3), np.nan)
    best_score = np.zeros(num_points)
    sightings = range(num_sightings)
    for (v, w), i, j in product(combinations(range(num_views), 2), sightings, sightings):
        points = midpoints(views[v].position, rays[v, i], views[w].position, rays[w, j])
        score = np.zeros(num_points)
        for u, view in enumerate(views):
            far = np.linalg.norm(view.project(points) - px[u], axis=-1) / tolerance_px
            gain = weight[u] * np.clip(1.0 - far**2, 0.0, None)
            in_front = view.to_camera(points)[:, 2] > NEAREST_M
            score += np.where(in_front, np.nan_to_num(gain).max(axis=0), 0.0)
        score[(weight[v, i] == 0) | (weight[w, j] == 0)] = 0.0
        better = score > best_score
        best[better], best_score[better] = points[better], score[better]
    return best


def midpoints(
    start_a: np.ndarray, ray_a: np.ndarray, start_b: np.ndarray, ray_b: np.ndarray
) -> np.ndarray:
    """(N, 3) middles of the shortest connections of two bundles of rays.

    Args:
        start_a, start_b: (3,) where each bundle starts. ray_a, ray_b: (N, 3) unit directions.
    """
    between = start_b - start_a
    cos = (ray_a * ray_b).sum(axis=-1)
    along_a, along_b = ray_a @ between, ray_b @ between
    sin2 = np.maximum(1.0 - cos**2, 1e-9)
    far_a = (along_a - cos * along_b) / sin2
    far_b = (cos * along_a - along_b) / sin2
    return 0.5 * (start_a + far_a[:, None] * ray_a + start_b + far_b[:, None] * ray_b)


def _agreeing(
    views: Sequence[View],
    points: np.ndarray,
    px: np.ndarray,
    weight: np.ndarray,
    tolerance_px: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Per view the mean of the sightings near the projection (V, N, 2), and their best weight."""
    there = np.stack([v.project(points) for v in views])[:, None]
    near = np.linalg.norm(px - there, axis=-1) <= tolerance_px
    w = np.where(near, weight, 0.0)
    total = w.sum(axis=1)
    mean = (w[..., None] * np.nan_to_num(px)).sum(axis=1) / np.maximum(total, 1e-9)[..., None]
    return np.where(total[..., None] > 0, mean, np.nan), w.max(axis=1)

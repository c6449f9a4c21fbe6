"""The athlete once more, from both networks: landmarks and YOLO's keypoints, each and together.

A joint is not the same point of the body to both. So each network's points are triangulated on
their own; the landmarks are then moved by what lies between the two, in the frame of their own part
of the body, to where YOLO has COCO's points; and the truth is triangulated from both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.geometry.skeletons import COCO17, LANDMARK33
from multiview.between import seen_offsets
from multiview.geometry import View
from multiview.paths import Paths, few, filled, follow
from multiview.segments import Offset, moved, offsets
from multiview.truth import (
    MAX_RESIDUAL_PX,
    MIN_VIEWS,
    Truth,
    jumps,
    refine_cameras,
    stretched,
)

BODY = [n for n, name in enumerate(LANDMARK33) if n >= LANDMARK33.index("left_shoulder")]
"""The landmarks that move the cameras: the face is hidden from the cameras behind the athlete."""
MIN_SHARE = 0.15
"""A view agrees if so much of its sightings' weight is near the point."""


@dataclass(frozen=True)
class SecondTruth:
    """T frames."""

    views: Sequence[View]
    yolo: Paths
    """The 17 points of YOLO's keypoints alone."""
    landmarks: Paths
    """The 33 points of the landmark networks alone."""
    between: dict[str, np.ndarray]
    """YOLO's places from the landmarks', (3,) metres for each part: by so much they are moved."""
    apart: dict[str, Offset]
    """The same as the difference of `yolo` and `landmarks`, with its spread over frames."""
    both: Paths
    """The 17 points from both."""
    truth: Truth
    rms_px: dict[str, tuple[float, float]]
    """Of the bundle adjustment, before and after."""


def guide_of(truth: Truth) -> np.ndarray:
    """(T, 17, 3) the first truth, its doubtful joints between their neighbours in time; metres."""
    points = np.where(truth.good[..., None], truth.points, np.nan)
    known = np.isfinite(points).all(axis=-1).any(axis=0)
    for j in np.flatnonzero(known):
        points[:, j] = filled(points[:, j])
    return points


def refine_on_both(
    rough: Sequence[View],
    yolo: tuple[np.ndarray, np.ndarray],
    landmarks: tuple[np.ndarray, np.ndarray],
) -> tuple[list[View], dict[str, tuple[float, float]]]:
    """Bundle adjustment on both networks' points: px (V, K, T, J, 2), weight (V, K, T, J)."""
    px, weight = few(landmarks[0][..., BODY, :], landmarks[1][..., BODY])
    more = yolo[0].shape[1] - px.shape[1]
    px = np.pad(px, [(0, 0), (0, more), (0, 0), (0, 0), (0, 0)], constant_values=np.nan)
    weight = np.pad(weight, [(0, 0), (0, more), (0, 0), (0, 0)])
    return refine_cameras(
        rough,
        np.concatenate([yolo[0], px], axis=3),
        np.concatenate([yolo[1], weight], axis=3),
    )


def find_second(
    views: Sequence[View],
    yolo: tuple[np.ndarray, np.ndarray],
    landmarks: tuple[np.ndarray, np.ndarray],
    fps: float,
    rms_px: dict[str, tuple[float, float]] | None = None,
) -> SecondTruth:
    """Each network alone, the offsets, and both together, in cameras that are refined already."""
    alone = follow(views, *yolo, fps)
    ours = follow(views, *landmarks, fps)
    use = agreed(alone) & agreed(ours)[:, [LANDMARK33.index(n) for n in COCO17]]
    between = seen_offsets(views, *yolo, ours.points)
    px, weight = shifted(views, landmarks, ours.points, between)
    both = follow(views, *together(yolo, (px, weight)), fps)
    good = agreed(both)
    good &= ~stretched(both.points, good)
    truth = Truth(views, both.points, good & ~jumps(both.points, good))
    apart = offsets(alone.points, ours.points, use)
    return SecondTruth(views, alone, ours, between, apart, both, truth, rms_px or {})


def agreed(paths: Paths) -> np.ndarray:
    """(T, N) points near which enough views see them."""
    near = (paths.share >= MIN_SHARE) & (np.nan_to_num(paths.off_px, nan=np.inf) < np.inf)
    square = np.where(near, np.nan_to_num(paths.off_px), 0.0) ** 2
    rms = np.sqrt(square.sum(axis=0) / np.maximum(near.sum(axis=0), 1))
    return (near.sum(axis=0) >= MIN_VIEWS) & (rms <= MAX_RESIDUAL_PX)


def shifted(
    views: Sequence[View],
    landmarks: tuple[np.ndarray, np.ndarray],
    points: np.ndarray,
    by: dict[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The sightings of landmarks (V, K, T, 33, ...) as if of COCO's points: (V, K, T, 17, ...)."""
    named = [LANDMARK33.index(n) for n in COCO17]
    there = moved(points, by)
    shift = np.stack([v.project(there) - v.project(points[:, named]) for v in views])
    return landmarks[0][..., named, :] + shift[:, None], landmarks[1][..., named]


def together(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Sightings of the same points by two networks, each network with half of the weight."""
    num = a[1].shape[1] + b[1].shape[1]
    weights = [w * num / (2 * w.shape[1]) for _, w in (a, b)]
    return np.concatenate([a[0], b[0]], axis=1), np.concatenate(weights, axis=1)

"""The body fitted to one sighting each of many people, projected back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eftvideo.fit import fit_tracks
from eftvideo.geometry.camera import Camera
from eftvideo.setup import Setup
from eftvideo.types import Detections
from eftvideo.types.track import Timeline, Track, Tracks

SIDE_PX = 1000
"""Photos are brought to this diagonal, their middle to the middle of a square picture: all of them
are then seen by one camera as the program would take each of them to be."""


def setup_of_photos(setup: Setup) -> Setup:
    """With the camera of the square picture, and no frame before to start from."""
    cold = replace(setup.cfg, fit=replace(setup.cfg.fit, warm_start=False))
    return replace(setup, cfg=cold, camera=Camera(float(SIDE_PX), SIDE_PX, SIDE_PX))


def projected(
    people: Sequence[Detections], sizes_px: Sequence[tuple[int, int]], setup: Setup
) -> np.ndarray:
    """COCO's points of the fitted bodies, (P, 17, 2) px of each one's photo; NaN: no body.

    Args:
        people: P sightings, one person each. sizes_px: width, height of each one's photo.
        setup: from `setup_of_photos`.
    """
    num = len(people)
    out = np.full((num, 17, 2), np.nan)
    for person in fit_tracks(one_each(people, sizes_px), setup).people:
        points = person.bodies.keypoints3d[0, :17].astype(float)
        row = int(person.track.at[0])
        scale, shift = moved(sizes_px[row])
        pixels = setup.camera.focal_length_px * points[:, :2] / points[:, 2:] + SIDE_PX / 2
        out[row] = (pixels - shift) / scale
    return out


def one_each(people: Sequence[Detections], sizes_px: Sequence[tuple[int, int]]) -> Tracks:
    """P people, one sighting each, in frames of their own: those of the square picture."""
    at = np.arange(len(people))
    timeline = Timeline(at, at.astype(float), at > 0)
    tracks = tuple(
        Track(
            i + 1, i, at[i : i + 1], at[i : i + 1], timeline.time_s[i : i + 1],
            _placed(one, *moved(size)),
        ).named(i + 1)
        for i, (one, size) in enumerate(zip(people, sizes_px, strict=True))
    )  # fmt: skip
    return Tracks(timeline, tracks)


def moved(size_px: tuple[int, int]) -> tuple[float, np.ndarray]:
    """Scale and shift from a photo to the square picture."""
    scale = SIDE_PX / float(np.hypot(*size_px))
    return scale, SIDE_PX / 2 - scale * np.array(size_px) / 2


def _placed(one: Detections, scale: float, shift: np.ndarray) -> Detections:
    def to_square(points: np.ndarray) -> np.ndarray:
        return (points.astype(float) * scale + shift).astype(np.float32)

    keypoints, points2d = one.keypoints.copy(), one.landmarks.points2d.copy()
    keypoints[..., :2] = to_square(keypoints[..., :2])
    points2d[..., :2] = to_square(points2d[..., :2])
    marks = replace(one.landmarks, points2d=points2d)
    box = to_square(one.xyxy.reshape(-1, 2, 2)).reshape(-1, 4)
    return replace(one, xyxy=box, keypoints=keypoints, landmarks=marks)

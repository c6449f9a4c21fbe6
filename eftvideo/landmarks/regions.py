"""Square, turned parts of a frame that the landmark network looks at, and the way back.

Places are px from the outer corner of the frame's first pixel, or of the crop's. The network was
trained on crops in which the person stands upright round the middle of the hips, the farthest point
of the body at 1/1.25 of half the side; its points 33 and 34 tell the region for the next look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from eftvideo.geometry.skeletons import COCO17
from eftvideo.landmarks.looked import SIZE_PX

MARGIN = 1.25
"""Half the side of a region, in distances from its middle to point 34 (MediaPipe's rule)."""
FIRST_MARGIN = 1.1
"""A body reaches this much farther than the farthest of 17 keypoints: to hands, feet, crown."""
MIN_SCORE = 0.3
"""Keypoints with a lower score say nothing about a first region."""
MIN_BELIEVED = 5
"""With fewer keypoints the box's edges count too."""
_HIPS = [COCO17.index(name) for name in ("left_hip", "right_hip")]
_SHOULDERS = [COCO17.index(name) for name in ("left_shoulder", "right_shoulder")]
_MOST_TIMES = 8


@dataclass(frozen=True)
class Region:
    """Where a crop lies in a frame."""

    center_px: tuple[float, float]
    side_px: float
    angle_rad: float
    """How far the crop is turned, clockwise as one sees it: its up is (sin, -cos) in the frame."""

    @property
    def axes(self) -> np.ndarray:
        """(2, 2) the crop's x and y directions in the frame, a row each."""
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return np.array([[cos, sin], [-sin, cos]])

    @property
    def to_crop(self) -> np.ndarray:
        """(2, 3) affine, from px of the frame to px of the crop."""
        turn = SIZE_PX / self.side_px * self.axes
        return np.column_stack([turn, SIZE_PX / 2.0 - turn @ np.array(self.center_px)])


def region_from_circle(middle_px: np.ndarray, on_circle_px: np.ndarray) -> Region:
    """(2,) and (2,) points 33 and 34 of the last look, px of the frame."""
    return _region(
        middle_px, on_circle_px - middle_px, float(np.hypot(*(on_circle_px - middle_px)))
    )


def region_from_keypoints(keypoints: np.ndarray, xyxy: np.ndarray) -> Region:
    """The first look at a person: round the hips, upright along the torso.

    Args:
        keypoints: (17, 3) COCO: x px, y px, score. xyxy: (4,) the person's box, px; its middle and
            its edges stand in where too few keypoints are believed.
    """
    xy, believed = keypoints[:, :2].astype(float), keypoints[:, 2] >= MIN_SCORE
    hips, shoulders = (xy[part][believed[part]] for part in (_HIPS, _SHOULDERS))
    corners = xyxy.astype(float).reshape(2, 2)
    middle = hips.mean(axis=0) if len(hips) else corners.mean(axis=0)
    up = shoulders.mean(axis=0) - middle if len(hips) and len(shoulders) else np.zeros(2)
    far = FIRST_MARGIN * max((math.dist(point, middle) for point in xy[believed]), default=0.0)
    if believed.sum() < MIN_BELIEVED:
        far = max(far, float(np.abs(corners - middle).max()))
    return _region(middle, up, far)


def _region(middle: np.ndarray, up: np.ndarray, far: float) -> Region:
    angle = math.atan2(up[0], -up[1]) if np.hypot(*up) > 0.0 else 0.0
    return Region((float(middle[0]), float(middle[1])), 2.0 * MARGIN * max(far, 1.0), angle)


def cut(image: np.ndarray, region: Region) -> np.ndarray:
    """(256, 256, 3) uint8 of an (H, W, 3) uint8 picture; black outside of it.

    What is shrunk to less than half is drawn larger first, then averaged.
    """
    times = max(1, min(_MOST_TIMES, math.floor(region.side_px / SIZE_PX)))
    large = times * region.to_crop
    # OpenCV's places are those of the pixels' middles, ours of their corners.
    large[:, 2] += large[:, :2] @ [0.5, 0.5] - 0.5
    size = (times * SIZE_PX, times * SIZE_PX)
    pixels = cv2.warpAffine(image, large, size, flags=cv2.INTER_LINEAR)
    if times == 1:
        return pixels
    return cv2.resize(pixels, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)


def points_in_frame(points: np.ndarray, region: Region) -> np.ndarray:
    """(..., 2 or 3) x, y px of the crop, and z if it is there, in px of the frame."""
    scale = region.side_px / SIZE_PX
    xy = (points[..., :2] - SIZE_PX / 2.0) * scale @ region.axes + np.array(region.center_px)
    return np.concatenate([xy, points[..., 2:] * scale], axis=-1)


def points_in_crop(points: np.ndarray, region: Region) -> np.ndarray:
    """(..., 2) px of the frame in px of the crop."""
    return points @ region.to_crop[:, :2].T + region.to_crop[:, 2]


def turned_upright(world: np.ndarray, region: Region) -> np.ndarray:
    """(..., 3) metres in the crop's axes along the picture's: x right, y down, z away."""
    return np.concatenate([world[..., :2] @ region.axes, world[..., 2:]], axis=-1)

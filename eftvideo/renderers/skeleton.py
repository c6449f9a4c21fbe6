"""People as stick figures of the keypoints that the detector saw; needs no OpenGL."""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.skeletons import COCO17_BONES, COCO17_FACE
from eftvideo.renderers import DrawnPerson
from eftvideo.renderers._flat import FlatRenderer
from eftvideo.renderers._paint import Stroke, strokes

MIN_SCORE = 0.3
"""Keypoints below are not drawn: the detector guesses hidden joints with low scores."""
_WIDTH_PER_SIZE = 1 / 70
"""Line width over the larger side of the person."""
_MIN_WIDTH_PX, _MAX_WIDTH_PX = 1.5, 9.0


class Model(FlatRenderer):
    """Draws the keypoints and bones of a frame's people into its picture.

    People without keypoints are left out, and so are keypoints below MIN_SCORE.
    """

    def paint(self, canvas: np.ndarray, person: DrawnPerson) -> None:
        """Paint one person onto the canvas."""
        if person.keypoints2d is not None:
            figure = figure_strokes(person.keypoints2d, person.colour)
            strokes(canvas, figure, self._opacity)


def figure_strokes(keypoints2d: np.ndarray, colour: tuple[float, float, float]) -> list[Stroke]:
    """Lines and dots of one person's (17, 3) keypoints, in the order to paint them.

    The person's right side is darker, so that left and right can be told apart.
    """
    points = keypoints2d[:, :2]
    seen = (keypoints2d[:, 2] >= MIN_SCORE) & np.isfinite(points).all(axis=1)
    if not seen.any():
        return []
    extent = float((points[seen].max(axis=0) - points[seen].min(axis=0)).max())
    width = float(np.clip(extent * _WIDTH_PER_SIZE, _MIN_WIDTH_PX, _MAX_WIDTH_PX))
    bones: list[Stroke] = []
    for a, b in COCO17_BONES:
        if seen[a] and seen[b]:
            side = _darker(colour) if a % 2 == 0 and b % 2 == 0 and b > 0 else colour
            thin = 0.6 if a in COCO17_FACE else 1.0
            bones.append(Stroke(_xy(points[a]), _xy(points[b]), width * thin, side))
    dots = [
        Stroke(_xy(points[k]), _xy(points[k]), width * (1.2 if k in COCO17_FACE else 1.9), colour)
        for k in np.flatnonzero(seen)
    ]
    return bones + dots


def _xy(point: np.ndarray) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def _darker(colour: tuple[float, float, float]) -> tuple[float, float, float]:
    return 0.68 * colour[0], 0.68 * colour[1], 0.68 * colour[2]

"""People as stick figures of the fitted body's own 24 joints; needs no OpenGL.

Unlike `skeleton`, which shows what the detector saw, this shows what was fitted, in any view.
"""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.skeletons import SMPL24, SMPL24_PARENTS
from eftvideo.renderers import DrawnPerson
from eftvideo.renderers._flat import FlatRenderer
from eftvideo.renderers._paint import Stroke, strokes

_WIDTH_PER_SIZE = 1 / 60
"""Line width over the larger side of the person."""
_MIN_WIDTH_PX, _MAX_WIDTH_PX = 1.5, 9.0


class Model(FlatRenderer):
    """Draws the joints and bones of a frame's bodies; people without joints are left out."""

    def paint(self, canvas: np.ndarray, person: DrawnPerson) -> None:
        """Bones first, dots over them; the person's right side is darker."""
        if person.joints_cam is None:
            return
        points = self.pixels(person.joints_cam, person.focal_length_px)
        seen = np.atleast_1d(np.isfinite(points).all(axis=1))
        if not seen.any():
            return
        extent = float(np.ptp(points[seen], axis=0).max())
        width = float(np.clip(extent * _WIDTH_PER_SIZE, _MIN_WIDTH_PX, _MAX_WIDTH_PX))
        xy = [(float(x), float(y)) for x, y in points]
        figure = [
            Stroke(xy[parent], xy[joint], width, _shade(person, joint))
            for joint, parent in enumerate(SMPL24_PARENTS)
            if parent >= 0 and seen[joint] and seen[parent]
        ]
        figure += [
            Stroke(xy[joint], xy[joint], 1.9 * width, _shade(person, int(joint)))
            for joint in np.flatnonzero(seen)
        ]
        strokes(canvas, figure, self._opacity)


def _shade(person: DrawnPerson, joint: int) -> tuple[float, float, float]:
    red, green, blue = person.colour
    dim = 0.68 if SMPL24[joint].startswith("right_") else 1.0
    return dim * red, dim * green, dim * blue

"""The way that some joints of each body came, thinner the longer ago; needs no OpenGL."""

from __future__ import annotations

import numpy as np

from eftvideo.renderers import DrawnPerson
from eftvideo.renderers._flat import FlatRenderer
from eftvideo.renderers._paint import Stroke, strokes

_WIDTH_PER_HEIGHT = 1 / 160
"""Width of the newest piece over the picture's height."""


class Model(FlatRenderer):
    """Draws `trails_cam` of a frame's people; people without are left out."""

    def paint(self, canvas: np.ndarray, person: DrawnPerson) -> None:
        """One line for each joint."""
        if person.trails_cam is None or len(person.trails_cam) < 2:
            return
        points = self.pixels(person.trails_cam, person.focal_length_px)
        newest = max(2.0, self._size[1] * _WIDTH_PER_HEIGHT)
        last = len(points) - 1
        figure = [
            Stroke(
                (float(points[t, k, 0]), float(points[t, k, 1])),
                (float(points[t + 1, k, 0]), float(points[t + 1, k, 1])),
                max(1.0, newest * (t + 1) / last),
                person.colour,
            )
            for t in range(last)
            for k in range(points.shape[1])
            if np.isfinite(points[t : t + 2, k]).all()
        ]
        strokes(canvas, figure, self._opacity)

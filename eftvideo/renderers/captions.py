"""A few words above each person's head; needs no OpenGL."""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.skeletons import SMPL24
from eftvideo.renderers import DrawnPerson
from eftvideo.renderers._flat import FlatRenderer
from eftvideo.renderers._paint import words

_ABOVE_HEAD_M = 0.25
"""The head's joint is in the neck of the skull; the words start above the hair."""
_HEIGHT_PER_PICTURE, _MIN_HEIGHT_PX = 1 / 38, 12.0


class Model(FlatRenderer):
    """Writes `caption` of a frame's people; people without words or joints are left out."""

    def paint(self, canvas: np.ndarray, person: DrawnPerson) -> None:
        """The words stay inside the picture if the head is in it."""
        if person.joints_cam is None or not person.caption:
            return
        head = person.joints_cam[SMPL24.index("head")]
        x, y = self.pixels(head, person.focal_length_px)
        if not (np.isfinite(y) and 0 <= x < self._size[0] and 0 <= y < self._size[1]):
            return
        height = max(_MIN_HEIGHT_PX, self._size[1] * _HEIGHT_PER_PICTURE)
        top = y - person.focal_length_px * _ABOVE_HEAD_M / float(head[2])
        place = float(x), float(max(1.6 * height, top))
        words(canvas, person.caption, place, height, person.colour, self._opacity)

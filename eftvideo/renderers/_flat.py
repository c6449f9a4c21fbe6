"""What the renderers share that draw lines and words into the picture without OpenGL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eftvideo.renderers import DrawnPerson

if TYPE_CHECKING:
    from typing_extensions import Self

NEAR_M = 0.05
"""Points nearer to the camera have no place in the picture."""


class FlatRenderer(ABC):
    """A renderer that paints each person with `paint`, which a subclass has.

    Args:
        faces: not used; renderers are all made alike.
        width_px, height_px: size of the pictures.
        opacity: how much a figure hides of what is behind it, 0..1.
    """

    def __init__(
        self, faces: np.ndarray | None, width_px: int, height_px: int, opacity: float
    ) -> None:
        self._size = (width_px, height_px)
        self._opacity = opacity

    def draw(self, image: np.ndarray, people: list[DrawnPerson]) -> np.ndarray:
        """A copy of `image` ((H, W, 3) uint8 RGB) with the people drawn in."""
        if image.shape != (self._size[1], self._size[0], 3):
            raise ValueError(
                f"image must have shape {(self._size[1], self._size[0], 3)}, but got {image.shape}"
            )
        canvas = image.copy()
        for person in people:
            self.paint(canvas, person)
        return canvas

    @abstractmethod
    def paint(self, canvas: np.ndarray, person: DrawnPerson) -> None:
        """Paint one person onto the canvas."""

    def close(self) -> None:  # noqa: B027 - a subclass that holds nothing need not say so
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def pixels(self, points_cam: np.ndarray, focal_length_px: float) -> np.ndarray:
        """(..., 3) points of the camera frame to (..., 2) px; NaN where they cannot be seen."""
        depth = np.where(points_cam[..., 2:] > NEAR_M, points_cam[..., 2:], np.nan)
        return points_cam[..., :2] / depth * focal_length_px + np.array(self._size) / 2.0

"""Drawing people into a picture: what a renderer gets and what it must do."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from eftvideo.renderers._hidden import Hidden
from eftvideo.renderers._palette import Colour, track_colour

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Colour", "DrawnPerson", "Hidden", "Renderer", "track_colour"]


@dataclass(frozen=True)
class DrawnPerson:
    """One person of one frame, as a renderer wants them."""

    track_id: int
    colour: Colour
    """Red, green, blue in 0..1; see `track_colour`."""
    focal_length_px: float
    """Of the full frame; the principal point is its middle."""
    vertices_cam: np.ndarray | None = None
    """(V, 3) metres, camera frame (x right, y down, z forward); None: there is no body."""
    keypoints2d: np.ndarray | None = None
    """(17, 3) x px, y px, score in 0..1, COCO order; None: there are none."""
    joints_cam: np.ndarray | None = None
    """(24, 3) SMPL's joints, metres, camera frame."""
    trails_cam: np.ndarray | None = None
    """(T, K, 3) where K joints were, oldest first, metres, camera frame."""
    caption: str = ""
    """Words above the head."""
    hidden: Hidden | None = None
    """What others hide of the body; None: nothing."""


class Renderer(Protocol):
    """A module of this folder has a class `Model` with these methods.

    It is made as `Model(faces, width_px, height_px, opacity)`: faces (F, 3) of the body's mesh,
    the size of the pictures, and how much people cover the picture (0..1). Making it raises
    MissingDependencyError if the machine lacks what it needs.
    """

    def draw(self, image: np.ndarray, people: list[DrawnPerson]) -> np.ndarray:
        """A copy of `image` ((H, W, 3) uint8 RGB) with the people drawn in."""
        ...

    def close(self) -> None:
        """Gives back what it holds; drawing is over."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

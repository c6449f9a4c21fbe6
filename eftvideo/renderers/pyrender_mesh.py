"""Bodies as shaded meshes, drawn off screen by OpenGL in the person's true place.

pyrender gives the context (see `_gl.py`); drawing is done here with buffers that live as long as
the renderer, because building pyrender's scene anew for each frame costs ten times the drawing.
People who overlap are drawn together with one depth buffer, in the rectangle that they cover.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eftvideo.renderers import DrawnPerson
from eftvideo.renderers._gl import context, probe_gl
from eftvideo.renderers._normals import VertexNormals
from eftvideo.renderers._paint import blend

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Model", "probe_gl"]

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole px; x1 and y1 are outside."""
NEAR_M = 0.05
"""What is nearer to the camera is cut away."""
_MARGIN_PX = 2
_LEAST_ZOOM = 1.4
_DRAWN_PIXELS = 600_000


class Model:
    """Draws the bodies of a frame into its picture.

    Args:
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        width_px, height_px: size of the pictures.
        opacity: how much a body hides of what is behind it, 0..1.

    Raises:
        MissingDependencyError: no OpenGL on this machine; names the library and its package.
    """

    edges_only = False

    def __init__(self, faces: np.ndarray, width_px: int, height_px: int, opacity: float) -> None:
        self._size = (width_px, height_px)
        self._opacity = opacity
        self._faces = np.ascontiguousarray(faces, np.int64)
        self._normals: VertexNormals | None = None
        self._gl = context()
        # PyOpenGL binds to a platform when imported, so not before the context has chosen one.
        from eftvideo.renderers._mesh_pass import MeshPass, Placed

        self._placed = Placed

        with self._gl.current():
            self._pass = MeshPass(self._faces, width_px, height_px, NEAR_M, self.edges_only)

    def draw(self, image: np.ndarray, people: list[DrawnPerson]) -> np.ndarray:
        """A copy of `image` ((H, W, 3) uint8 RGB) with the people drawn in.

        People without a body, with a coordinate that is not finite, behind the camera or outside
        the picture are left out.
        """
        if image.shape != (self._size[1], self._size[0], 3):
            raise ValueError(
                f"image must have shape {(self._size[1], self._size[0], 3)}, but got {image.shape}"
            )
        seen, boxes, bodies = [], [], []
        for person in people:
            rows = _rows(person)
            box = None if rows is None else covered_box(rows, person.focal_length_px, *self._size)
            if rows is not None and box is not None:
                seen.append(person)
                boxes.append(box)
                bodies.append(self._interleaved(rows))
        canvas = image.copy()
        if not seen:
            return canvas
        with self._gl.current():
            self._pass.upload(np.stack(bodies))
            for members, box in clusters(boxes):
                drawn = [
                    self._placed(i, p.colour, p.focal_length_px, p.hidden and p.hidden.part(box))
                    for i, p in ((i, seen[i]) for i in members)
                ]
                rgba = self._pass.draw(drawn, box, drawing_size(box))
                blend(canvas, box, rgba, self._opacity)
        return canvas

    def close(self) -> None:
        """Frees the buffers."""
        with self._gl.current():
            self._pass.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _interleaved(self, rows: np.ndarray) -> np.ndarray:
        """(V, 6) float32 position and normal of vertices given as (3, V)."""
        if self._normals is None:
            self._normals = VertexNormals(self._faces, rows.shape[1])
        return np.concatenate([rows, self._normals(rows)]).T


def _rows(person: DrawnPerson) -> np.ndarray | None:
    """(3, V) float32 vertices, or None if there are none or not all are finite."""
    if person.vertices_cam is None:
        return None
    rows = np.ascontiguousarray(person.vertices_cam.T, np.float32)
    return rows if np.isfinite(rows).all() else None


def covered_box(
    rows: np.ndarray, focal_length_px: float, width_px: int, height_px: int
) -> Box | None:
    """The part of the picture that vertices (3, V) may cover; None if they are outside."""
    depth = rows[2]
    if depth.max() <= NEAR_M:
        return None
    if depth.min() <= NEAR_M:
        return 0, 0, width_px, height_px  # passes the camera: its outline has no bound
    limits = np.array([width_px, height_px])
    points = rows[:2] * (focal_length_px / depth) + limits[:, None] / 2
    low = np.clip(np.floor(points.min(axis=1)) - _MARGIN_PX, 0, limits)
    high = np.clip(np.ceil(points.max(axis=1)) + _MARGIN_PX, 0, limits)
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def drawing_size(box: Box) -> tuple[int, int]:
    """(w, h) at which a box is drawn before it is shrunk to its own size: twice as large, less
    for boxes so large that the time would tell more than the edges.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    zoom = min(2.0, max(_LEAST_ZOOM, math.sqrt(_DRAWN_PIXELS / (width * height))))
    return round(width * zoom), round(height * zoom)


def clusters(boxes: list[Box]) -> list[tuple[list[int], Box]]:
    """Groups of boxes that overlap, as (indices, the box around them); groups do not overlap."""
    groups: list[tuple[list[int], Box]] = []
    for i, box in enumerate(boxes):
        members = [i]
        while touching := next((g for g in groups if _overlap(g[1], box)), None):
            groups.remove(touching)
            members, other = touching[0] + members, touching[1]
            box = (
                *(min(box[0], other[0]), min(box[1], other[1])),
                *(max(box[2], other[2]), max(box[3], other[3])),
            )
        groups.append((members, box))
    return groups


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

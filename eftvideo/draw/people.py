"""The people of a result as they are drawn: what a layer may want of each, and the layers."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from eftvideo import plugins
from eftvideo.bodies import BodyModel
from eftvideo.config import DrawConfig
from eftvideo.draw.behind import Behind
from eftvideo.errors import MissingDependencyError
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.renderers import DrawnPerson, Renderer, track_colour
from eftvideo.results.posing import vertices
from eftvideo.results.result import Result
from eftvideo.types import FILLED, REJECTED

log = logging.getLogger(__name__)

LAYERS = {
    "mesh": "pyrender_mesh",
    "wireframe": "wireframe",
    "skeleton": "skeleton",
    "bones": "bones",
    "trails": "trails",
    "error": "captions",
}
"""What `render --draw` may name, and the renderer of each. skeleton: the detector's keypoints."""

_NEED_GL = ("mesh", "wireframe")
_BY_RUN = {"mesh": ("mesh",), "skeleton": ("skeleton",), "both": ("mesh", "skeleton")}
POSE_BATCH = 64
"""Rows posed at once: enough to be fast, few enough to need little memory."""
_TRAILED = tuple(
    SMPL24.index(n) for n in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
)


def drawn_by_run(render: DrawConfig) -> tuple[str, ...]:
    """The layers of a run's own overlay, by their names in LAYERS."""
    return _BY_RUN[render.mode]


def make_layers(
    draw: tuple[str, ...],
    body: BodyModel,
    size: tuple[int, int],
    opacity: float,
    *,
    own_view: bool = True,
) -> list[Renderer]:
    """The renderers of the layers that `draw` names, in that order.

    The detector's keypoints have no place in another view than the clip's own: bones are drawn for
    them there. Where there is no OpenGL, the same figure is drawn in the place of bodies.

    Args:
        draw: keys of LAYERS.
        body: whose mesh is drawn.
        size: (width, height) of the pictures, px.
        opacity: how much people cover the picture, 0..1.
        own_view: whether the pictures are seen by the clip's camera.
    """
    figure, figures = ("skeleton", "keypoint skeletons") if own_view else ("bones", "bones")
    layers: dict[str, Renderer] = {}

    def add(name: str) -> None:
        if name not in layers:
            layers[name] = plugins.load("renderers", LAYERS[name])(body.faces, *size, opacity)

    for name in draw:
        try:
            add(figure if name == "skeleton" else name)
        except MissingDependencyError as e:
            if name not in _NEED_GL:
                raise
            log.warning("no %s can be drawn, %s are drawn instead: %s", name, figures, e)
            add(figure)
    return list(layers.values())


class DrawnPeople:
    """The people of each frame, posed a batch of rows at a time as frames come in order.

    Args:
        result: whom to draw.
        body: the model that the result was made with.
        trail_s: trails show this much of the past, seconds; None: there are none.
        behind: tells what is hidden of whom; None: nothing is.
    """

    def __init__(
        self,
        result: Result,
        body: BodyModel,
        trail_s: float | None = None,
        behind: Behind | None = None,
    ) -> None:
        self._result, self._body, self._trail_s, self._behind = result, body, trail_s, behind
        self._posed: dict[int, np.ndarray] = {}

    def of_frame(self, frame: int) -> list[DrawnPerson]:
        """The people of one frame, by its index in the file."""
        first, end = np.searchsorted(self._result.frame, [frame, frame + 1])
        hidden = self._behind.of_frame(frame) if self._behind and end > first else {}
        people = [self._person(row) for row in range(first, end)]
        return [replace(p, hidden=hidden.get(p.track_id)) for p in people]

    def _person(self, row: int) -> DrawnPerson:
        r = self._result
        track_id = int(r.track_id[row])
        return DrawnPerson(
            track_id=track_id,
            colour=track_colour(track_id),
            focal_length_px=float(r.focal_length_px[row]),
            vertices_cam=self._vertices(row),
            keypoints2d=r.keypoints2d[row],
            joints_cam=r.joints3d[row],
            trails_cam=self._trails(row),
            caption=self._caption(row),
        )

    def _vertices(self, row: int) -> np.ndarray:
        if row not in self._posed:
            rows = slice(row, row + POSE_BATCH)
            self._posed = dict(enumerate(vertices(self._result, self._body, rows), start=row))
        return self._posed[row]

    def _trails(self, row: int) -> np.ndarray | None:
        if self._trail_s is None:
            return None
        r = self._result
        past = np.flatnonzero(r.track_id[: row + 1] == r.track_id[row])
        past = past[r.time_s[past] >= r.time_s[row] - self._trail_s]
        return r.joints3d[np.ix_(past, np.array(_TRAILED))]

    def _caption(self, row: int) -> str:
        r = self._result
        if r.status[row] == FILLED:
            return f"{r.track_id[row]}: filled in"
        rejected = " rejected" if r.status[row] == REJECTED else ""
        return f"{r.track_id[row]}: {r.loss_px[row]:.1f} px{rejected}"

"""The pictures of which `eftvideo render` makes a grid: one view each, with its layers."""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eftvideo import plugins
from eftvideo.bodies import BodyModel
from eftvideo.config import RenderConfig, RerenderConfig
from eftvideo.errors import MissingDependencyError
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.overlay import DrawnPeople
from eftvideo.renderers import DrawnPerson, Renderer
from eftvideo.rerender_views import View, fit_ground, floor_lines, make_view
from eftvideo.types import FILLED, REJECTED, VideoFrame
from eftvideo.types.result import Result
from eftvideo.video.images import draw_lines, resize, write_words

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

LAYERS = {
    "mesh": "pyrender_mesh",
    "wireframe": "wireframe",
    "skeleton": "skeleton",
    "bones": "bones",
    "trails": "trails",
    "error": "captions",
}
"""What `--draw` may name, and the renderer of each. skeleton: the detector's keypoints."""

_NEED_GL = ("mesh", "wireframe")
_TRAILED = tuple(
    SMPL24.index(n) for n in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
)
_GROUND_RGB, _LINE_RGB, _WORDS_RGB = (236, 238, 241), (205, 209, 215), (95, 100, 108)


class Cast:
    """The people of each frame with all that a layer may want."""

    def __init__(self, result: Result, body: BodyModel, cfg: RerenderConfig) -> None:
        self._result, self._cfg = result, cfg
        self._bodies = DrawnPeople(result, body)

    def of_frame(self, frame: int) -> list[DrawnPerson]:
        """The people of one frame, by its index in the file."""
        first = int(np.searchsorted(self._result.frame, frame))
        return [
            replace(
                person,
                joints_cam=self._result.joints3d[first + i],
                trails_cam=self._trails(first + i),
                caption=self._caption(first + i),
            )
            for i, person in enumerate(self._bodies.of_frame(frame))
        ]

    def _trails(self, row: int) -> np.ndarray | None:
        if "trails" not in self._cfg.draw:
            return None
        r = self._result
        past = np.flatnonzero(r.track_id[: row + 1] == r.track_id[row])
        past = past[r.time_s[past] >= r.time_s[row] - self._cfg.trail_s]
        return r.joints3d[np.ix_(past, np.array(_TRAILED))]

    def _caption(self, row: int) -> str:
        r = self._result
        if r.status[row] == FILLED:
            return f"{r.track_id[row]}: filled in"
        rejected = " rejected" if r.status[row] == REJECTED else ""
        return f"{r.track_id[row]}: {r.loss_px[row]:.1f} px{rejected}"


class Panel:
    """One view; draws its layers over the clip's picture or over plain ground."""

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        result: Result,
        body: BodyModel,
        cfg: RerenderConfig,
        render: RenderConfig,
    ) -> None:
        self.name, self.size = name, size
        self._result, self._cfg = result, cfg
        self._scale = size[0] / result.width_px
        self._ground = fit_ground(result)
        self._view: View = make_view(name, result, self._ground, size)
        self._still: np.ndarray | None = None
        opacity = render.opacity if self._on_clip else 1.0
        self._layers = _layers(cfg.draw, name, body, size, opacity)

    @property
    def _on_clip(self) -> bool:
        return self.name == "overlay" and not self._cfg.plain

    def draw(self, frame: VideoFrame, people: list[DrawnPerson]) -> np.ndarray:
        """(h, w, 3) uint8 RGB picture of one frame."""
        if self.name == "turntable":
            turn = frame.time_s / self._cfg.turn_s % 1.0
            view = make_view("turntable", self._result, self._ground, self.size, turn)
            # The framing does not change on the way round; only the camera's place does.
            self._view = replace(self._view, rotation=view.rotation)
            self._still = None
        image = resize(frame.image, *self.size) if self._on_clip else self._ground_picture()
        drawn = [self._seen(person) for person in people]
        for layer in self._layers if drawn else []:
            image = layer.draw(image, drawn)
        return image

    def _seen(self, person: DrawnPerson) -> DrawnPerson:
        if self.name != "overlay":
            return self._view.person(person)
        if self._scale == 1.0 or person.keypoints2d is None:
            return person
        scaled = person.keypoints2d * np.array([self._scale, self._scale, 1.0], np.float32)
        focal = person.focal_length_px * self._scale
        return replace(person, keypoints2d=scaled, focal_length_px=focal)

    def _ground_picture(self) -> np.ndarray:
        if self._still is None:
            canvas = np.full((self.size[1], self.size[0], 3), _GROUND_RGB, np.uint8)
            focal = self._view.focal_length_px
            if focal is None:
                focals = self._result.focal_length_px
                focal = float(focals[0]) * self._scale if len(focals) else float(self.size[0])
            lines = floor_lines(self._ground, self._result, self._view, focal, self.size)
            draw_lines(canvas, lines, _LINE_RGB)
            write_words(canvas, self.name, (8, self.size[1] - 10), _WORDS_RGB)
            self._still = canvas
        return self._still

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for layer in self._layers:
            layer.close()


def _layers(
    draw: tuple[str, ...], view: str, body: BodyModel, size: tuple[int, int], opacity: float
) -> list[Renderer]:
    """The layers of a view; bones for the detector's keypoints where those have no place."""
    names = ["bones" if n == "skeleton" and view != "overlay" else n for n in draw]
    layers: list[Renderer] = []
    for name in dict.fromkeys(names):
        try:
            layers.append(plugins.load("renderers", LAYERS[name])(body.faces, *size, opacity))
        except MissingDependencyError as e:
            if name not in _NEED_GL:
                raise
            log.warning("bodies cannot be drawn as %s, bones are drawn instead: %s", name, e)
            layers.append(plugins.load("renderers", "bones")(body.faces, *size, opacity))
    return layers


def panel_layout(num: int, width_px: int, height_px: int, max_width_px: int) -> tuple[int, ...]:
    """(columns, rows, width, height) of a grid of `num` pictures of a clip's shape.

    One picture keeps the clip's size; several are shrunk until the grid is `max_width_px` wide at
    most, to even sizes.
    """
    if num == 1:
        return 1, 1, width_px, height_px
    columns = num if num < 3 or height_px > width_px else math.ceil(math.sqrt(num))
    scale = min(1.0, max_width_px / (columns * width_px))
    width, height = (max(2, 2 * round(v * scale / 2)) for v in (width_px, height_px))
    return columns, -(-num // columns), width, height


class Grid:
    """All panels of a frame in one picture."""

    def __init__(
        self, result: Result, body: BodyModel, cfg: RerenderConfig, render: RenderConfig
    ) -> None:
        shape = (result.width_px, result.height_px, cfg.max_width_px)
        self._columns, self._rows, width, height = panel_layout(len(cfg.views), *shape)
        self.size = (self._columns * width, self._rows * height)
        """Width and height of the whole, px."""
        self._panel_size = (width, height)
        self._cast = Cast(result, body, cfg)
        self._stack = ExitStack()
        self._panels = [
            self._stack.enter_context(Panel(name, self._panel_size, result, body, cfg, render))
            for name in cfg.views
        ]

    def draw(self, frame: VideoFrame) -> tuple[np.ndarray, int]:
        """The picture of one frame, (H, W, 3) uint8 RGB, and how many people are in it."""
        people = self._cast.of_frame(frame.index)
        if len(self._panels) == 1:
            return self._panels[0].draw(frame, people), len(people)
        whole = np.full((self.size[1], self.size[0], 3), _GROUND_RGB, np.uint8)
        width, height = self._panel_size
        for i, panel in enumerate(self._panels):
            x, y = i % self._columns * width, i // self._columns * height
            whole[y : y + height, x : x + width] = panel.draw(frame, people)
        return whole, len(people)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

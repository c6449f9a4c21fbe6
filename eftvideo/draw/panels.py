"""The picture of a frame: a grid of panels, each with one view and its layers."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eftvideo.bodies import BodyModel
from eftvideo.config import DrawConfig, RerenderConfig
from eftvideo.draw.behind import Behind
from eftvideo.draw.people import DrawnPeople, make_layers
from eftvideo.draw.views import View, fit_ground, floor_lines, make_view
from eftvideo.renderers import DrawnPerson
from eftvideo.results.result import Result
from eftvideo.types import VideoFrame
from eftvideo.video.images import draw_lines, resize, write_words

if TYPE_CHECKING:
    from typing_extensions import Self

_GROUND_RGB, _LINE_RGB, _WORDS_RGB = (236, 238, 241), (205, 209, 215), (95, 100, 108)


class Panel:
    """One view; draws its layers over the clip's picture or over plain ground."""

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        result: Result,
        body: BodyModel,
        cfg: RerenderConfig,
        render: DrawConfig,
    ) -> None:
        self.name, self.size = name, size
        self._result, self._cfg = result, cfg
        self._scale = size[0] / result.width_px
        self._ground = fit_ground(result)
        self._view: View = make_view(name, result, self._ground, size)
        self._still: np.ndarray | None = None
        opacity = render.opacity if self._on_clip else 1.0
        own = name == "overlay"
        self._layers = make_layers(cfg.draw, body, size, opacity, own_view=own)

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
        if not self._on_clip:
            person = replace(person, hidden=None)
        if self.name != "overlay":
            return self._view.person(person)
        if self._scale == 1.0 or person.keypoints2d is None:
            return person
        hidden = person.hidden and person.hidden.scaled(self._scale)
        scaled = person.keypoints2d * np.array([self._scale, self._scale, 1.0], np.float32)
        focal = person.focal_length_px * self._scale
        return replace(person, keypoints2d=scaled, focal_length_px=focal, hidden=hidden)

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
        self, result: Result, body: BodyModel, cfg: RerenderConfig, render: DrawConfig
    ) -> None:
        shape = (result.width_px, result.height_px, cfg.max_width_px)
        self._columns, self._rows, width, height = panel_layout(len(cfg.views), *shape)
        self.size = (self._columns * width, self._rows * height)
        """Width and height of the whole, px."""
        self._panel_size = (width, height)
        trail_s = cfg.trail_s if "trails" in cfg.draw else None
        wanted = render.behind if cfg.behind is None else cfg.behind
        # Who is not drawn may yet stand in front.
        behind = Behind(result, body) if wanted and result.masks.asked else None
        if cfg.track_ids:
            result = result.select(np.isin(result.track_id, cfg.track_ids))
        self._people = DrawnPeople(result, body, trail_s, behind)
        self._stack = ExitStack()
        self._panels = [
            self._stack.enter_context(Panel(name, self._panel_size, result, body, cfg, render))
            for name in cfg.views
        ]

    def draw(self, frame: VideoFrame) -> tuple[np.ndarray, int]:
        """The picture of one frame, (H, W, 3) uint8 RGB, and how many people are in it."""
        people = self._people.of_frame(frame.index)
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

"""Draw a result onto its clip: a second pass over the file, one frame in memory at a time."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from eftvideo import plugins
from eftvideo.bodies import BodyModel
from eftvideo.config import RunConfig
from eftvideo.errors import MissingDependencyError
from eftvideo.posed import vertices
from eftvideo.progress import Progress
from eftvideo.renderers import DrawnPerson, Renderer, track_colour
from eftvideo.types.result import Result
from eftvideo.video.reader import VideoReader
from eftvideo.video.writer import VideoWriter

log = logging.getLogger(__name__)
POSE_BATCH = 64
"""Rows posed at once: enough to be fast, few enough to need little memory."""


def draw_overlay(
    clip: VideoReader,
    result: Result,
    body: BodyModel,
    cfg: RunConfig,
    target: Path,
    progress: Progress,
) -> None:
    """Write the overlay video: every frame that the run read, at its own time.

    Raises:
        VideoWriteError: the file cannot be written or ffmpeg failed.
    """
    info = clip.info
    people = DrawnPeople(result, body)
    with ExitStack() as stack:
        stack.enter_context(progress.stage("draw", clip.num_selected))
        layers = [stack.enter_context(layer) for layer in renderers(result, body, cfg)]
        writer = stack.enter_context(
            VideoWriter(target, info, clip.info.path, cfg.clip, cfg.render)
        )
        for frame in clip:
            image = frame.image
            drawn = people.of_frame(frame.index)
            for layer in layers if drawn else []:
                image = layer.draw(image, drawn)
            writer.write(image, frame.time_s)
            progress.advance(1, people=len(drawn))


def renderers(result: Result, body: BodyModel, cfg: RunConfig) -> list[Renderer]:
    """The layers that `cfg.render.draw` asks for; skeletons where there is no OpenGL."""
    size = (result.width_px, result.height_px)
    names = {"mesh": ["pyrender_mesh"], "skeleton": ["skeleton"]}.get(
        cfg.render.draw, ["pyrender_mesh", "skeleton"]
    )
    layers: list[Renderer] = []
    for name in names:
        try:
            layers.append(plugins.load("renderers", name)(body.faces, *size, cfg.render.opacity))
        except MissingDependencyError as e:
            log.warning("meshes cannot be drawn, keypoint skeletons are drawn instead: %s", e)
            if "skeleton" not in names:
                layers.append(
                    plugins.load("renderers", "skeleton")(body.faces, *size, cfg.render.opacity)
                )
    return layers


class DrawnPeople:
    """The bodies of each frame, posed a batch of rows at a time as frames come in order."""

    def __init__(self, result: Result, body: BodyModel) -> None:
        self._result, self._body = result, body
        self._posed: dict[int, np.ndarray] = {}

    def of_frame(self, frame: int) -> list[DrawnPerson]:
        """The people of one frame, by its index in the file."""
        first, end = np.searchsorted(self._result.frame, [frame, frame + 1])
        return [self._person(row) for row in range(first, end)]

    def _person(self, row: int) -> DrawnPerson:
        r = self._result
        track_id = int(r.track_id[row])
        return DrawnPerson(
            vertices_cam=self._vertices(row),
            keypoints2d=r.keypoints2d[row],
            colour=track_colour(track_id),
            track_id=track_id,
            focal_length_px=float(r.focal_length_px[row]),
        )

    def _vertices(self, row: int) -> np.ndarray:
        if row not in self._posed:
            rows = slice(row, row + POSE_BATCH)
            self._posed = dict(
                zip(
                    range(row, row + POSE_BATCH),
                    vertices(self._result, self._body, rows),
                    strict=False,
                )
            )
        return self._posed[row]

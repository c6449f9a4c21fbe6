"""Draw a result: a run's overlay video, and again in other views and styles, without fitting."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from eftvideo.bodies import BodyModel
from eftvideo.config import ClipConfig, DrawConfig, RerenderConfig
from eftvideo.config.old_names import part_of
from eftvideo.draw.panels import Grid
from eftvideo.draw.people import LAYERS, drawn_by_run
from eftvideo.draw.sinks import make_sink
from eftvideo.draw.views import VIEWS
from eftvideo.errors import ConfigError
from eftvideo.files import make_folder
from eftvideo.progress import Progress
from eftvideo.results.posing import body_of
from eftvideo.results.result import Result
from eftvideo.setup import Setup
from eftvideo.video.reader import VideoReader, open_video


def render_result(
    result: Result,
    clip: str | Path,
    out_dir: str | Path,
    cfg: RerenderConfig | None = None,
    *,
    body: str | None = None,
    stem: str | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw a result onto its clip, or onto plain ground, in one view or in several.

    With the default settings the frames are those of the run's own overlay video, pixel for pixel.

    Args:
        result: of `run_video` or `load_result`.
        clip: the video that it was made from.
        out_dir: folder, made if missing, for STEM_render.mp4, STEM_render.gif or
            STEM_000010.png.
        cfg: what to draw; None takes the defaults.
        body: body file; None: the one that the run used.
        stem: first part of the names; None: the clip's.
        progress: listener; None is silent.

    Returns:
        The files written.

    Raises:
        ConfigError: unknown names, frames that are not in the result's range, another clip or body
            than the result's.
        EftVideoError: the clip cannot be read, the folder not written.
    """
    cfg, progress = cfg or RerenderConfig(), progress or Progress()
    render = part_of(result.config, "draw", DrawConfig)
    cfg = dataclasses.replace(cfg, draw=cfg.draw or drawn_by_run(render))
    check(cfg)
    if cfg.behind and len(result) and not result.masks.asked:
        raise ConfigError(
            "this result has no masks, which tell who is in front: run the clip again with --behind"
        )
    with open_for(result, clip) as frames:
        check_frames(cfg.frames, frames)
        _check_people(result, cfg.track_ids)
        model = body_of(result, body)
        name = stem or Path(clip).stem
        if cfg.output != "png":
            name = f"{name}_render.{cfg.output}"
        target = make_folder(Path(out_dir)) / name
        return _draw(frames, result, model, cfg, render, target, progress)


def draw_result(
    clip: VideoReader, result: Result, setup: Setup, path: Path, progress: Progress
) -> None:
    """Write a run's overlay video: every frame that it read, at its own time.

    Raises:
        VideoWriteError: the file cannot be written or ffmpeg failed.
    """
    cfg = setup.cfg.draw
    layers = RerenderConfig(draw=drawn_by_run(cfg))
    _draw(clip, result, setup.body, layers, cfg, path, progress)


def _draw(
    clip: VideoReader,
    result: Result,
    body: BodyModel,
    cfg: RerenderConfig,
    render: DrawConfig,
    target: Path,
    progress: Progress,
) -> list[Path]:
    wanted = set(cfg.frames) or set(clip.indices.tolist())
    with progress.stage("draw", len(wanted)), Grid(result, body, cfg, render) as grid:
        info = dataclasses.replace(clip.info, width_px=grid.size[0], height_px=grid.size[1])
        with make_sink(
            target, info, part_of(result.config, "clip", ClipConfig), cfg, render
        ) as sink:
            for frame in clip.only(wanted):
                image, num_people = grid.draw(frame)
                sink.write(frame, image)
                progress.advance(1, people=num_people)
    return sink.paths


def check(cfg: RerenderConfig) -> None:
    """Refuse what cannot be drawn.

    Raises:
        ConfigError: an unknown view or layer, nothing to draw, a time that is not positive.
    """
    for what, given, known in (
        ("view", cfg.views, VIEWS),
        ("thing to draw", cfg.draw, tuple(LAYERS)),
    ):
        if not given:
            raise ConfigError(f"no {what} is given: choose from {', '.join(known)}")
        for name in given:
            if name not in known:
                raise ConfigError(f"unknown {what} {name!r}: choose from {', '.join(known)}")
    for option, seconds in (("--turn", cfg.turn_s), ("--trail", cfg.trail_s)):
        if not 0.0 < seconds < float("inf"):
            raise ConfigError(f"{option} must be a positive number of seconds, but got {seconds}")
    if cfg.frames and cfg.output != "png":
        raise ConfigError("--frames picks single pictures: add --png")


def check_frames(wanted: tuple[int, ...], frames: VideoReader) -> None:
    """Refuse frames that the run did not read.

    Raises:
        ConfigError: names the first of them, and the range.
    """
    missing = sorted(set(wanted) - set(frames.indices.tolist()))
    if missing:
        raise ConfigError(
            f"frame {missing[0]} was not read by the run: it read {frames.num_selected} frames "
            f"from {frames.indices[0]} to {frames.indices[-1]}; choose among them"
        )


def open_for(result: Result, clip: str | Path) -> VideoReader:
    """Open a result's clip at the frames that the run read.

    Raises:
        ConfigError: the clip is another one.
        VideoOpenError: it cannot be read.
    """
    reader = open_video(Path(clip), part_of(result.config, "clip", ClipConfig))
    info = reader.info
    got = (info.width_px, info.height_px, info.num_frames)
    want = (result.width_px, result.height_px, result.num_frames)
    if got != want:
        raise ConfigError(
            f"{clip} is not the clip of this result: it has {got[2]} frames of {got[0]}x{got[1]}, "
            f"but {result.source} had {want[2]} of {want[0]}x{want[1]}; give that clip"
        )
    return reader


def _check_people(result: Result, track_ids: tuple[int, ...]) -> None:
    unknown = sorted(set(track_ids) - set(result.track_ids))
    if unknown:
        ids = ", ".join(map(str, result.track_ids)) or "none"
        raise ConfigError(f"no track {unknown[0]} in this result: choose from {ids}")

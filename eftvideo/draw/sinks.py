"""Where drawn frames go: a video, a GIF, or pictures. Each is whole when it has its name."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from eftvideo.config import ClipConfig, DrawConfig, RerenderConfig
from eftvideo.errors import VideoWriteError
from eftvideo.files import write_whole
from eftvideo.types import VideoFrame, VideoInfo
from eftvideo.video.images import png_bytes
from eftvideo.video.probe import ffmpeg_exe, input_url
from eftvideo.video.writer import VideoWriter

if TYPE_CHECKING:
    from typing_extensions import Self


class FrameSink(Protocol):
    """Takes drawn frames in order of time; leaving it by an exception leaves nothing behind."""

    paths: list[Path]
    """What has been written, once it is left."""

    def write(self, frame: VideoFrame, image: np.ndarray) -> None:
        """The picture (H, W, 3) uint8 RGB of one frame of the clip."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Pictures:
    """A PNG for each frame: STEM_000010.png for frame 10."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self.paths: list[Path] = []

    def write(self, frame: VideoFrame, image: np.ndarray) -> None:
        """Writes one file."""
        path = self._stem.with_name(f"{self._stem.name}_{frame.index:06d}.png")
        write_whole(path, png_bytes(image))
        self.paths.append(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Every file is whole already."""


class Video:
    """An mp4 with the clip's times and sound; `finish` may turn it into something else."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        clip: ClipConfig,
        render: DrawConfig,
        finish: Callable[[Path], Path] | None = None,
    ) -> None:
        self._finish = finish
        self._folder = tempfile.TemporaryDirectory(prefix="eftvideo-") if finish else None
        first = path if self._folder is None else Path(self._folder.name) / "frames.mp4"
        source = None if finish else info.path
        self._writer = VideoWriter(first, info, source, clip, render)
        self.paths: list[Path] = []

    def write(self, frame: VideoFrame, image: np.ndarray) -> None:
        """Appends one frame."""
        self._writer.write(image, frame.time_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._writer.__exit__(kind, error, trace)
            if kind is None:
                path = self._writer.path
                self.paths = [self._finish(path) if self._finish else path]
        finally:
            if self._folder is not None:
                self._folder.cleanup()


def make_sink(
    target: Path, info: VideoInfo, clip: ClipConfig, cfg: RerenderConfig, render: DrawConfig
) -> FrameSink:
    """A sink of the kind `cfg.output`.

    Args:
        target: the file; of pictures, the first part of their names.
        info: the clip's, with the size of what is drawn.
        clip: what of the clip the run read.
        cfg, render: what is drawn, and how videos are encoded.
    """
    if cfg.output == "png":
        return Pictures(target)
    if cfg.output == "mp4":
        return Video(target, info, clip, render)

    def finish(video: Path) -> Path:
        return make_gif(video, target, cfg.gif_width_px, cfg.gif_fps)

    return Video(target, info, clip, render, finish)


def make_gif(video: Path, target: Path, width_px: int, fps: int) -> Path:
    """A GIF of a video, with one palette for all of it.

    Raises:
        VideoWriteError: ffmpeg failed, or the folder cannot be written.
    """
    part = target.with_name(f".{target.stem}.{os.getpid()}.part.gif")
    filters = (
        f"fps={fps},scale='min({width_px},iw)':-2:flags=lanczos,split[a][b];"
        "[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=bayer:bayer_scale=4"
    )
    command = [ffmpeg_exe(), "-v", "error", "-y", "-i", input_url(video), "-vf", filters]
    command += ["-loop", "0", "-f", "gif", input_url(part)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason"]
            raise VideoWriteError(f"{target} cannot be written, ffmpeg says: {said[-1]}")
        part.replace(target)
    except OSError as e:
        raise VideoWriteError(f"{target} cannot be written: {e.strerror}") from e
    finally:
        part.unlink(missing_ok=True)
    return target

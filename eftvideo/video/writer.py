"""Writing the overlay video with the source's frames, times, size and sound, through ffmpeg."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eftvideo.config import ClipConfig, DrawConfig
from eftvideo.errors import VideoWriteError
from eftvideo.types import VideoInfo
from eftvideo.video.matroska import TICKS_PER_S, frame_header, stream_header
from eftvideo.video.probe import MediaProbe, ffmpeg_exe, input_url, probe

if TYPE_CHECKING:
    from typing_extensions import Self

_log = logging.getLogger(__name__)

_COPIED_AUDIO = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
"""Sound that players expect in an mp4; other sound is encoded anew as AAC."""
_MIN_TIMESCALE = 10_000
_MAX_TIMESCALE = 1_000_000


class VideoWriter:
    """An mp4 (H.264) that appears under its name only when it is whole.

    A context manager: leaving it in the normal way finishes the file, leaving it by an exception
    (Ctrl-C too) removes what was written.

    Args:
        path: where the video goes; its folder must exist. An older file is replaced.
        info: size and rate of the frames.
        source: the clip that the frames come from; its sound is copied. None: no sound.
        clip: the range and stride with which `source` was read.
        render: quality and speed of the encoder.

    Raises:
        VideoWriteError: the folder is missing or closed to writing, or `path` is the source.
    """

    def __init__(
        self,
        path: Path | str,
        info: VideoInfo,
        source: Path | str | None = None,
        clip: ClipConfig | None = None,
        render: DrawConfig | None = None,
    ) -> None:
        self.path = Path(path)
        self.num_frames = 0
        """Frames written so far."""
        self._info = info
        self._media = None if source is None else probe(Path(source))
        self._clip = clip or ClipConfig()
        self._render = render or DrawConfig()
        self._timescale = timescale(info.fps, self._media)
        self._origin_s = 0.0
        self._last_tick = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the writer)
        self._part = _make_part(self.path, self._media)

    def write(self, image: np.ndarray, time_s: float) -> None:
        """Appends a frame.

        Args:
            image: (height_px, width_px, 3) uint8 RGB.
            time_s: presentation time in the source, greater than the one before.

        Raises:
            ValueError: the image has another shape or type.
            VideoWriteError: ffmpeg stopped; the message is its own.
        """
        shape = (self._info.height_px, self._info.width_px, 3)
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(f"image must be {shape} uint8, but got {image.shape} {image.dtype}")
        if self._process is None:
            self._start(time_s)
        tick = max(self._tick(time_s), self._last_tick + 1)
        self._last_tick = tick
        start = round(Fraction(tick, self._timescale) * TICKS_PER_S)
        duration = round(self._duration_s(time_s) * TICKS_PER_S)
        self._send(frame_header(start, duration, image.nbytes))
        self._send(np.ascontiguousarray(image).data)
        self.num_frames += 1

    def close(self) -> None:
        """Finishes the file and gives it its name.

        Raises:
            VideoWriteError: nothing was written, or ffmpeg failed; nothing is left behind.
        """
        try:
            if self._process is None:
                raise VideoWriteError(f"{self.path} was not written: there was no frame to write")
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            if self._process.wait() != 0:
                raise VideoWriteError(self._failure())
            os.replace(self._part, self.path)
        except OSError as e:
            raise VideoWriteError(f"{self.path} cannot be written: {e.strerror}") from e
        finally:
            self.abort()

    def abort(self) -> None:
        """Stops and removes what was written; nothing happens after `close`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            with suppress(OSError):
                self._process.stdin.close()
            self._process = None
        self._messages.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _start(self, first_s: float) -> None:
        # Cut clips begin at 0; whole ones keep the pictures' distance to the sound.
        self._origin_s = first_s if self._clip.start_s > 0 else 0.0
        command = [
            *(ffmpeg_exe(), "-v", "error", "-y", "-f", "matroska", "-i", "pipe:0"),
            *self._sound_input(),
            *("-map", "0:v:0", *self._picture_options()),
            *self._sound_options(),
            *("-video_track_timescale", str(self._timescale), "-movflags", "+faststart"),
            *("-f", "mp4", input_url(self._part)),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        self._send(stream_header(self._info.width_px, self._info.height_px))

    def _picture_options(self) -> list[str]:
        # 4:2:0 cannot have odd sizes; 4:4:4 can, but not every player shows it.
        odd = self._info.width_px % 2 or self._info.height_px % 2
        layout = "yuv444p" if odd else "yuv420p"
        scale = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd"
        filters = f"{scale},format={layout}"
        if self._media and self._media.sample_aspect != 1:
            aspect = self._media.sample_aspect
            filters += f",setsar={aspect.numerator}/{aspect.denominator}"
        return [
            *("-vf", filters, "-fps_mode", "passthrough"),
            *("-enc_time_base", f"1:{self._timescale}"),
            *("-c:v", "libx264", "-preset", self._render.preset, "-crf", str(self._render.crf)),
            # x264's macroblock tree reads memory that it never wrote (with AVX-512): the same
            # frames would not always give the same file.
            *("-x264-params", "mbtree=0"),
            *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
            *("-color_range", "tv"),
        ]

    def _sound_input(self) -> list[str]:
        if not self._media or not self._media.audio_codecs:
            return []
        cut = []
        if self._clip.start_s > 0:
            cut += ["-ss", f"{self._origin_s:.6f}"]
        if self._clip.end_s is not None:
            cut += ["-t", f"{self._clip.end_s - self._origin_s:.6f}"]
        return [*cut, "-i", input_url(self._media.path)]

    def _sound_options(self) -> list[str]:
        if not self._media or not self._media.audio_codecs:
            return []
        options = ["-map", "1:a"]
        if self._clip.start_s > 0:
            options += ["-copypriorss", "0"]  # no sound from before the cut
        for i, codec in enumerate(self._media.audio_codecs):
            if codec in _COPIED_AUDIO:
                options += [f"-c:a:{i}", "copy"]
            else:
                _log.warning(
                    "%s: its %s sound does not go into an mp4; encoded anew as AAC",
                    *(self._media.path.name, codec),
                )
                options += [f"-c:a:{i}", "aac", f"-b:a:{i}", "192k"]
        return options

    def _tick(self, time_s: float) -> int:
        """A source time as a whole number of the output's ticks."""
        elapsed = time_s - self._origin_s
        if self._media is None or self._media.constant_rate:
            first_s = 0.0 if self._media is None else float(self._media.times_s[0])
            offset = Fraction(first_s - self._origin_s).limit_denominator(self._timescale)
            number = round((elapsed - float(offset)) * float(self._info.fps))
            return round((number / self._info.fps + offset) * self._timescale)
        return round(elapsed * self._timescale)

    def _duration_s(self, time_s: float) -> float:
        if self._media is None or self._media.constant_rate:
            return float(self._clip.stride / self._info.fps)
        times = self._media.times_s
        end_s = float(times[0]) + self._media.duration_s
        place = int(np.searchsorted(times, time_s - 1e-6)) + self._clip.stride
        return (float(times[place]) if place < len(times) else end_s) - time_s

    def _send(self, data: bytes | memoryview) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except OSError as e:
            self._process.wait()
            raise VideoWriteError(self._failure()) from e

    def _failure(self) -> str:
        self._messages.seek(0)
        lines = self._messages.read().decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1].strip() if lines else "no reason given"
        return f"{self.path} cannot be written, ffmpeg says: {reason}"


def timescale(fps: Fraction, media: MediaProbe | None) -> int:
    """Ticks per second of the output, in which the source's times are whole numbers."""
    if media is not None and not media.constant_rate:
        base = media.time_base
        if base.numerator == 1 and _MIN_TIMESCALE <= base.denominator <= _MAX_TIMESCALE:
            return base.denominator
        return 90_000
    return fps.numerator * -(-_MIN_TIMESCALE // fps.numerator)


def _make_part(path: Path, media: MediaProbe | None) -> Path:
    """An empty file beside `path` that becomes it at the end."""
    if media is not None and path.resolve() == media.path.resolve():
        raise VideoWriteError(f"{path} is the source clip itself: choose another folder")
    if not path.parent.is_dir():
        raise VideoWriteError(f"the folder {path.parent} does not exist: make it first")
    if path.is_dir():
        raise VideoWriteError(f"{path} is a folder: choose another name")
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.mp4")
    try:
        part.write_bytes(b"")
    except OSError as e:
        raise VideoWriteError(f"{path} cannot be written: {e.strerror}") from e
    return part

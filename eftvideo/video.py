"""Frames of a video file, in order, with exact times; the only file that imports decord.

decord 0.6 has quirks that are handled here (each seen, and tested in tests/test_video.py):
- several threads to one decoder fail on some VP9 and H.264 files: one thread is used;
- in MPEG-TS files, behind edit lists and at damage it gives wrong or repeated frames instead of
  an error: `fault_tol` makes it fail, and such files are read through ffmpeg's pipe;
- it runs ahead of a slow reader with `next()`: frames are fetched by index in small batches.
"""

from __future__ import annotations

import logging
import math
import subprocess
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from eftvideo import ffmpeg_decode
from eftvideo.config import ClipConfig
from eftvideo.errors import ConfigError, VideoOpenError
from eftvideo.probe import MediaProbe, ffmpeg_exe, probe
from eftvideo.types import VideoFrame, VideoInfo

if TYPE_CHECKING:
    from typing_extensions import Self

_log = logging.getLogger(__name__)

_BATCH_BYTES = 16 * 2**20
_BATCH_FRAMES = 8
_EPSILON_S = 1e-6
"""Times typed with six decimals still hit the frame that they name."""


def open_video(path: Path | str, clip: ClipConfig | None = None) -> VideoReader:
    """Opens a clip for reading; nothing is decoded yet.

    Args:
        path: any file that ffmpeg can read.
        clip: range in seconds and stride; None reads every frame.

    Raises:
        ConfigError: start, end or stride make no sense.
        VideoOpenError: not a readable video, or nothing of it lies in the range.
    """
    clip = clip or ClipConfig()
    _check_clip(clip)
    media = probe(Path(path))
    return VideoReader(media, clip)


class VideoReader:
    """The chosen frames of one file. Every `for` starts again at the first of them."""

    def __init__(self, media: MediaProbe, clip: ClipConfig) -> None:
        self.info = _info(media)
        self.failures: list[tuple[int, str]] = []
        """Frames that would not decode (index, reason), found while iterating."""
        self.indices = _select(media, clip)
        """(num_selected,) int64 indices of the chosen frames in the file."""
        self.times_s = media.times_s[self.indices]
        """(num_selected,) float64 presentation times."""
        self._media = media
        self._use_decord = _decord_can(media)
        self._warn_if_cut_off()

    @property
    def num_selected(self) -> int:
        """Frames that iterating gives if all of them decode."""
        return len(self.indices)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing stays open between iterations; here for symmetry with VideoWriter."""

    def __iter__(self) -> Iterator[VideoFrame]:
        done = 0
        if self._use_decord:
            for position, image in _decord_frames(self._media, self.indices):
                yield self._frame(position, image)
                done = position + 1
            if done < self.num_selected:
                _log.info("decord stopped at frame %d; ffmpeg goes on", self.indices[done])
                self._use_decord = False
        if done < self.num_selected:
            yield from self._salvage(done)

    def _frame(self, position: int, image: np.ndarray) -> VideoFrame:
        return VideoFrame(int(self.indices[position]), float(self.times_s[position]), image)

    def _salvage(self, position: int) -> Iterator[VideoFrame]:
        """The frames from `position` on through ffmpeg; those that do not come are failures."""
        frames = ffmpeg_decode.decode(self._media, int(self.indices[position]))
        try:
            for index, image in frames:
                reached = int(np.searchsorted(self.indices, index))
                self._report(position, min(reached, self.num_selected))
                position = max(position, reached)
                if position >= self.num_selected:
                    return
                if self.indices[position] == index:
                    yield self._frame(position, image)
                    position += 1
                    if position >= self.num_selected:
                        return
            self._report(position, self.num_selected)
        finally:
            frames.close()  # type: ignore[attr-defined]

    def _report(self, first: int, end: int) -> None:
        known = {index for index, _ in self.failures}
        lost = [int(i) for i in self.indices[first:end] if int(i) not in known]
        if not lost:
            return
        self.failures += [(i, "the decoder gave no picture for it") for i in lost]
        names = f"frame {lost[0]}" if len(lost) == 1 else f"frames {lost[0]} to {lost[-1]}"
        _log.warning(
            "%s: %s (at %.3f s) would not decode: the file is damaged there; going on behind it",
            self._media.path.name,
            names,
            self._media.times_s[lost[0]],
        )

    def _warn_if_cut_off(self) -> None:
        promised, media = self._media.header_duration_s, self._media
        there = float((int(media.ticks[-1]) + media.last_ticks) * media.time_base)
        if promised and not media.audio_codecs and promised - there > 0.5 + 0.01 * promised:
            _log.warning(
                "%s is cut off: its header promises %.2f s, but the pictures end at %.2f s",
                *(media.path.name, promised, there),
            )


def _check_clip(clip: ClipConfig) -> None:
    if not (math.isfinite(clip.start_s) and clip.start_s >= 0):
        raise ConfigError(f"start must be 0 seconds or more, but got {clip.start_s}")
    if clip.end_s is not None and not clip.end_s > clip.start_s:
        raise ConfigError(f"end must be after start ({clip.start_s} s), but got {clip.end_s} s")
    if clip.stride < 1:
        raise ConfigError(f"stride must be 1 or more frames, but got {clip.stride}")


def _select(media: MediaProbe, clip: ClipConfig) -> np.ndarray:
    times = media.times_s
    wanted = times >= clip.start_s - _EPSILON_S
    if clip.end_s is not None:
        wanted &= times < clip.end_s - _EPSILON_S
    indices = np.flatnonzero(wanted)[:: clip.stride]
    if not len(indices):
        end = "its end" if clip.end_s is None else f"{clip.end_s:g} s"
        raise VideoOpenError(
            f"{media.path} has no frame from {clip.start_s:g} s to {end}: "
            f"it runs from {times[0]:.3f} s to {times[-1]:.3f} s; choose an earlier start"
        )
    return indices


def _info(media: MediaProbe) -> VideoInfo:
    return VideoInfo(
        path=media.path,
        width_px=media.width_px,
        height_px=media.height_px,
        fps=media.fps,
        num_frames=len(media.ticks),
        duration_s=media.duration_s,
        rotation_deg=media.rotation_deg,
        has_audio=bool(media.audio_codecs),
    )


def _open_decord(path: Path) -> Any:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    # Smallest share: the first repeated frame is an error.
    return decord.VideoReader(str(path.resolve()), num_threads=1, fault_tol=1e-9)


def _decord_can(media: MediaProbe) -> bool:
    """Whether decord gives the frames of this file as they are."""
    if media.num_hidden or media.num_video_streams > 1 or "mpegts" in media.container:
        return False
    try:
        return len(_open_decord(media.path)) == len(media.ticks)
    except Exception as e:  # decord raises bare RuntimeError, AssertionError and its own
        _log.debug("decord cannot open %s: %s", media.path, e)
        return False


def _decord_frames(media: MediaProbe, indices: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(position in `indices`, image) until the end or decord's first failure."""
    turn = media.rotation_deg and not _decord_rotates()
    try:
        reader = _open_decord(media.path)
    except Exception:  # what decord raises has no common class
        return
    fit = _BATCH_BYTES // (media.width_px * media.height_px * 3)
    size = max(1, min(_BATCH_FRAMES, fit))
    for first in range(0, len(indices), size):
        try:
            images = reader.get_batch(indices[first : first + size].tolist()).asnumpy()
        except Exception as e:  # as above
            _log.debug("decord failed at frame %d of %s: %s", indices[first], media.path, e)
            return
        for offset, image in enumerate(images):
            if turn:
                image = np.ascontiguousarray(np.rot90(image, -media.rotation_deg // 90))
            if image.shape != (media.height_px, media.width_px, 3):
                return
            yield first + offset, image


@lru_cache(maxsize=1)
def _decord_rotates() -> bool:
    """Whether this build of decord applies rotation metadata (forks differ).

    Found with a tiny clip, white over black, that asks for half a turn.
    """
    size = 64
    pixels = bytes([255]) * (size * size // 2) + bytes(size * size // 2)
    with tempfile.TemporaryDirectory() as folder:
        plain, turned = Path(folder, "plain.mp4"), Path(folder, "turned.mp4")
        make = [ffmpeg_exe(), "-v", "error"]
        raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{size}x{size}", "-i", "-"]
        encode = ["-c:v", "libx264", "-pix_fmt", "yuv420p", str(plain)]
        subprocess.run([*make, *raw, *encode], input=pixels * 2, check=True)
        turn = ["-display_rotation", "180", "-i", str(plain), "-c", "copy", str(turned)]
        subprocess.run([*make, *turn], stdin=subprocess.DEVNULL, check=True)
        return bool(_open_decord(turned)[0].asnumpy()[: size // 4].mean() < 128)

"""Frames of a video file, in order, with exact times.

Two decoders give the same pixels: decord for short, sound files, ffmpeg through a pipe for all
others and behind damage (see `decord_decode.can_read` for the line between them).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eftvideo.config import ClipConfig
from eftvideo.errors import VideoOpenError
from eftvideo.types import VideoFrame, VideoInfo
from eftvideo.video import decord as decord_decode
from eftvideo.video import ffmpeg as ffmpeg_decode
from eftvideo.video.probe import MediaProbe, probe

if TYPE_CHECKING:
    from typing_extensions import Self

_log = logging.getLogger(__name__)

_EPSILON_S = 1e-6
"""Times typed with six decimals still hit the frame that they name."""


def open_video(path: Path | str, clip: ClipConfig | None = None) -> VideoReader:
    """Opens a clip for reading; nothing is decoded yet.

    Args:
        path: any file that ffmpeg can read.
        clip: range in seconds and stride; None reads every frame.

    Raises:
        VideoOpenError: not a readable video, or nothing of it lies in the range.
    """
    clip = clip or ClipConfig()
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
        self._use_decord = decord_decode.can_read(media)
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
            for position, image in decord_decode.decode(self._media, self.indices):
                yield self._frame(position, image)
                done = position + 1
            if done < self.num_selected:
                _log.info("decord stopped at frame %d; ffmpeg goes on", self.indices[done])
                self._use_decord = False
        if done < self.num_selected:
            yield from self._salvage(done)

    def only(self, indices: Collection[int]) -> Iterator[VideoFrame]:
        """Those of the chosen frames that have these indices; none behind them is decoded."""
        wanted, last = set(indices), max(indices, default=-1)
        for frame in self if wanted else ():
            if frame.index in wanted:
                yield frame
            if frame.index >= last:
                return

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

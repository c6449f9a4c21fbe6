"""Frames through a pipe from ffmpeg.

As fast as decord, but ffmpeg waits for a slow reader, so memory is a few frames whatever the
length; it reads what decord cannot (AV1, GIF, MPEG-TS, edit lists) and goes on after damage.
"""

from __future__ import annotations

import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import IO

import numpy as np

from eftvideo.video.probe import MediaProbe, ffmpeg_exe, input_url

_SEEK_MARGIN_S = 10.0
"""Decoding begins this long before the wanted frame: MPEG-TS seeks are not exact."""


def decode(media: MediaProbe, first: int) -> Iterator[tuple[int, np.ndarray]]:
    """Frames from index `first` on that will decode, as (index, upright RGB (H, W, 3) uint8).

    Indices are those of `media.ticks`, found by the frames' own timestamps, so that a frame lost
    to damage does not shift the ones after it.
    """
    start_s = max(0.0, float(media.times_s[first]) - _SEEK_MARGIN_S)
    process = subprocess.Popen(
        [
            *(ffmpeg_exe(), "-nostdin", "-hide_banner", "-nostats", "-threads", "1"),
            *("-copyts", "-start_at_zero"),
            *(("-ss", f"{start_s:.6f}") if start_s > 0 else ()),
            *("-i", input_url(media.path), "-map", "0:V:0", "-fps_mode", "passthrough"),
            *("-vf", f"showinfo=checksum=0,scale={media.width_px}:{media.height_px}"),
            *("-pix_fmt", "rgb24", "-f", "rawvideo", "-"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    times: queue.SimpleQueue[Fraction | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read_times, args=(process.stderr, times), daemon=True)
    reader.start()
    try:
        yield from _match(media, first, process.stdout, times)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()


def _match(
    media: MediaProbe,
    first: int,
    stream: IO[bytes],
    times: queue.SimpleQueue[Fraction | None],
) -> Iterator[tuple[int, np.ndarray]]:
    shape = (media.height_px, media.width_px, 3)
    last = -1
    while True:
        image = np.empty(shape, np.uint8)
        time_s = times.get() if _fill(stream, image) else None
        if time_s is None:
            return
        index = _nearest(media.ticks, float(time_s / media.time_base))
        if index > last:
            last = index
            if index >= first:
                yield index, image


def _fill(stream: IO[bytes], image: np.ndarray) -> bool:
    view = image.data.cast("B")
    filled = 0
    while filled < len(view):
        count = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            return False
        filled += count
    return True


def _nearest(ticks: np.ndarray, value: float) -> int:
    right = int(np.searchsorted(ticks, value))
    candidates = [i for i in (right - 1, right) if 0 <= i < len(ticks)]
    return min(candidates, key=lambda i: abs(float(ticks[i]) - value))


def _read_times(stream: IO[bytes], times: queue.SimpleQueue[Fraction | None]) -> None:
    """Puts the showinfo filter's timestamps into `times`, in seconds, then None."""
    time_base = Fraction(0)
    for raw in stream:
        line = raw.decode("utf-8", "replace")
        base = re.search(r"showinfo.*config in time_base: (\d+)/(\d+)", line)
        if base:
            time_base = Fraction(int(base.group(1)), int(base.group(2)))
        frame = re.search(r"showinfo.*\bn: *\d+ pts: *(-?\d+)", line)
        if frame:
            times.put(int(frame.group(1)) * time_base)
    times.put(None)

"""What the viewer shows at each moment: the people's meshes and the clip's pictures, made as asked.

Nothing in here knows of the browser.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from eftvideo.bodies import BodyModel
from eftvideo.draw.result import open_for
from eftvideo.errors import EftVideoError
from eftvideo.renderers import track_colour
from eftvideo.results.posing import vertices
from eftvideo.results.result import Result
from eftvideo.types import FILLED, REJECTED
from eftvideo.video.images import jpeg_bytes, jpeg_image, resize
from eftvideo.video.reader import VideoReader

log = logging.getLogger(__name__)

BLOCK_ROWS = 32
"""Rows posed at once: 0.1 s, and the next second of three people is there."""
MAX_BLOCKS = 80
"""Blocks kept: 230 MB of meshes, 14 s of six people."""
PICTURE_WIDTH_PX = 640


class Meshes:
    """Meshes by row of the result; those asked for last are kept."""

    def __init__(self, result: Result, body: BodyModel) -> None:
        self._result, self._body = result, body
        self._blocks: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def of_row(self, row: int) -> np.ndarray:
        """(V, 3) float32 vertices, metres, camera frame."""
        block = row // BLOCK_ROWS
        with self._lock:
            if block not in self._blocks:
                rows = slice(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
                self._blocks[block] = vertices(self._result, self._body, rows)
                while len(self._blocks) > MAX_BLOCKS:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(block)
            return self._blocks[block][row - block * BLOCK_ROWS]


class Pictures:
    """The clip's pictures, small, read by a thread of its own; held as JPEG."""

    def __init__(self, clip: VideoReader) -> None:
        self._jpegs: dict[int, bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(clip,), daemon=True)
        self._thread.start()

    def of_frame(self, frame: int) -> np.ndarray | None:
        """(h, w, 3) uint8 RGB, 640 px wide at most; None: not read yet."""
        data = self._jpegs.get(frame)
        return None if data is None else jpeg_image(data)

    def wait(self, timeout_s: float) -> bool:
        """Whether all of them are read within a time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stops reading."""
        self._stop.set()
        self._thread.join()

    def _read(self, clip: VideoReader) -> None:
        scale = min(1.0, PICTURE_WIDTH_PX / clip.info.width_px)
        size = (round(clip.info.width_px * scale), max(1, round(clip.info.height_px * scale)))
        try:
            for frame in clip:
                if self._stop.is_set():
                    return
                self._jpegs[frame.index] = jpeg_bytes(resize(frame.image, *size))
        except EftVideoError as e:
            log.warning("the pictures of the clip end here: %s", e)


class Timeline:
    """The frames to play, in order of time, with the rows of each.

    With a clip these are all frames that the run read; without, those in which somebody is.
    """

    def __init__(self, result: Result, clip: VideoReader | None) -> None:
        if clip is not None:
            self.frames, self.times_s = clip.indices, clip.times_s
        else:
            self.frames, first = np.unique(result.frame, return_index=True)
            self.times_s = result.time_s[first]
        self._result = result

    def __len__(self) -> int:
        return len(self.frames)

    def rows(self, index: int) -> dict[int, int]:
        """Row of the result by track id, for the frame at a place of the timeline."""
        first, end = np.searchsorted(
            self._result.frame, [self.frames[index], self.frames[index] + 1]
        )
        return {int(self._result.track_id[r]): r for r in range(first, end)}

    def at(self, time_s: float) -> int:
        """The place of the frame that is shown at a time."""
        place = int(np.searchsorted(self.times_s, time_s + 1e-9, side="right")) - 1
        return min(max(place, 0), len(self) - 1)

    def words(self, index: int) -> str:
        """Markdown: time and number of the frame at a place, and how well each person fits."""
        r = self._result
        lines = [f"{self.times_s[index]:.2f} s, frame {self.frames[index]}"]
        for track_id, row in self.rows(index).items():
            rejected = ", rejected" if r.status[row] == REJECTED else ""
            filled = r.status[row] == FILLED
            px = "filled in" if filled else f"{r.loss_px[row]:.1f} px{rejected}"
            lines.append(f"person {track_id}: {px}")
        return "  \n".join(lines)

    def errors(self, track_id: int) -> np.ndarray:
        """(frames,) 2D error of one person, px; NaN where not seen or filled in."""
        person = self._result.track(track_id)
        person = person.select(person.status != FILLED)
        values = np.full(len(self), np.nan)
        values[np.searchsorted(self.frames, person.frame)] = person.loss_px
        return values


class ErrorCurves:
    """The plot below the timeline: each person's 2D error, and a mark at the frame shown."""

    def __init__(self, timeline: Timeline, track_ids: list[int]) -> None:
        self._track_ids = track_ids
        self._times_s = timeline.times_s.astype(float)
        self._errors = [timeline.errors(i) for i in track_ids]
        self.top_px = max(1.0, float(np.nanmax(self._errors)))
        """The largest error, where the plot ends."""

    def series(self) -> tuple[dict[str, Any], ...]:
        """How uPlot draws each array of `data`."""
        people = tuple(
            {"label": f"person {i}", "stroke": _css(i), "width": 1.5} for i in self._track_ids
        )
        return ({"label": "s"}, *people, {"label": "shown", "stroke": "#d6332f", "width": 2})

    def data(self, index: int) -> tuple[np.ndarray, ...]:
        """Times, errors of each person, and a steep line where the frame at `index` is."""
        mark = np.full(len(self._times_s), np.nan)
        mark[index] = self.top_px
        mark[index - 1 if index else min(1, len(mark) - 1)] = 0.0
        return (self._times_s, *self._errors, mark)


def _css(track_id: int) -> str:
    return "#" + "".join(f"{round(255 * c):02x}" for c in track_colour(track_id))


def open_clip(result: Result, path: Path | None) -> VideoReader | None:
    """The result's clip, if one is given.

    Raises:
        ConfigError: it is another one. VideoOpenError: it cannot be read.
    """
    return None if path is None else open_for(result, path)

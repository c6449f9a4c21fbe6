"""Pictures of a report: key frames, the worst frames, and the people whose fit was rejected."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from eftvideo.bodies import BodyModel
from eftvideo.config import DrawConfig, RerenderConfig
from eftvideo.draw.panels import Grid
from eftvideo.progress import Progress
from eftvideo.results.result import Result
from eftvideo.types import REJECTED, VideoFrame
from eftvideo.video.images import jpeg_bytes, resize
from eftvideo.video.reader import VideoReader

NUM_KEY, NUM_WORST, MAX_REJECTED = 6, 3, 24
_KEY_WIDTH_PX, _THUMB_HEIGHT_PX = 640, 180
_APART_S = 0.5
"""The worst frames are at least this far from each other."""
_AROUND = 0.25
"""Of the box's longer side, around a rejected person."""


@dataclass(frozen=True)
class Shot:
    """One picture of the report, and which row of the result it is of."""

    frame: int
    time_s: float
    jpeg: bytes
    row: int = -1


@dataclass
class Shots:
    """All pictures of a report, each list in order of time."""

    key: list[Shot] = field(default_factory=list)
    worst: list[Shot] = field(default_factory=list)
    rejected: list[Shot] = field(default_factory=list)


def take_shots(
    clip: VideoReader,
    result: Result,
    body: BodyModel,
    draw: tuple[str, ...],
    render: DrawConfig,
    progress: Progress,
) -> Shots:
    """Read the clip once and draw the frames that the report shows."""
    key, worst, rejected = key_frames(clip), worst_rows(result), rejected_rows(result)
    wanted = {*key, *(int(result.frame[r]) for r in (*worst, *rejected))}
    shots, worst_frames = Shots(), {int(result.frame[r]): r for r in worst}
    plain = RerenderConfig(draw=tuple(n for n in draw if n != "error"))
    cfg = RerenderConfig(draw=(*plain.draw, "error"))
    with (
        progress.stage("report", len(wanted)),
        Grid(result, body, cfg, render) as words,
        Grid(result, body, plain, render) as no_words,
    ):
        for frame in clip.only(wanted):
            if frame.index in key or frame.index in worst_frames:
                shot = _whole(frame, words.draw(frame)[0])
                shots.key += [shot] if frame.index in key else []
                if frame.index in worst_frames:
                    row = worst_frames[frame.index]
                    shots.worst.append(Shot(shot.frame, shot.time_s, shot.jpeg, row))
            rows = [r for r in rejected if result.frame[r] == frame.index]
            drawn = no_words.draw(frame)[0] if rows else frame.image
            shots.rejected += [_part(frame, drawn, result, row) for row in rows]
            progress.advance(1)
    return shots


def key_frames(clip: VideoReader) -> list[int]:
    """Frames spread evenly over what was read, the first and the last not among them."""
    count = min(NUM_KEY, clip.num_selected)
    places = (np.arange(count) + 0.5) * clip.num_selected / count
    return [int(i) for i in clip.indices[places.astype(int)]]


def worst_rows(result: Result) -> list[int]:
    """Rows with the largest kept error, apart in time, in order of time."""
    chosen: list[int] = []
    for row in np.argsort(-result.loss_px, kind="stable"):
        away = np.abs(result.time_s[chosen] - result.time_s[row]) >= _APART_S
        if away.all() and result.frame[row] not in result.frame[chosen]:
            chosen.append(int(row))
        if len(chosen) == NUM_WORST:
            break
    return sorted(chosen)


def rejected_rows(result: Result) -> list[int]:
    """Rows whose fit was rejected; of many, some spread evenly."""
    rows = np.flatnonzero(result.status == REJECTED)
    if len(rows) > MAX_REJECTED:
        rows = rows[np.linspace(0, len(rows) - 1, MAX_REJECTED).astype(int)]
    return [int(r) for r in rows]


def _whole(frame: VideoFrame, image: np.ndarray) -> Shot:
    height, width = image.shape[:2]
    scale = min(1.0, _KEY_WIDTH_PX / max(width, height))
    small = resize(image, max(1, round(width * scale)), max(1, round(height * scale)))
    return Shot(frame.index, frame.time_s, jpeg_bytes(small))


def _part(frame: VideoFrame, image: np.ndarray, result: Result, row: int) -> Shot:
    """The person of a row with some surroundings, as high as all thumbnails."""
    box = result.bbox_xyxy[row].astype(float)
    margin = _AROUND * float((box[2:] - box[:2]).max())
    limits = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(box[:2] - margin), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(box[2:] + margin), low + 1, limits).astype(int)
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    width = max(1, round(part.shape[1] * _THUMB_HEIGHT_PX / part.shape[0]))
    return Shot(frame.index, frame.time_s, jpeg_bytes(resize(part, width, _THUMB_HEIGHT_PX)), row)

"""Tracks of a whole clip, put in order after the last frame.

A tracker sees one frame after the other; here the clip is known from end to end. Two ids on one
person become one, pieces of one person are joined over short gaps, flicker and ghosts go, and ids
are numbered from 1 in order of appearance. A track never reaches over a cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eftvideo.config import DetectConfig
from eftvideo.errors import ConfigError
from eftvideo.geometry.boxes import area
from eftvideo.track.matching import (
    MIN_JOINT_SCORE,
    Tracklet,
    gather,
    misfit,
    rename,
    same_person,
    select_ids,
)
from eftvideo.types import Detections, FrameDetections

MIN_SEEN = 4
"""Keypoints that make a sighting."""


@dataclass(frozen=True)
class TrackRow:
    """One line of the table of tracks."""

    track_id: int
    num_frames: int
    first_frame: int
    last_frame: int
    start_s: float
    seconds: float
    """From the first to the last frame that shows the person."""
    mean_score: float


def clean_tracks(frames: Sequence[FrameDetections], cfg: DetectConfig) -> list[FrameDetections]:
    """Join, thin out, number and choose the tracks of a clip.

    Numbers do not depend on `cfg.max_people` and `cfg.track_ids`.

    Args:
        frames: the clip's frames in order; people with track_id -1 are dropped.
        cfg: uses max_gap_s, the min_track_* rules, max_people and track_ids.

    Returns:
        As many frames, with the people kept, sorted by id.

    Raises:
        ConfigError: one of `cfg.track_ids` is not there.
    """
    out = join_pieces(merge_duplicates(frames), cfg.max_gap_s)
    out = renumber(drop_unlikely(out, cfg))
    if cfg.track_ids:
        out = keep_ids(out, cfg.track_ids)
    return out if cfg.max_people is None else keep_largest(out, cfg.max_people)


def merge_duplicates(frames: Sequence[FrameDetections]) -> list[FrameDetections]:
    """Two ids that lie on one person where they meet become the longer one's.

    In the frames that both are in, the box with the better score stays.
    """
    tracks = gather(frames)
    longest_first = sorted(tracks, key=lambda i: (-len(tracks[i].at), i))
    names: dict[int, int] = {}
    for a, b in _near(tracks, longest_first, 0.0):
        if b not in names and same_person(tracks[a], tracks[b]):
            names[b] = names.get(a, a)
    return [_best_of_each(f) for f in rename(frames, names)]


def _near(
    tracks: Mapping[int, Tracklet], order: Sequence[int], gap_s: float
) -> Iterator[tuple[int, int]]:
    """Pairs seen at one time or at most `gap_s` apart: the earlier in `order` first in each."""
    ids = np.array(order, dtype=np.int64)
    begin = np.array([tracks[i].time_s[0] for i in order]) - gap_s - 1e-6
    end = np.array([tracks[i].time_s[-1] for i in order])
    for n, b in enumerate(order):
        for a in ids[:n][(begin[:n] <= end[n]) & (begin[n] <= end[:n])].tolist():
            yield a, b


def _best_of_each(frame: FrameDetections) -> FrameDetections:
    people = frame.people
    best_first = np.argsort(-people.confidence, kind="stable")
    _, first = np.unique(people.track_id[best_first], return_index=True)
    keep = np.isin(np.arange(len(people)), best_first[first]) & (people.track_id >= 0)
    return replace(frame, people=people.select(keep))


def join_pieces(frames: Sequence[FrameDetections], max_gap_s: float) -> list[FrameDetections]:
    """Give one id to pieces that are one person, the best fitting first (see `misfit`)."""
    tracks = gather(frames)
    names: dict[int, int] = {}
    fits: dict[tuple[int, int], float] = {}

    def weigh(pairs: Iterable[tuple[int, int]]) -> None:
        for a, b in pairs:
            value = misfit(tracks[a], tracks[b], max_gap_s)
            if value < 1.0:
                fits[a, b] = value

    weigh(_near(tracks, sorted(tracks), max_gap_s))
    while fits:
        a, b = min(fits, key=lambda pair: (fits[pair], pair))
        tracks[a] = tracks[a].joined(tracks.pop(b))
        names = {old: a if new == b else new for old, new in {**names, b: a}.items()}
        touched = [pair for pair in fits if a in pair or b in pair]
        for pair in touched:
            del fits[pair]
        others = {c for pair in touched for c in pair} - {a, b}
        weigh((min(a, c), max(a, c)) for c in sorted(others))
    return rename(frames, names)


def drop_unseen(frames: Sequence[FrameDetections]) -> list[FrameDetections]:
    """Without the sightings of which fewer than `MIN_SEEN` keypoints are to be believed.

    Of somebody who has all but left the picture a box is all there is; any body would be made up.
    Within a track such frames are gaps.
    """
    return [replace(f, people=f.people.select(_num_seen(f.people) >= MIN_SEEN)) for f in frames]


def _num_seen(people: Detections) -> np.ndarray:
    return (people.keypoints[..., 2] >= MIN_JOINT_SCORE).sum(axis=1)


def drop_unlikely(frames: Sequence[FrameDetections], cfg: DetectConfig) -> list[FrameDetections]:
    """Drop flicker, and things that the detector takes for people half-heartedly.

    A track stays if it was seen for `min_track_s` or ever reached `min_track_confidence`, and if
    box score times mean keypoint score is `min_track_evidence` on average.
    """
    times = np.array([f.time_s for f in frames])
    frame_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0

    def stays(track: Tracklet) -> bool:
        score = track.people.confidence
        long_enough = len(track.at) * frame_s >= cfg.min_track_s - 1e-6
        evidence = float(np.mean(score * track.people.keypoints[..., 2].mean(axis=1)))
        confident = float(score.max()) >= cfg.min_track_confidence
        return (long_enough or confident) and evidence >= cfg.min_track_evidence

    return select_ids(frames, [i for i, track in gather(frames).items() if stays(track)])


def renumber(frames: Sequence[FrameDetections]) -> list[FrameDetections]:
    """Number the tracks 1, 2, ... in order of appearance, and sort each frame by id."""
    tracks = gather(frames)
    order = sorted(tracks, key=lambda i: (tracks[i].at[0], i))
    named = rename(frames, {old: new for new, old in enumerate(order, start=1)})
    return [replace(f, people=f.people.select(np.argsort(f.people.track_id))) for f in named]


def keep_ids(frames: Sequence[FrameDetections], track_ids: Iterable[int]) -> list[FrameDetections]:
    """Keep these tracks only.

    Raises:
        ConfigError: an id is not there; the message lists those there are.
    """
    wanted = sorted(set(track_ids))
    present = sorted(gather(frames))
    missing = [i for i in wanted if i not in present]
    if missing:
        raise ConfigError(
            f"no track {', '.join(map(str, missing))} in this clip: "
            f"choose from {', '.join(map(str, present)) or '(nobody was found)'}"
        )
    return select_ids(frames, wanted)


def keep_largest(frames: Sequence[FrameDetections], max_people: int) -> list[FrameDetections]:
    """Keep the tracks with the largest summed box area, at most `max_people`; ids stay.

    Raises:
        ConfigError: `max_people` is less than 1.
    """
    if max_people < 1:
        raise ConfigError(f"max_people must be 1 or more, but got {max_people}")
    size = {i: float(area(t.people.xyxy).sum()) for i, t in gather(frames).items()}
    return select_ids(frames, sorted(size, key=lambda i: (-size[i], i))[:max_people])


def track_table(frames: Sequence[FrameDetections]) -> list[TrackRow]:
    """One row per track, by id; people without a track are left out."""
    rows = []
    for track_id, track in sorted(gather(frames).items()):
        first, last = frames[track.at[0]], frames[track.at[-1]]
        rows.append(
            TrackRow(
                track_id=track_id,
                num_frames=len(track.at),
                first_frame=first.frame_index,
                last_frame=last.frame_index,
                start_s=first.time_s,
                seconds=last.time_s - first.time_s,
                mean_score=float(track.people.confidence.mean()),
            )
        )
    return rows

"""Tracks of a whole clip, put in order after the last frame.

A tracker sees one frame after the other; here the clip is known from end to end. Two ids on one
person become one, pieces of one person are joined over short gaps, flicker and ghosts go, and ids
are numbered from 1 in order of appearance. A track never reaches over a cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from eftvideo.errors import ConfigError
from eftvideo.geometry.boxes import area
from eftvideo.setup import Setup
from eftvideo.track.matching import Matcher
from eftvideo.types import FrameDetections
from eftvideo.types.track import Track, Tracks


def link_tracks(frames: Sequence[FrameDetections], setup: Setup) -> Tracks:
    """Join, thin out, number and choose the tracks of a clip.

    Numbers do not depend on `track.max_people` and `track.track_ids`.

    Args:
        frames: the clip's frames in order; people with track_id -1 are dropped.

    Raises:
        ConfigError: one of `track.track_ids` is not there.
    """
    tracks = Tracks.gather(frames)
    for step in (merge_duplicates, join_pieces, drop_unlikely):
        tracks = step(tracks, setup)
    tracks = renumber(tracks)
    cfg = setup.cfg.track
    if cfg.track_ids:
        tracks = keep_ids(tracks, cfg.track_ids)
    largest = cfg.max_people
    return tracks if largest is None else keep_largest(tracks, largest)


def merge_duplicates(tracks: Tracks, setup: Setup) -> Tracks:
    """Two ids that lie on one person where they meet become the longer one's.

    In the frames that both are in, the box with the better score stays.
    """
    if not setup.cfg.track.merge.enabled:
        return tracks
    matcher = Matcher(setup)
    by_id = {t.track_id: t for t in tracks.people}
    longest_first = sorted(by_id, key=lambda i: (-len(by_id[i]), i))
    names: dict[int, int] = {}
    for a, b in _near(by_id, longest_first, 0.0):
        if b not in names and matcher.same_person(by_id[a], by_id[b]):
            names[b] = names.get(a, a)
    parts: dict[int, list[Track]] = {}
    for track in tracks.people:
        parts.setdefault(names.get(track.track_id, track.track_id), []).append(track)
    return tracks.of(_best_of_each(some, name) for name, some in parts.items())


def _near(
    tracks: Mapping[int, Track], order: Sequence[int], gap_s: float
) -> Iterator[tuple[int, int]]:
    """Pairs seen at one time or at most `gap_s` apart: the earlier in `order` first in each."""
    ids = np.array(order, dtype=np.int64)
    begin = np.array([tracks[i].time_s[0] for i in order]) - gap_s - 1e-6
    end = np.array([tracks[i].time_s[-1] for i in order])
    for n, b in enumerate(order):
        for a in ids[:n][(begin[:n] <= end[n]) & (begin[n] <= end[:n])].tolist():
            yield a, b


def _best_of_each(parts: Sequence[Track], track_id: int) -> Track:
    """One track out of several; of two sightings in one frame the surer one."""
    if len(parts) == 1:
        return parts[0]
    both = parts[0].joined(*parts[1:])
    best_first = np.lexsort((-both.seen.confidence, both.at))
    _, first = np.unique(both.at[best_first], return_index=True)
    return both.select(best_first[first]).named(track_id)


def join_pieces(tracks: Tracks, setup: Setup) -> Tracks:
    """Give one id to pieces that are one person, the best fitting first (see `Matcher.misfit`)."""
    if not setup.cfg.track.join.enabled:
        return tracks
    matcher = Matcher(setup)
    by_id = {t.track_id: t for t in tracks.people}
    fits: dict[tuple[int, int], float] = {}

    def weigh(pairs: Iterable[tuple[int, int]]) -> None:
        for a, b in pairs:
            value = matcher.misfit(by_id[a], by_id[b])
            if value < 1.0:
                fits[a, b] = value

    weigh(_near(by_id, sorted(by_id), setup.cfg.detect.max_gap_s))
    while fits:
        a, b = min(fits, key=lambda pair: (fits[pair], pair))
        by_id[a] = by_id[a].joined(by_id.pop(b))
        touched = [pair for pair in fits if a in pair or b in pair]
        for pair in touched:
            del fits[pair]
        others = {c for pair in touched for c in pair} - {a, b}
        weigh((min(a, c), max(a, c)) for c in sorted(others))
    return tracks.of(by_id.values())


def drop_unlikely(tracks: Tracks, setup: Setup) -> Tracks:
    """Drop flicker, and things that the detector takes for people half-heartedly.

    A track stays if it was seen for `min_track_s` or ever reached `min_track_confidence`, if box
    score times mean keypoint score is `min_track_evidence` on average, and if the landmark network,
    where it looked, sees a person, too (`min_person`).
    """
    limits = setup.cfg.track.unlikely
    if not limits.enabled:
        return tracks

    def stays(track: Track) -> bool:
        score = track.seen.confidence
        long_enough = len(track) * tracks.timeline.step_s >= limits.min_track_s - 1e-6
        evidence = float(np.mean(score * track.keypoints[..., 2].mean(axis=1)))
        confident = float(score.max()) >= limits.min_track_confidence
        looked = track.landmarks.person[~np.isnan(track.landmarks.person)]
        is_person = not len(looked) or float(np.median(looked)) >= limits.min_person
        return (long_enough or confident) and evidence >= limits.min_track_evidence and is_person

    return tracks.of(t for t in tracks.people if stays(t))


def drop_unseen(tracks: Tracks, setup: Setup) -> Tracks:
    """Without the sightings of which fewer than `min_seen` keypoints are to be believed.

    Of somebody who has all but left the picture a box is all there is; any body would be made up.
    Within a track such frames are gaps.
    """
    cfg = setup.cfg.track.unseen
    if not cfg.enabled:
        return tracks
    least, score = cfg.min_seen, setup.cfg.keypoints.min_score
    return tracks.of(
        t.select((t.keypoints[..., 2] >= score).sum(axis=1) >= least) for t in tracks.people
    )


def renumber(tracks: Tracks) -> Tracks:
    """Number the tracks 1, 2, ... in order of appearance."""
    order = sorted(tracks.people, key=lambda t: (t.at[0], t.track_id))
    return tracks.of(t.named(new) for new, t in enumerate(order, start=1))


def keep_ids(tracks: Tracks, track_ids: Iterable[int]) -> Tracks:
    """Keep these tracks only.

    Raises:
        ConfigError: an id is not there; the message lists those there are.
    """
    wanted = set(track_ids)
    present = [t.track_id for t in tracks.people]
    missing = sorted(wanted - set(present))
    if missing:
        raise ConfigError(
            f"no track {', '.join(map(str, missing))} in this clip: "
            f"choose from {', '.join(map(str, present)) or '(nobody was found)'}"
        )
    return tracks.of(t for t in tracks.people if t.track_id in wanted)


def keep_largest(tracks: Tracks, max_people: int) -> Tracks:
    """Keep the tracks with the largest summed box area, at most `max_people`; ids stay."""
    size = {t.track_id: float(area(t.xyxy).sum()) for t in tracks.people}
    largest = sorted(size, key=lambda i: (-size[i], i))[:max_people]
    return tracks.of(t for t in tracks.people if t.track_id in largest)

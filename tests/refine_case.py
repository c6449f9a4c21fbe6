"""Rows of a result as fits, for the tests of what is done to whole tracks after the fit."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from eftvideo.results.result import empty_rows
from eftvideo.types import Detections
from eftvideo.types.track import Timeline, Track
from eftvideo.types.track_fit import Bodies, Fits, TrackFit

Rows = dict[str, np.ndarray]
BEHIND_CUT = 100
"""Somebody's id is larger by this behind a cut: a track is of one shot."""


def blank_rows(num: int) -> Rows:
    """As many rows of zeros."""
    return {k: np.zeros((num, *v.shape[1:]), v.dtype) for k, v in empty_rows().items()}


def fits_of(
    rows: Rows, num_frames: int, cuts: Collection[int] = (), *, first: int = 0, posed: bool = True
) -> Fits:
    """Rows (as of a result) among `num_frames` frames, 30 a second, which begin with `first`."""
    index = np.arange(num_frames)
    timeline = Timeline(index + first, index / 30, np.isin(index, list(cuts)))
    at = rows["frame"].astype(np.int64) - first
    shot = np.cumsum(timeline.is_cut)[at]
    people = []
    for one in np.unique(rows["track_id"]).tolist():
        for number in np.unique(shot[rows["track_id"] == one]).tolist():
            mine = np.flatnonzero((rows["track_id"] == one) & (shot == number))
            track_id = one + BEHIND_CUT * (number - int(shot[rows["track_id"] == one][0]))
            seen = Detections(
                rows["bbox_xyxy"][mine],
                rows["bbox_score"][mine],
                rows["keypoints2d"][mine],
                np.full(len(mine), track_id),
            )
            where = at[mine]
            times = timeline.time_s[where]
            track = Track(track_id, number, where, timeline.frame[where], times, seen)
            bodies = Bodies(**{n: rows[n][mine] for n in Bodies.__annotations__})
            people.append(TrackFit(track, bodies))
    people.sort(key=lambda p: p.track.track_id)
    return Fits(timeline, tuple(people), posed)

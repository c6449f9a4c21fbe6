"""Posters and statues go where somebody else moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.track.still import drop_still, unrest
from eftvideo.types import Landmarks
from eftvideo.types.track import Tracks
from tests.setup_case import setup_of
from tests.track_case import one_track, seen

BOX = np.array([0.0, 0.0, 100.0, 200.0])


def somebody(track_id, num=60, stirs=0.0, looked=True, seed=0):
    """In a box 200 px high, whose landmarks change by a share of it."""
    rng = np.random.default_rng(seed)
    track = one_track(np.full((num, 17, 3), 0.9), BOX).people[0].named(track_id)
    if not looked:
        return track
    points = np.full((num, 33, 4), 0.9)
    pose = rng.uniform(0.0, 200.0, (33, 2))
    points[..., :2] = pose + 200.0 * stirs * rng.standard_normal((num, 33, 2))
    marks = Landmarks(
        points.astype(np.float32), np.zeros((num, 33, 3), np.float32), np.ones(num, np.float32)
    )
    return replace(track, seen=replace(track.seen, landmarks=marks))


def everybody(*people):
    return Tracks(one_track(np.zeros((90, 17, 3)), BOX).timeline, ()).of(people)


def test_who_never_stirs_goes_where_somebody_moves():
    both = everybody(somebody(1, stirs=0.05), somebody(2, stirs=0.0002), somebody(3, stirs=0.003))
    assert set(seen(drop_still(both, setup_of()))) == {1, 3}
    off = setup_of("track.unlikely.enabled=no")
    assert set(seen(drop_still(both, off))) == {1, 2, 3}


def test_where_the_picture_does_not_move_nobody_is():
    def watched(track, flow):
        stirs = np.full(len(track), np.nan, np.float32)
        stirs[[30, 45, 59]] = flow
        return replace(track, seen=replace(track.seen, stirs=stirs))

    dancer, poster = somebody(1, stirs=0.05), watched(somebody(2, stirs=0.003), 1e-4)
    shaded = watched(somebody(3, stirs=0.003), (1e-4, 0.01, 1e-4))
    at_ease = watched(somebody(4, stirs=0.003), 1e-3)
    people = everybody(dancer, poster, shaded, at_ease)
    assert set(seen(drop_still(people, setup_of()))) == {1, 4}
    alone = everybody(poster, at_ease)
    assert set(seen(drop_still(alone, setup_of()))) == {2, 4}


@pytest.mark.parametrize(
    "people",
    [
        pytest.param((somebody(1), somebody(2, stirs=0.003)), id="nobody moves"),
        pytest.param((somebody(1, num=30), somebody(2, stirs=0.05)), id="seen for a second"),
        pytest.param((somebody(1, looked=False), somebody(2, stirs=0.05)), id="nobody looked"),
        pytest.param((somebody(1), somebody(2, looked=False)), id="who moves is not known"),
    ],
)
def test_who_stays(people):
    assert set(seen(drop_still(everybody(*people), setup_of()))) == {1, 2}


def test_unrest_is_of_the_pose_whatever_the_camera_does():
    track = somebody(1, stirs=0.0)
    points = track.landmarks.points2d.copy()
    turn = np.exp(1j * np.linspace(0.0, 0.3, 60)) * np.linspace(1.0, 1.5, 60)
    moved = (points[..., 0] + 1j * points[..., 1]) * turn[:, None] + np.linspace(0, 90, 60)[:, None]
    points[..., 0], points[..., 1] = moved.real, moved.imag
    marks = replace(track.landmarks, points2d=points)
    shaken = replace(track, seen=replace(track.seen, landmarks=marks))
    assert unrest(track) == pytest.approx(0.0, abs=1e-5)
    assert unrest(shaken) < 2e-3 < unrest(somebody(1, stirs=0.01))

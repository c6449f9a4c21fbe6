"""Tracks as data: what is gathered, selected and joined, and in which order rows come."""

from __future__ import annotations

import numpy as np
import pytest

from eftvideo.types import Detections, FrameDetections
from eftvideo.types.track import Timeline, Track, Tracks
from tests.track_case import frames_of, seen


def sighting(value):
    """Box and keypoints say which sighting it is."""
    return np.full(4, value, np.float32), 0.5, np.full((17, 3), value, np.float32)


def whose(track_id, frames):
    return {at: sighting(100 * track_id + at) for at in frames}


def gathered(people, count, cuts=()):
    return Tracks.gather(frames_of({i: whose(i, at) for i, at in people.items()}, count, cuts))


def consistent(track):
    """Whether ids, times, frames and what was seen are all those of the sightings."""
    assert set(track.seen.track_id.tolist()) <= {track.track_id}
    assert track.time_s == pytest.approx(track.at / 25.0)
    assert track.frame.tolist() == track.at.tolist()
    assert len(track) == len(track.at) == len(track.seen) == len(track.xyxy)
    return True


def test_timeline():
    frames = [
        FrameDetections(frame, time_s, Detections.empty(), frame == 12)
        for frame, time_s in ((10, 0.4), (12, 0.5), (14, 0.6), (16, 0.9))
    ]
    timeline = Timeline.of(frames)
    assert len(timeline) == 4 and timeline.frame.tolist() == [10, 12, 14, 16]
    assert timeline.time_s.tolist() == [0.4, 0.5, 0.6, 0.9]
    assert timeline.is_cut.tolist() == [False, True, False, False]
    assert timeline.step_s == pytest.approx(0.1)
    assert Timeline.of(frames[:1]).step_s == Timeline.of([]).step_s == 0.0


def test_gathered_by_id_in_order_of_time():
    tracks = gathered({9: [0, 1, 4], 2: [1, 2], -1: [0, 1, 2, 3]}, 5)
    assert seen(tracks) == {2: [1, 2], 9: [0, 1, 4]}
    assert [t.track_id for t in tracks.people] == [2, 9]
    for track in tracks.people:
        assert consistent(track) and track.shot == 0
        assert track.xyxy[:, 0].tolist() == (100 * track.track_id + track.at).tolist()
        assert np.array_equal(track.keypoints[:, 0, 0], track.xyxy[:, 0])


@pytest.mark.parametrize("frames", [[], frames_of({}, 3), frames_of({-1: whose(0, [0, 2])}, 3)])
def test_nobody_is_gathered(frames):
    tracks = Tracks.gather(frames)
    assert len(tracks) == 0 and tracks.people == () and len(tracks.timeline) == len(frames)
    who, which, _ = tracks.rows()
    assert len(who) == len(which) == 0 and which.dtype == np.int64


def test_times_and_indices_are_those_of_the_clip():
    """Of a run from the middle of the clip, with every other frame."""
    frames = [
        FrameDetections(f.frame_index * 2 + 30, f.time_s + 7.0, f.people, f.is_cut)
        for f in frames_of({3: whose(3, [1, 2])}, 3)
    ]
    (track,) = Tracks.gather(frames).people
    assert track.at.tolist() == [1, 2] and track.frame.tolist() == [32, 34]
    assert track.time_s == pytest.approx([7.04, 7.08])


def test_a_track_never_reaches_over_a_cut():
    tracks = gathered({1: range(8), 4: [0, 5]}, 8, cuts=(3, 6))
    assert seen(tracks) == {1: [0, 1, 2], 4: [0], 5: [3, 4, 5], 6: [6, 7], 7: [5]}
    assert [t.shot for t in tracks.people] == [0, 0, 1, 2, 1]
    assert all(consistent(t) for t in tracks.people)
    # The first frame of a clip may be called a cut or not: it is all one.
    assert seen(gathered({1: range(4)}, 4, cuts=(0,))) == {1: [0, 1, 2, 3]}


def test_stretches_start_where_the_frame_before_shows_nobody():
    (track,) = gathered({1: [0, 1, 4, 5, 7]}, 8).people
    assert track.starts.tolist() == [True, False, True, False, True]
    assert track.select(track.at > 0).starts.tolist() == [True, True, False, True]
    assert track.select(track.at > 9).starts.tolist() == []


@pytest.mark.parametrize("index", [np.array([1, 3]), np.array([False, True, False, True])])
def test_select_takes_every_field(index):
    (track,) = gathered({1: [0, 2, 3, 6]}, 8).people
    some = track.select(index)
    assert some.at.tolist() == [2, 6] and consistent(some)
    assert some.xyxy[:, 0].tolist() == [102.0, 106.0]
    assert (some.track_id, some.shot) == (track.track_id, track.shot)
    assert len(track) == 4, "the track itself stays"


def test_joined_in_order_of_time_under_the_firsts_id():
    one, two, three = gathered({1: [0, 1, 6], 2: [3, 4], 3: [2, 7]}, 8).people
    both = two.joined(one, three)
    assert both.at.tolist() == [0, 1, 2, 3, 4, 6, 7] and both.track_id == 2
    assert consistent(both)
    assert both.xyxy[:, 0].tolist() == [100.0, 101.0, 302.0, 203.0, 204.0, 106.0, 307.0]
    alone = two.joined()
    assert alone.at.tolist() == [3, 4] and np.array_equal(alone.xyxy, two.xyxy)


def test_joined_of_one_frame_in_the_order_given():
    one, two = gathered({1: [0, 1], 2: [1, 2]}, 3).people
    assert one.joined(two).xyxy[:, 0].tolist() == [100.0, 101.0, 201.0, 202.0]
    assert two.joined(one).xyxy[:, 0].tolist() == [100.0, 201.0, 101.0, 202.0]


def test_parts_joined_are_the_whole():
    (track,) = gathered({1: [0, 1, 4, 6]}, 8).people
    odd = np.array([True, False, True, False])
    whole = track.select(~odd).joined(track.select(odd))
    for name in ("at", "frame", "time_s", "xyxy", "keypoints"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(track, name))


def test_other_keypoints_and_another_name_change_nothing_else():
    (track,) = gathered({1: [0, 2]}, 3).people
    moved = track.with_keypoints(track.keypoints + np.float32(1.0))
    assert np.array_equal(moved.keypoints, track.keypoints + 1.0)
    assert np.array_equal(moved.xyxy, track.xyxy) and moved.at is track.at
    with pytest.raises(ValueError, match="keypoints must have shape"):
        track.with_keypoints(track.keypoints[:1])
    other = track.named(8)
    assert other.track_id == 8 and consistent(other) and track.track_id == 1
    assert np.array_equal(other.keypoints, track.keypoints)


def test_rows_by_frame_then_by_id():
    tracks = gathered({7: [0, 2, 3], 2: [2, 3], 5: [0, 1, 2]}, 5)
    who, which, at = tracks.rows()
    rows = [
        (int(tracks.people[p].at[k]), tracks.people[p].track_id)
        for p, k in zip(who, which, strict=True)
    ]
    assert at.tolist() == [place for place, _ in rows]
    assert rows == [(0, 5), (0, 7), (1, 5), (2, 2), (2, 5), (2, 7), (3, 2), (3, 7)]
    assert which.dtype == np.int64


def test_of_sorts_and_leaves_out_the_empty():
    tracks = gathered({1: [0, 1], 2: [1], 3: [2]}, 3)
    one, two, three = tracks.people
    some = tracks.of([three, two.select(np.array([], np.int64)), one.named(4)])
    assert [t.track_id for t in some.people] == [3, 4] and some.timeline is tracks.timeline
    assert len(tracks.of([])) == 0
    assert isinstance(some.people[0], Track)

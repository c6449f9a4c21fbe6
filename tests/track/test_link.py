"""Laws of the clip-wide track clean-up, on people made of boxes and stick figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.errors import ConfigError
from eftvideo.track import drop_unseen, link_tracks
from eftvideo.track.link import drop_unlikely, join_pieces, merge_duplicates
from eftvideo.types.track import Tracks
from eftvideo.types.track_table import track_table
from tests.setup_case import setup_of
from tests.track_case import frames_of, seen

_RNG = np.random.default_rng(0)
STANDING = np.column_stack([_RNG.uniform(0.1, 0.9, 17), np.linspace(0.0, 1.0, 17)])
"""Keypoints as shares of the box."""
BENT = STANDING[::-1].copy()


def person(x, y=100.0, side=100.0, pose=STANDING, score=0.9, joint_score=0.9):
    """One row: box of side/2 by side with its upper left corner at x, y."""
    xyxy = np.array([x, y, x + side / 2, y + side], np.float32)
    points = pose * [side / 2, side] + [x, y]
    keypoints = np.column_stack([points, np.full(17, joint_score)]).astype(np.float32)
    return xyxy, score, keypoints


def gathered(people, count, cuts=()):
    return Tracks.gather(frames_of(people, count, cuts))


def walk(start, stop, speed=4.0, **kwargs):
    return {at: person(10.0 + speed * at, **kwargs) for at in range(start, stop)}


def test_pieces_of_a_walk_are_joined_and_numbered_from_one():
    frames = frames_of({7: walk(0, 20), 9: walk(30, 50)}, 50)
    out = link_tracks(frames, setup_of())
    assert seen(out) == {1: [*range(20), *range(30, 50)]}
    assert set(out.people[0].seen.track_id) == {1}


@pytest.mark.parametrize(
    "later, cuts",
    [
        pytest.param(walk(60, 80), (), id="gap longer than max_gap_s"),
        pytest.param(walk(30, 50, y=300.0), (), id="elsewhere"),
        pytest.param(walk(30, 50, side=160.0), (), id="another size"),
        pytest.param(walk(30, 50, pose=BENT), (), id="another pose"),
        pytest.param(walk(30, 50, joint_score=0.2), (), id="pose not to be seen"),
        pytest.param(walk(30, 50), (25,), id="behind a cut"),
        pytest.param(walk(19, 50), (), id="both in one frame"),
    ],
)
def test_other_people_are_not_joined(later, cuts):
    tracks = gathered({1: walk(0, 20, y=100.0), 2: later}, 80, cuts)
    if not cuts and 19 in later:  # far from the first one where both are seen
        tracks = gathered({1: walk(0, 20), 2: walk(19, 50, y=240.0)}, 80)
    assert len(join_pieces(tracks, setup_of())) == 2


@pytest.mark.parametrize(
    ("begins", "x", "ids"),
    [
        pytest.param(12, 110.0, 1, id="at once, in the same place"),
        pytest.param(18, 110.0, 2, id="later"),
        pytest.param(12, 170.0, 2, id="elsewhere"),
    ],
)
def test_somebody_who_curls_up_and_stretches_stays_the_same(begins, x, ids):
    curled = {at: person(120.0, 130.0, side=40.0, pose=BENT) for at in range(10)}
    stretched = {at: person(x, 100.0, side=110.0) for at in range(begins, begins + 12)}
    tracks = gathered({1: curled, 2: stretched}, 32)
    assert len(join_pieces(tracks, setup_of())) == ids


def test_a_piece_fills_the_gap_of_another():
    rows = walk(0, 40)
    outer = {at: row for at, row in rows.items() if not 15 <= at < 25}
    inner = {at: rows[at] for at in range(15, 25)}
    assert seen(join_pieces(gathered({1: outer, 2: inner}, 40), setup_of())) == {1: list(range(40))}


def test_crossing_pieces_go_on_in_their_own_direction():
    left = {at: person(10.0 + 8.0 * at) for at in range(40)}
    right = {at: person(330.0 - 8.0 * at) for at in range(40)}
    cut_out = set(range(16, 26))
    people = {
        1: {at: r for at, r in left.items() if at < 16},
        2: {at: r for at, r in right.items() if at < 16},
        3: {at: r for at, r in right.items() if at > 25},
        4: {at: r for at, r in left.items() if at > 25},
    }
    out = join_pieces(gathered(people, 40), setup_of())
    assert seen(out) == {i: [at for at in range(40) if at not in cut_out] for i in (1, 2)}
    first, second = out.people
    assert first.at[-1] == second.at[-1] == 39
    assert first.xyxy[-1, 0] > second.xyxy[-1, 0]


def test_two_boxes_on_one_person_become_the_better_one():
    whole = walk(0, 30, score=0.8)
    half = {}
    for at in range(5, 15):
        xyxy, _, keypoints = whole[at]
        xyxy = xyxy.copy()
        xyxy[3] -= 45.0
        half[at] = (xyxy, 0.9 if at == 7 else 0.4, keypoints + np.float32([1, 1, 0]))
    out = merge_duplicates(gathered({4: whole, 6: half}, 30), setup_of())
    assert seen(out) == {4: list(range(30))}
    (person,) = out.people
    assert person.seen.confidence[7] == np.float32(0.9)
    assert person.seen.confidence[8] == np.float32(0.8)
    assert set(person.seen.track_id) == {4}


def test_a_child_before_an_adult_is_not_a_duplicate():
    adult = {at: person(50.0, side=200.0) for at in range(20)}
    child = {at: person(65.0, y=180.0, side=110.0) for at in range(20)}
    assert set(seen(merge_duplicates(gathered({1: adult, 2: child}, 20), setup_of()))) == {1, 2}


@pytest.mark.parametrize(
    "length, score, joint_score, stays",
    [
        (4, 0.5, 0.9, False),  # 0.16 s < min_track_s
        (5, 0.5, 0.9, True),
        (1, 0.7, 0.9, True),  # brief but confident
        (30, 0.3, 0.9, True),  # a small person far away
        (30, 0.5, 0.3, False),  # a motorbike
    ],
)
def test_flicker_and_ghosts_go(length, score, joint_score, stays):
    rows = {at: person(50.0, score=score, joint_score=joint_score) for at in range(length)}
    assert seen(drop_unlikely(gathered({3: rows}, 30), setup_of())) == (
        {3: list(range(length))} if stays else {}
    )


def test_who_has_all_but_left_the_picture_is_not_seen_any_more():
    rows = walk(0, 20)
    for at in (8, 18, 19):
        rows[at][2][3:, 2] = 0.2
    tracks = drop_unseen(gathered({1: rows, 2: walk(0, 20, y=300.0)}, 20), setup_of())
    assert seen(tracks) == {1: [*range(8), *range(9, 18)], 2: list(range(20))}


def test_ids_do_not_depend_on_who_is_kept():
    people = {
        30: walk(0, 30, side=60.0),
        20: walk(5, 30, y=300.0, side=200.0),
        10: walk(9, 30, y=600.0),
    }
    frames = frames_of(people, 30)
    assert {i: at[0] for i, at in seen(link_tracks(frames, setup_of())).items()} == {
        1: 0,
        2: 5,
        3: 9,
    }
    assert set(seen(link_tracks(frames, setup_of("track.max_people=2")))) == {2, 3}
    assert set(seen(link_tracks(frames, setup_of("track.track_ids=1,3")))) == {1, 3}


def test_an_unknown_id_is_refused_with_those_there_are():
    frames = frames_of({1: walk(0, 30), 2: walk(0, 30, y=400.0)}, 30)
    with pytest.raises(ConfigError, match=r"no track 5 .* choose from 1, 2$"):
        link_tracks(frames, setup_of("track.track_ids=1,5"))
    with pytest.raises(ConfigError, match="max_people must be a whole number of 1 or more"):
        setup_of("track.max_people=0")


def test_nobody_in_the_clip():
    out = link_tracks(frames_of({}, 10), setup_of())
    assert len(out) == 0 and len(out.timeline) == 10
    assert track_table(out) == []
    nothing = link_tracks([], setup_of())
    assert len(nothing) == len(nothing.timeline) == 0
    assert len(drop_unseen(nothing, setup_of())) == 0


def test_the_input_is_left_alone_and_people_without_a_track_go():
    frames = frames_of({-1: walk(0, 30), 5: walk(0, 30, y=400.0)}, 30)
    out = link_tracks(frames, setup_of())
    assert all(f.people.track_id.tolist() == [-1, 5] for f in frames)
    assert seen(out) == {1: list(range(30))}


def test_table():
    tracks = gathered({1: walk(5, 15, score=0.5), 2: walk(10, 30, y=400.0)}, 30)
    first, second = track_table(tracks)
    assert (first.track_id, first.num_frames, first.first_frame, first.last_frame) == (1, 10, 5, 14)
    assert (first.start_s, first.seconds) == pytest.approx((0.2, 0.36))
    assert first.mean_score == pytest.approx(0.5)
    assert (second.track_id, second.num_frames) == (2, 20)


def everything():
    """A walk in two pieces, a second box on it, flicker, and somebody who has all but left."""
    whole = walk(0, 50)
    pieces = {1: {at: whole[at] for at in range(20)}, 2: {at: whole[at] for at in range(30, 50)}}
    double = {3: {at: whole[at] for at in range(5, 15)}}
    flicker = {4: {at: person(300.0, 300.0, score=0.5) for at in range(3)}}
    leaving = {5: walk(0, 50, y=600.0)}
    for at in range(40, 50):
        leaving[5][at][2][3:, 2] = 0.2
    return frames_of(pieces | double | flicker | leaving, 50)


def test_every_step_alone():
    """What each is for, and that it leaves all as it is when it is off."""
    tracks = Tracks.gather(everything())
    for step, group, left in (
        (merge_duplicates, "merge", {1: 20, 2: 20, 4: 3, 5: 50}),
        (join_pieces, "join", {1: 40, 3: 10, 4: 3, 5: 50}),
        (drop_unlikely, "unlikely", {1: 20, 2: 20, 3: 10, 5: 50}),
        (drop_unseen, "unseen", {1: 20, 2: 20, 3: 10, 4: 3, 5: 40}),
    ):
        assert {i: len(at) for i, at in seen(step(tracks, setup_of())).items()} == left, group
        assert step(tracks, setup_of(f"track.{group}.enabled=no")) is tracks, group


@pytest.mark.parametrize(
    ("off", "lengths"),
    [
        ((), [40, 50]),
        (("merge",), [40, 10, 50]),
        (("join",), [20, 50, 20]),
        (("unlikely",), [40, 3, 50]),
        (("merge", "join", "unlikely"), [20, 3, 50, 20, 10]),
    ],
)
def test_no_step_needs_another(off, lengths):
    out = link_tracks(everything(), setup_of(*(f"track.{group}.enabled=no" for group in off)))
    assert sorted(map(len, out.people)) == sorted(lengths)
    assert [t.track_id for t in out.people] == list(range(1, len(lengths) + 1))
    assert [t.at[0] for t in out.people] == sorted(t.at[0] for t in out.people)


@pytest.mark.parametrize(
    ("scores", "stays"),
    [
        pytest.param([0.05] * 9 + [0.9], False, id="a thing that once looks like somebody"),
        pytest.param([0.5] * 5 + [0.1] * 4 + [np.nan], True, id="legs alone"),
        pytest.param([np.nan] * 10, True, id="nobody looked"),
    ],
)
def test_what_the_landmark_network_takes_for_no_person_is_dropped(scores, stays):
    rows = {at: person(50.0) for at in range(10)}
    tracks = gathered({3: rows}, 10)
    (track,) = tracks.people
    marks = replace(track.landmarks, person=np.array(scores, np.float32))
    looked = replace(track, seen=replace(track.seen, landmarks=marks))
    assert len(drop_unlikely(tracks.of([looked]), setup_of())) == stays

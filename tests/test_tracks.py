"""Laws of the clip-wide track clean-up, on people made of boxes and stick figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.config import DetectConfig
from eftvideo.errors import ConfigError
from eftvideo.track import link as tracks
from eftvideo.types import Detections, FrameDetections

FPS = 25.0
CFG = DetectConfig()
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


def frames_of(people, count, cuts=()):
    """`people`: {id: {frame: row}}."""
    out = []
    for at in range(count):
        here = [(i, rows[at]) for i, rows in people.items() if at in rows]
        out.append(
            FrameDetections(
                at,
                at / FPS,
                Detections(
                    np.array([r[0] for _, r in here], np.float32).reshape(-1, 4),
                    np.array([r[1] for _, r in here], np.float32),
                    np.array([r[2] for _, r in here], np.float32).reshape(-1, 17, 3),
                    np.array([i for i, _ in here], np.int64),
                ),
                at in cuts,
            )
        )
    return out


def seen(frames):
    """{id: list of the frames it is in}."""
    out = {}
    for at, frame in enumerate(frames):
        for i in frame.people.track_id.tolist():
            out.setdefault(i, []).append(at)
    return out


def walk(start, stop, speed=4.0, **kwargs):
    return {at: person(10.0 + speed * at, **kwargs) for at in range(start, stop)}


def test_pieces_of_a_walk_are_joined_and_numbered_from_one():
    frames = frames_of({7: walk(0, 20), 9: walk(30, 50)}, 50)
    out = tracks.clean_tracks(frames, CFG)
    assert seen(out) == {1: [*range(20), *range(30, 50)]}


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
    frames = frames_of({1: walk(0, 20, y=100.0), 2: later}, 80, cuts)
    if not cuts and 19 in later:  # far from the first one where both are seen
        frames = frames_of({1: walk(0, 20), 2: walk(19, 50, y=240.0)}, 80)
    assert len(seen(tracks.join_pieces(frames, CFG.max_gap_s))) == 2


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
    frames = frames_of({1: curled, 2: stretched}, 32)
    assert len(seen(tracks.join_pieces(frames, CFG.max_gap_s))) == ids


def test_a_piece_fills_the_gap_of_another():
    rows = walk(0, 40)
    outer = {at: row for at, row in rows.items() if not 15 <= at < 25}
    inner = {at: rows[at] for at in range(15, 25)}
    assert seen(tracks.join_pieces(frames_of({1: outer, 2: inner}, 40), 1.0)) == {
        1: list(range(40))
    }


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
    out = tracks.join_pieces(frames_of(people, 40), 1.0)
    assert seen(out) == {i: [at for at in range(40) if at not in cut_out] for i in (1, 2)}
    last = out[-1].people
    assert last.xyxy[last.track_id == 1][0, 0] > last.xyxy[last.track_id == 2][0, 0]


def test_two_boxes_on_one_person_become_the_better_one():
    whole = walk(0, 30, score=0.8)
    half = {}
    for at in range(5, 15):
        xyxy, _, keypoints = whole[at]
        xyxy = xyxy.copy()
        xyxy[3] -= 45.0
        half[at] = (xyxy, 0.9 if at == 7 else 0.4, keypoints + np.float32([1, 1, 0]))
    out = tracks.merge_duplicates(frames_of({4: whole, 6: half}, 30))
    assert seen(out) == {4: list(range(30))}
    assert out[7].people.confidence[0] == np.float32(0.9)
    assert out[8].people.confidence[0] == np.float32(0.8)


def test_a_child_before_an_adult_is_not_a_duplicate():
    adult = {at: person(50.0, side=200.0) for at in range(20)}
    child = {at: person(65.0, y=180.0, side=110.0) for at in range(20)}
    assert set(seen(tracks.merge_duplicates(frames_of({1: adult, 2: child}, 20)))) == {1, 2}


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
    assert seen(tracks.drop_unlikely(frames_of({3: rows}, 30), CFG)) == (
        {3: list(range(length))} if stays else {}
    )


def test_who_has_all_but_left_the_picture_is_not_seen_any_more():
    rows = walk(0, 20)
    for at in (8, 18, 19):
        rows[at][2][3:, 2] = 0.2
    frames = tracks.drop_unseen(frames_of({1: rows, 2: walk(0, 20, y=300.0)}, 20))
    assert seen(frames) == {1: [*range(8), *range(9, 18)], 2: list(range(20))}


def test_ids_do_not_depend_on_who_is_kept():
    people = {
        30: walk(0, 30, side=60.0),
        20: walk(5, 30, y=300.0, side=200.0),
        10: walk(9, 30, y=600.0),
    }
    frames = frames_of(people, 30)
    assert {i: at[0] for i, at in seen(tracks.clean_tracks(frames, CFG)).items()} == {
        1: 0,
        2: 5,
        3: 9,
    }
    two = tracks.clean_tracks(frames, replace(CFG, max_people=2))
    assert set(seen(two)) == {2, 3}
    assert set(seen(tracks.clean_tracks(frames, replace(CFG, track_ids=(1, 3))))) == {1, 3}


def test_an_unknown_id_is_refused_with_those_there_are():
    frames = frames_of({1: walk(0, 30), 2: walk(0, 30, y=400.0)}, 30)
    with pytest.raises(ConfigError, match=r"no track 5 .* choose from 1, 2$"):
        tracks.clean_tracks(frames, replace(CFG, track_ids=(1, 5)))
    with pytest.raises(ConfigError, match="max_people must be 1 or more"):
        tracks.keep_largest(frames, 0)


def test_nobody_in_the_clip():
    frames = frames_of({}, 10)
    out = tracks.clean_tracks(frames, CFG)
    assert [len(f.people) for f in out] == [0] * 10
    assert tracks.track_table(out) == []
    assert tracks.clean_tracks([], CFG) == []


def test_the_input_is_left_alone_and_people_without_a_track_go():
    frames = frames_of({-1: walk(0, 30), 5: walk(0, 30, y=400.0)}, 30)
    out = tracks.clean_tracks(frames, CFG)
    assert seen(frames).keys() == {-1, 5}
    assert seen(out) == {1: list(range(30))}


def test_table():
    frames = frames_of({1: walk(5, 15, score=0.5), 2: walk(10, 30, y=400.0)}, 30)
    first, second = tracks.track_table(frames)
    assert (first.track_id, first.num_frames, first.first_frame, first.last_frame) == (1, 10, 5, 14)
    assert (first.start_s, first.seconds) == pytest.approx((0.2, 0.36))
    assert first.mean_score == pytest.approx(0.5)
    assert (second.track_id, second.num_frames) == (2, 20)

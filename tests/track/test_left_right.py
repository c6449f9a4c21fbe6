"""Left and right put back in place."""

from dataclasses import replace

import numpy as np

from eftvideo.geometry.skeletons import COCO17, mirror_index
from eftvideo.track import left_right, mend_left_right
from eftvideo.types import Landmarks
from eftvideo.types.track import Tracks
from tests.setup_case import setup_of
from tests.track_case import frames_of, one_track

MIRROR = mirror_index(COCO17)
BOX = np.array([250.0, 0.0, 450.0, 200.0])


def swapped_frames(keypoints, side_px):
    return left_right.swapped_frames(keypoints, side_px, setup_of())


def walker(num=30):
    """(T, 17, 3): somebody 200 px tall, 60 px wide, who drifts to the right."""
    rng = np.random.default_rng(0)
    base = np.zeros((17, 3))
    base[:, 0] = [30 if "left" in n else -30 if "right" in n else 0 for n in COCO17]
    base[:, 1] = np.linspace(0, 200, 17)
    base[:, 2] = 0.9
    track = np.repeat(base[None], num, axis=0)
    track[..., 0] += np.arange(num)[:, None] * 3 + 300
    track[..., :2] += rng.normal(0, 1, (num, 17, 2))
    return track


def test_spells_of_swapped_labels_are_found():
    track = walker()
    wrong = np.zeros(30, bool)
    wrong[[4, 5, 11, 20, 21, 22]] = True
    track[wrong] = track[wrong][:, MIRROR]
    found = swapped_frames(track, np.full(30, 200.0))
    assert np.array_equal(found, np.stack([wrong, wrong], axis=1))


def test_legs_alone_may_be_swapped():
    track = walker()
    wrong, legs = np.zeros(30, bool), slice(COCO17.index("left_hip"), None)
    wrong[[7, 20, 21, 22, 23]] = True
    spoilt = track.copy()
    spoilt[wrong, legs] = track[wrong][:, MIRROR][:, legs]
    found = swapped_frames(spoilt, np.full(30, 200.0))
    assert np.array_equal(found[:, 1], wrong) and not found[:, 0].any()


def test_legs_that_pass_each_other_are_left_alone():
    track, t = walker(60), np.arange(60)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, reach in (("knee", 30.0), ("ankle", 55.0)):
            joint = COCO17.index(f"{side}_{name}")
            track[:, joint, 0] = 300 + 3 * t + sign * reach * np.sin(2 * np.pi * t / 30 + 0.4)
    assert not swapped_frames(track, np.full(60, 200.0)).any()


def test_a_person_who_turns_round_is_left_alone():
    track = walker(40)
    middle = track[..., :1].mean(axis=1, keepdims=True)
    turn = np.cos(np.linspace(0, np.pi, 40))[:, None, None]
    track[..., :1] = middle + (track[..., :1] - middle) * turn
    assert not swapped_frames(track, np.full(40, 200.0)).any()


def test_short_tracks_and_nobody():
    assert swapped_frames(walker(1), np.full(1, 200.0)).tolist() == [[False, False]]
    assert len(mend_left_right(Tracks.gather(frames_of({}, 1)), setup_of())) == 0


def test_only_the_swapped_frame_changes():
    track = walker(9).astype(np.float32)
    seen = track.copy()
    seen[4] = seen[4][MIRROR]
    tracks = one_track(seen, BOX)
    (mended,) = mend_left_right(tracks, setup_of()).people
    assert np.array_equal(mended.keypoints, track)
    assert np.array_equal(tracks.people[0].keypoints, seen)
    assert np.array_equal(mended.xyxy, tracks.people[0].xyxy)


def test_off_leaves_all_as_it_is():
    track = walker(9)
    track[4] = track[4][MIRROR]
    tracks = one_track(track, BOX)
    assert mend_left_right(tracks, setup_of("track.left_right.enabled=no")) is tracks
    for other in ("outliers", "merge", "join", "unseen"):
        (mended,) = mend_left_right(tracks, setup_of(f"track.{other}.enabled=no")).people
        assert not np.array_equal(mended.keypoints, tracks.people[0].keypoints)


def test_nobody_is_mended_by_another_shot():
    """Two frames of one id, the wrong way round behind a cut: the same id, but who is to say?"""
    track = walker(9)
    track[6:] = track[6:][:, MIRROR]
    for cuts, changed in (((), True), ((6,), False)):
        tracks = one_track(track, BOX, cuts)
        mended = mend_left_right(tracks, setup_of())
        same = [
            np.array_equal(a.keypoints, b.keypoints)
            for a, b in zip(mended.people, tracks.people, strict=True)
        ]
        assert all(same) != changed


def test_whom_the_landmark_network_sees_stays_as_detected():
    track = walker()
    track[[4, 5]] = track[[4, 5]][:, MIRROR]
    plain = one_track(track, BOX)
    marks = Landmarks(
        np.ones((30, 33, 4), np.float32), np.zeros((30, 33, 3), np.float32), np.ones(30, np.float32)
    )
    for few, changed in ((16, False), (15, True)):
        score = np.where(np.arange(30) < few, marks.score, 0.0).astype(np.float32)
        seen = replace(plain.people[0].seen, landmarks=replace(marks, score=score))
        tracks = plain.of([replace(plain.people[0], seen=seen)])
        mended = mend_left_right(tracks, setup_of()).people[0].keypoints
        assert np.array_equal(mended, tracks.people[0].keypoints) != changed

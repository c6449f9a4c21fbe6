"""Left and right put back in place."""

import numpy as np

from eftvideo.geometry.skeletons import COCO17, mirror_index
from eftvideo.track.left_right import mend_swaps, swapped_frames
from eftvideo.types import Detections, FrameDetections

MIRROR = mirror_index(COCO17)


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
    empty = FrameDetections(0, 0.0, Detections.empty(), False)
    assert len(mend_swaps([empty])[0].people) == 0


def test_only_the_swapped_frame_changes():
    track = walker(9).astype(np.float32)
    seen = track.copy()
    seen[4] = seen[4][MIRROR]
    frames = [
        FrameDetections(
            t,
            t / 30,
            Detections(
                np.array([[250, 0, 450, 200]], np.float32),
                np.array([0.9], np.float32),
                seen[t][None],
                np.array([1]),
            ),
            False,
        )
        for t in range(9)
    ]
    mended = np.stack([f.people.keypoints[0] for f in mend_swaps(frames)])
    assert np.array_equal(mended, track)

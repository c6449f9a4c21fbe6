"""Keypoints that jump away and come back, and those that merely move fast."""

import numpy as np

from eftvideo.geometry.skeletons import COCO17
from eftvideo.track import soften_outliers
from eftvideo.track.outliers import keypoint_trust
from eftvideo.types.track import Tracks
from tests.setup_case import setup_of
from tests.track_case import frames_of, one_track

WRIST, ANKLE = COCO17.index("right_wrist"), COCO17.index("left_ankle")
BOX = np.array([[200.0, 100.0, 300.0, 300.0]])


def person(num=40, seed=0):
    """(T, 17, 3): 200 px tall, walking, seen with an error of 1 px."""
    rng = np.random.default_rng(seed)
    k = np.zeros((num, 17, 3))
    k[..., 0] = 250 + 2.0 * np.arange(num)[:, None]
    k[..., 1] = np.linspace(100, 300, 17)
    k[..., :2] += rng.normal(0, 1, (num, 17, 2))
    k[..., 2] = 0.9
    return k


def trust(k, fps=30.0):
    num = len(k)
    times = np.arange(num) / fps
    return keypoint_trust(k, np.repeat(BOX, num, axis=0), times, setup_of())


def test_jumps_of_one_to_three_frames_are_found():
    for length in (1, 2, 3):
        k = person()
        k[15 : 15 + length, ANKLE, 0] += 60
        found = trust(k)
        assert (found[15 : 15 + length, ANKLE] < 0.3).all()
        found[15 : 15 + length, ANKLE] = 1.0
        assert (found == 1.0).all()


def test_a_fast_swing_is_believed():
    k = person()
    at = np.arange(40)
    # A serve: up and forward by three quarters of the body's height in 0.2 s, then down.
    angle = np.interp(at, [0, 17, 23, 28, 40], [0.0, 0.3, 3.6, 5.0, 5.2])
    k[:, WRIST, 0] = 250 + 75 * np.sin(angle)
    k[:, WRIST, 1] = 150 + 75 * np.cos(angle)
    assert np.linalg.norm(np.diff(k[:, WRIST, :2], axis=0), axis=-1).max() > 35
    assert (trust(k) == 1.0).all()


def test_the_one_right_sighting_in_a_swing_is_believed():
    """A real serve, as detected: only at its height is the wrist where the hand is."""
    k = person()
    serve = [(328, 279), (327, 280), (427, 286), (390, 225), (355, 91), (402, 161), (402, 162)]
    serve += [(414, 185), (430, 259), (440, 300)]
    k[16:26, WRIST, :2] = serve
    k[:16, WRIST, :2], k[26:, WRIST, :2] = serve[0], serve[-1]
    assert trust(k)[20, WRIST] == 1.0


def test_a_step_to_another_place_is_believed():
    k = person()
    k[20:, ANKLE, 0] += 80
    assert (trust(k) == 1.0).all()


def test_an_unquiet_joint_is_given_more_room():
    k = person()
    k[:, ANKLE, 0] += 12 * (-1.0) ** np.arange(40)
    k[20, ANKLE, 0] += 40
    assert trust(k)[20, ANKLE] == 1.0
    calm = person()
    calm[20, ANKLE, 0] += 40
    assert trust(calm)[20, ANKLE] < 1.0


def test_nothing_is_compared_across_cuts_or_long_times():
    k = person()
    k[20, ANKLE, 0] += 80
    assert trust(k)[20, ANKLE] < 0.3
    parts = soften_outliers(one_track(k, BOX[0], cuts=(20,)), setup_of()).people
    assert [len(p) for p in parts] == [20, 20]
    assert all((p.keypoints[..., 2] == np.float32(0.9)).all() for p in parts)
    assert (trust(k, fps=10.0) == 1.0).all()
    assert trust(k[:2]).shape == (2, 17)


def test_scores_are_lowered_and_nothing_else():
    k = person(9).astype(np.float32)
    k[4, ANKLE, 0] += 80
    tracks = one_track(k, BOX[0])
    (soft,) = (t.keypoints.copy() for t in soften_outliers(tracks, setup_of()).people)
    assert soft[4, ANKLE, 2] < 0.3
    soft[4, ANKLE, 2] = k[4, ANKLE, 2]
    assert np.array_equal(soft, k)
    assert tracks.people[0].keypoints[4, ANKLE, 2] == np.float32(0.9)
    assert len(soften_outliers(Tracks.gather(frames_of({}, 1)), setup_of())) == 0


def test_off_leaves_all_as_it_is():
    k = person(9)
    k[4, ANKLE, 0] += 80
    tracks = one_track(k, BOX[0])
    assert soften_outliers(tracks, setup_of("track.outliers.enabled=no")) is tracks
    others = [f"track.{group}.enabled=no" for group in ("left_right", "merge", "join", "unseen")]
    (soft,) = soften_outliers(tracks, setup_of(*others)).people
    assert soft.keypoints[4, ANKLE, 2] < 0.3

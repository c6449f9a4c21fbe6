"""How far the points of detector and landmark network are believed, and what becomes of both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eftvideo.geometry.skeletons import COCO17, LANDMARK33, LIMB12, mirror_index, select
from eftvideo.landmarks.merge import merge_witnesses
from eftvideo.landmarks.places import coco_places
from eftvideo.landmarks.reliability import coco_of, reliability
from eftvideo.types import Landmarks

LIMBS = select(LIMB12, COCO17)
SAME = select(COCO17, LANDMARK33)
SIDE_PX = 400.0


def landmarks(num=3, seed=0, score=0.99) -> Landmarks:
    """Points of people 400 px tall anywhere in a picture, all well seen."""
    rng = np.random.default_rng(seed)
    points = np.full((num, 33, 4), 0.98, np.float32)
    points[..., :2] = rng.uniform(0.0, SIDE_PX, (num, 33, 2)) + rng.uniform(0, 500, (num, 1, 2))
    return Landmarks(points, np.zeros((num, 33, 3), np.float32), np.full(num, score, np.float32))


def keypoints_of(marks: Landmarks, off_px=0.0, score=0.9) -> np.ndarray:
    """What a detector would say that agrees, but for a shift to the right."""
    places = coco_places(torch.from_numpy(marks.points2d[..., :2])).numpy()
    out = np.concatenate([places, np.full((len(marks), 17, 1), score)], axis=-1)
    out[..., 0] += off_px
    return out.astype(np.float32)


def believed(keypoints, marks, side_px=SIDE_PX) -> tuple[np.ndarray, np.ndarray]:
    arrays = (keypoints, marks.points2d, marks.score, np.full(len(marks), side_px, np.float32))
    detector, network = reliability(*(torch.from_numpy(a) for a in arrays))
    return detector.numpy(), network.numpy()


def merged(keypoints, marks) -> np.ndarray:
    return merge_witnesses(keypoints, marks, np.full(len(marks), SIDE_PX))


def test_witnesses_that_agree_are_believed_more():
    marks = landmarks()
    near, far = (believed(keypoints_of(marks, off), marks) for off in (2.0, 80.0))
    assert (near[0][:, LIMBS] > far[0][:, LIMBS] + 0.3).all()
    assert (near[1] > far[1]).all()


def test_where_they_do_not_agree_the_network_is_believed_more():
    marks = landmarks()
    detector, network = believed(keypoints_of(marks, 80.0), marks)
    assert (network[:, SAME][:, LIMBS] > detector[:, LIMBS] + 0.1).all()


def test_one_joint_that_is_elsewhere_is_doubted_and_the_others_are_not():
    marks = landmarks(1)
    same, moved = keypoints_of(marks), keypoints_of(marks)
    wrist = COCO17.index("left_wrist")
    moved[0, wrist, 0] += 100.0
    change = believed(same, marks)[0] - believed(moved, marks)[0]
    assert change[0, wrist] > 0.4
    np.testing.assert_allclose(np.delete(change[0], wrist), 0.0, atol=1e-6)


@pytest.mark.parametrize("witness", [0, 1])
def test_higher_scores_are_believed_more(witness):
    marks, low = landmarks(), landmarks()
    low.points2d[..., 2] = 0.1
    sure, unsure = (keypoints_of(marks, 8.0, score) for score in (0.95, 0.2))
    better = believed(sure, marks)[witness]
    worse = believed(unsure, low)[witness]
    assert (better > worse).all()


def test_where_nobody_looked_keypoints_stay_as_they_were():
    marks = landmarks(score=0.0)
    given = keypoints_of(marks, 30.0, 0.77)
    np.testing.assert_array_equal(merged(given, marks), given)
    detector, network = believed(given, marks)
    assert (network == 0.0).all()
    elsewhere = believed(given, Landmarks.none(3))[0]
    np.testing.assert_allclose(detector, elsewhere)


def test_one_person_does_not_change_another():
    both = landmarks(2)
    both.score[1] = 0.0
    keypoints = keypoints_of(both, 10.0)
    alone = merged(keypoints[:1], both.select(np.array([0])))
    np.testing.assert_allclose(merged(keypoints, both)[:1], alone, atol=1e-3)


def test_agreeing_witnesses_give_their_place_and_a_place_between():
    marks = landmarks()
    same = keypoints_of(marks)
    np.testing.assert_allclose(merged(same, marks)[..., :2], same[..., :2], atol=1e-3)
    shifted = keypoints_of(marks, 10.0)
    right = merged(shifted, marks)[..., 0] - same[..., 0]
    assert (right > 0.0).all() and (right < 10.0).all()
    assert right[:, LIMBS].mean() > 2.0


def test_far_apart_the_better_witness_stands_alone():
    marks = landmarks()
    off = keypoints_of(marks, 150.0)
    gap = merged(off, marks)[..., 0] - keypoints_of(marks)[..., 0]
    assert (gap[:, LIMBS] < 2.0).all()


def test_the_score_is_the_probability_of_what_was_chosen():
    marks = landmarks()
    out = merged(keypoints_of(marks, 5.0), marks)
    detector, network = believed(keypoints_of(marks, 5.0), marks)
    low, high = np.minimum(detector, network[:, SAME]), np.maximum(detector, network[:, SAME])
    assert ((out[..., 2] >= low - 1e-6) & (out[..., 2] <= high + 1e-6)).all()


def test_a_picture_moved_enlarged_or_mirrored_changes_nothing():
    marks = landmarks()
    keypoints = keypoints_of(marks, 12.0)
    expected = merged(keypoints, marks)
    large, moved = landmarks(), keypoints.copy()
    large.points2d[..., :2] = 2.0 * large.points2d[..., :2] + 50.0
    moved[..., :2] = 2.0 * moved[..., :2] + 50.0
    out = merge_witnesses(moved, large, np.full(3, 2.0 * SIDE_PX))
    np.testing.assert_allclose(out[..., :2], 2.0 * expected[..., :2] + 50.0, atol=1e-2)
    np.testing.assert_allclose(out[..., 2], expected[..., 2], atol=1e-5)

    twin = Landmarks(
        marks.points2d[:, mirror_index(LANDMARK33)].copy(), marks.points3d, marks.score
    )
    twin.points2d[..., 0] *= -1.0
    other = keypoints[:, mirror_index(COCO17)] * [-1.0, 1.0, 1.0]
    out = merged(other.astype(np.float32), twin)[:, mirror_index(COCO17)]
    np.testing.assert_allclose(out * [-1.0, 1.0, 1.0], expected, atol=1e-3)


def test_joints_move_within_their_own_bones_and_the_face_stays():
    points = torch.from_numpy(landmarks().points2d[..., :2].astype(np.float64))
    moved = coco_places(points)
    face = slice(0, 5)
    torch.testing.assert_close(moved[:, face], points[:, SAME][:, face])
    here = points.mean(dim=1, keepdim=True)
    together = coco_places(here.expand_as(points))
    torch.testing.assert_close(together, here.expand_as(together))


@pytest.mark.parametrize(
    ("landmark", "coco"),
    [
        ("left_heel", "left_ankle"),
        ("right_foot_index", "right_ankle"),
        ("right_thumb", "right_wrist"),
        ("mouth_left", "nose"),
        ("left_eye_outer", "left_eye"),
        ("right_knee", "right_knee"),
    ],
)
def test_points_that_coco_has_not_are_as_good_as_what_they_are_attached_to(landmark, coco):
    assert coco_of(landmark) == coco
    marks = landmarks()
    network = believed(keypoints_of(marks, 15.0), marks)[1]
    at, like = LANDMARK33.index(landmark), LANDMARK33.index(coco)
    np.testing.assert_array_equal(network[:, at], network[:, like])

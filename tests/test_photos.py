"""The benchmark on labelled photos, on made-up labels, people and pictures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from eftvideo.geometry.skeletons import COCO17, LIMB12, mirror_index
from eftvideo.landmarks import reliability
from eftvideo.types import Detections, Landmarks

BENCHMARKS = str(Path(__file__).parents[1] / "benchmarks")
sys.path.insert(0, BENCHMARKS)
try:
    from photos import bodies, labels, learning, looks
    from photos.people import People
finally:
    sys.path.remove(BENCHMARKS)

COLUMNS = (*LIMB12[::-1], "neck", "head_top")


def photo(seed=0) -> labels.Photo:
    """Twelve joints and a head: a torso 100 px long, limbs anywhere round it."""
    rng = np.random.default_rng(seed)
    joints = rng.uniform(100.0, 300.0, (12, 2))
    torso = {"shoulder": (40.0, 150.0), "hip": (25.0, 250.0)}
    for part, (half, down) in torso.items():
        joints[LIMB12.index(f"left_{part}")] = 200.0 + half, down
        joints[LIMB12.index(f"right_{part}")] = 200.0 - half, down + rng.uniform(-9.0, 9.0)
    return labels.Photo(Path(f"{seed}.jpg"), joints, rng.uniform(100.0, 300.0, (2, 2)))


def person(of: labels.Photo, off_px=0.0, score=0.9) -> Detections:
    """Both witnesses see the joints `off_px` to the right of their labels."""
    keypoints = np.full((1, 17, 3), score, np.float32)
    keypoints[0, :5, :2] = of.head.mean(axis=0)
    keypoints[0, labels.LIMBS, :2] = of.joints
    keypoints[..., 0] += off_px
    points = np.full((1, 33, 4), 0.9, np.float32)
    points[0, learning.Sample.same, :2] = keypoints[0, :, :2]
    marks = Landmarks(points, np.zeros((1, 33, 3), np.float32), np.ones(1, np.float32))
    return Detections(
        of.box[None].astype(np.float32), np.ones(1, np.float32), keypoints, np.array([1]), marks
    )


def test_errors_are_in_torsos_from_left_shoulder_to_right_hip():
    one = photo()
    ends = [one.joints[LIMB12.index(n)] for n in ("left_shoulder", "right_hip")]
    torso = np.linalg.norm(ends[0] - ends[1])
    assert one.torso_px == pytest.approx(torso)
    places = np.zeros((17, 2))
    places[labels.LIMBS] = one.joints + np.array([torso / 2, 0.0])
    assert one.errors(places) == pytest.approx(np.full(12, 0.5))


def test_the_other_diagonal_stands_in_and_what_is_not_labelled_has_no_error():
    one = photo()
    joints = one.joints.copy()
    joints[LIMB12.index("left_shoulder")] = np.nan
    other = [joints[LIMB12.index(n)] for n in ("right_shoulder", "left_hip")]
    half = replace(one, joints=joints)
    assert half.torso_px == pytest.approx(np.linalg.norm(other[0] - other[1]))
    missing = np.isnan(half.errors(np.zeros((17, 2))))
    assert missing.tolist() == [name == "left_shoulder" for name in LIMB12]


@pytest.mark.parametrize(
    ("grow", "found"),
    [
        ((0.0, 0.0, 0.0, 0.0), True),
        ((-20.0, -20.0, 20.0, 20.0), True),
        ((0.0, 0.0, 300.0, 300.0), False),
        ((90.0, 0.0, 0.0, 0.0), False),
    ],
)
def test_a_box_must_hold_the_person_and_not_much_else(grow, found):
    one = photo()
    box = one.box + np.array(grow)
    far = np.array([500.0, 500.0, 600.0, 700.0])
    assert one.who(np.stack([far, box])) == (1 if found else None)
    assert one.who(np.zeros((0, 4))) is None


def test_of_two_that_fit_the_tighter_box_is_the_person():
    one = photo()
    loose = one.box + np.array([-15.0, -15.0, 15.0, 15.0])
    assert one.who(np.stack([loose, one.box])) == 1


def test_labels_are_read_by_name_and_photos_without_a_torso_left_out(tmp_path):
    joints = np.random.default_rng(0).uniform(1.0, 99.0, (2, 14, 3))
    joints[..., 2] = 1.0
    joints[1, [COLUMNS.index(n) for n in ("left_hip", "right_hip")], 2] = 0.0
    np.savez(tmp_path / "joints.npz", image=["a.jpg", "b.jpg"], joints=joints, names=COLUMNS)
    (tmp_path / "images").mkdir()
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[..., 0] = 255
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), picture)
    (one,) = labels.read_photos(tmp_path, ["b.jpg", "a.jpg"])
    assert one.size_px == (80, 60)
    assert one.image[0, 0].tolist() == pytest.approx([0, 0, 255], abs=3), "red comes last"
    for row, name in enumerate(LIMB12):
        assert one.joints[row] == pytest.approx(joints[0, COLUMNS.index(name), :2])
    assert one.head[1] == pytest.approx(joints[0, COLUMNS.index("head_top"), :2])


def test_of_people_not_found_every_joint_is_wrong():
    photos = [photo(0), photo(1)]
    people = People.of(photos, [person(photos[0], 3.0), Detections.empty()])
    assert people.found.tolist() == [True, False]
    errors = people.keypoints()
    assert errors[0] == pytest.approx(np.full(12, 3.0 / photos[0].torso_px), rel=1e-4)
    assert np.isinf(errors[1]).all()
    untrusted = replace(person(photos[0]), landmarks=Landmarks.none(1))
    people = People.of(photos[:1], [untrusted])
    assert np.isinf(people.landmarks()).all() and np.isfinite(people.merged()).all()


def test_what_was_seen_is_kept_and_not_looked_for_again(tmp_path, monkeypatch):
    photos = [photo(n) for n in range(3)]
    seen = [person(photos[0]), Detections.empty(), person(photos[2], 5.0)]
    asked = []

    def look(some, setup, memory):
        asked.append(len(some))
        return seen

    monkeypatch.setattr(looks, "_look", look)
    monkeypatch.setattr(looks, "_digest", lambda setup: str(setup))
    first = looks.seen_in(photos, {"a": 1, "b": 2}, tmp_path)
    again = looks.seen_in(photos, {"b": 2}, tmp_path)
    assert asked == [3, 3]
    for people in (first["a"], first["b"], again["b"]):
        assert [len(p) for p in people] == [1, 0, 1]
        np.testing.assert_array_equal(people[2].keypoints, seen[2].keypoints)
        np.testing.assert_array_equal(people[2].landmarks.points2d, seen[2].landmarks.points2d)


def test_a_body_is_brought_to_the_square_picture_and_back():
    size = (300, 400)
    scale, shift = bodies.moved(size)
    assert scale == pytest.approx(2.0)
    middle = np.array([150.0, 200.0])
    assert scale * middle + shift == pytest.approx([500.0, 500.0])
    one = photo()
    placed = bodies._placed(person(one), scale, shift)
    assert placed.keypoints[0, labels.LIMBS, :2] == pytest.approx(scale * one.joints + shift)
    assert placed.xyxy[0, :2] == pytest.approx(scale * one.box[:2] + shift)
    same = learning.Sample.same
    np.testing.assert_allclose(
        placed.landmarks.points2d[0, same, :2], placed.keypoints[0, :, :2], rtol=1e-6
    )


def test_log_odds_are_found_again():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(20000), rng.normal(size=(20000, 2))])
    true = np.array([0.5, -1.0, 2.0])
    right = rng.uniform(size=20000) < 1.0 / (1.0 + np.exp(-(x @ true)))
    assert learning.logistic(x, right, (0.0, 0.0, 0.0)) == pytest.approx(true, abs=0.1)
    pulled = learning.logistic(x, right, (0.0, 0.0, 1e6))
    assert abs(pulled[2]) < 0.02


def test_shares_of_a_way_are_found_among_gross_errors():
    rng = np.random.default_rng(0)
    ways = rng.normal(0.0, 0.3, (500, 2, 2))
    offsets = np.einsum("nwd,w->nd", ways, [0.1, -0.2])
    offsets[:50] += rng.normal(0.0, 0.5, (50, 2))
    assert learning.shares(ways, offsets) == pytest.approx([0.1, -0.2], abs=0.02)


def sample_of(num=40, twin=False) -> learning.Sample:
    """Keypoints are right in half of the people and a torso off in the others, at low scores."""
    seen, photos = [], [photo(n) for n in range(num)]
    for n, one in enumerate(photos):
        low = n % 2 == 1
        seen.append(person(one, one.torso_px if low else 2.0, 0.3 if low else 0.9))
    if twin:
        back = [LIMB12.index(COCO17[i]) for i in np.array(mirror_index(COCO17))[labels.LIMBS]]
        photos = [replace(p, joints=p.joints[back]) for p in photos]
    return learning.Sample.of(People(photos, seen))


def test_the_tables_tell_right_from_wrong(monkeypatch):
    sample = sample_of()
    tables = learning.tables(sample, np.ones(len(sample), bool))
    for name, rows in (("DETECTOR", 6), ("LANDMARK", 6), ("ALONE", 2)):
        assert np.array(tables[name]).shape == (len(reliability.KINDS), rows)
        monkeypatch.setattr(reliability, name, tables[name])
    told = reliability.reliability(*sample.tensors)[0].numpy()[:, labels.LIMBS]
    assert (told[::2] > 0.7).all() and (told[1::2] < 0.3).all()


def test_exchanged_labels_are_turned_round_for_learning_only():
    plain, turned = sample_of(), sample_of(twin=True)
    places = plain.keypoints[..., :2]
    good = slice(None, None, 2)
    assert plain.right(places)[good][:, labels.LIMBS].all()
    assert turned.right(places)[good][:, labels.LIMBS].all()
    assert (turned.label_errors(places)[good] > 0.2).mean() > 0.8

"""The second look: who leans, where the close-up is, and what becomes of several sightings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from eftvideo.config import RunConfig
from eftvideo.detect import upright, yolo_pose
from eftvideo.detect.close_ups import CloseUps
from eftvideo.detect.upright import SecondLook
from eftvideo.geometry.skeletons import COCO17
from eftvideo.types import Detections
from tests.setup_case import setup_of

CFG = RunConfig().detect
CLOSE_UP_PX = CFG.close_ups.size_px
SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]
HIPS = [COCO17.index("left_hip"), COCO17.index("right_hip")]
ANKLES = [COCO17.index("left_ankle"), COCO17.index("right_ankle")]


def somebody(lean_deg=0.0, score=0.9, middle=(300.0, 200.0)):
    """(17, 3): a line of keypoints 200 px long, from the ankles to the nose."""
    height = np.linspace(100.0, -100.0, 17)  # COCO's order is from the nose down
    turn = np.radians(lean_deg)
    xy = np.array(middle) + height[:, None] * [np.sin(turn), -np.cos(turn)]
    return np.column_stack([xy, np.full(17, score)])


def lean_rad(keypoints):
    return upright.lean_rad(keypoints, RunConfig().keypoints.min_score)


def merge_sightings(sightings, side_px):
    return upright.merge_sightings(sightings, side_px, setup_of())


def people(*keypoints):
    points = np.stack(keypoints).astype(np.float32)
    low, high = points[..., :2].min(axis=1) - 10, points[..., :2].max(axis=1) + 10
    ones = np.ones(len(points))
    return Detections(
        np.concatenate([low, high], axis=1), ones.astype(np.float32), points, ones.astype(np.int64)
    )


@pytest.mark.parametrize("lean", [0.0, 30.0, -80.0, 170.0])
def test_lean_is_that_of_the_line_from_feet_to_shoulders(lean):
    assert np.degrees(lean_rad(somebody(lean)[None])) == pytest.approx(lean)


def test_lean_takes_the_lowest_part_that_is_seen():
    bent = somebody(90.0)
    bent[ANKLES, :2] = bent[HIPS, :2] + [0.0, 300.0]
    standing = np.degrees(lean_rad(bent[None]))[0]
    assert 0 < standing < 25, "who bends over stands on his legs"
    bent[ANKLES, 2] = 0.1
    assert np.degrees(lean_rad(bent[None])) == pytest.approx(90.0)
    bent[SHOULDERS, 2] = 0.1
    assert np.isnan(lean_rad(bent[None])).all()


def look_with(answers, *settings):
    """A second look whose detector answers from `answers`; and what it was shown."""
    shown = []

    def make(close_cfg):
        assert close_cfg.image_size == CLOSE_UP_PX

        def detect(images):
            shown.extend(images)
            return [answers(image) for image in images]

        return detect

    return SecondLook(setup_of(*settings), CloseUps(CFG, make)), shown


def test_upright_people_are_not_looked_at_again():
    look, shown = look_with(lambda image: Detections.empty())
    image = np.zeros((400, 600, 3), np.uint8)
    (same,) = look.again([image], [people(somebody(10.0))])
    assert not shown and np.array_equal(same.keypoints, people(somebody(10.0)).keypoints)
    for setting, count in (("whom=all", 2), ("enabled=no", 0)):
        look, shown = look_with(lambda image: Detections.empty(), f"detect.second_look.{setting}")
        look.again([image], [people(somebody(10.0))])
        assert len(shown) == count


def test_off_leaves_the_people_as_they_are():
    image, leaning = np.zeros((400, 600, 3), np.uint8), people(somebody(60.0), somebody(-80.0))
    off = ("detect.second_look.enabled=no", "detect.second_look.whom=all")
    look, shown = look_with(lambda image: people(somebody()), *off)
    (same,) = look.again([image], [leaning])
    assert not shown
    for name, value in vars(leaning).items():
        np.testing.assert_equal(getattr(same, name), value, err_msg=name)


def test_the_search_for_the_lost_has_a_switch_of_its_own():
    image = np.zeros((400, 600, 3), np.uint8)
    look, shown = look_with(lambda image: Detections.empty(), "detect.recover.enabled=no")
    look.again([image], [people(somebody(60.0))])
    assert len(shown) == 2


def test_turns_are_those_that_are_told():
    image = np.zeros((400, 600, 3), np.uint8)
    for turns, count in (("", 0), ("0", 1), ("-20,0,20", 3)):
        told = f"detect.second_look.turns_deg={turns}"
        look, shown = look_with(lambda image: Detections.empty(), told)
        (same,) = look.again([image], [people(somebody(60.0))])
        assert len(shown) == count
        assert same.keypoints == pytest.approx(people(somebody(60.0)).keypoints, abs=1e-3)


def test_what_the_close_ups_show_comes_back_to_its_place_in_the_frame():
    truth = somebody(60.0, middle=(290.0, 210.0))
    image = np.zeros((420, 600, 3), np.uint8)
    marks = (truth[0, :2], truth[16, :2])
    for channel, (x, y) in enumerate(marks):
        dot = np.zeros(image.shape[:2], np.uint8)
        cv2.circle(dot, (round(x), round(y)), 6, 255, -1)
        image[..., channel] = dot

    def seen(close_up):
        """Keypoints placed by the two dots: what a detector without fault would say."""
        found = []
        for channel in (0, 1):
            weight = np.where(close_up[..., channel] > 120, close_up[..., channel], 0.0)
            weight[close_up[..., 2] > 60] = 0.0  # the padding
            rows, columns = np.indices(weight.shape) + 0.5
            found.append(np.array([(weight * v).sum() for v in (columns, rows)]) / weight.sum())
        a, b = (complex(*p) for p in found)
        from_a, from_b = (complex(*p) for p in marks)
        turn = (b - a) / (from_b - from_a)
        places = [a + turn * (complex(*p) - from_a) for p in truth[:, :2]]
        return people(np.array([[p.real, p.imag, 0.9] for p in places]))

    wrong = truth.copy()
    wrong[ANKLES, :2] += [40.0, 60.0]
    look, shown = look_with(seen)
    (mended,) = look.again([image], [people(wrong)])
    assert len(shown) == 2 and shown[0].shape == (CLOSE_UP_PX, CLOSE_UP_PX, 3)
    (points,) = mended.keypoints
    off = np.linalg.norm(points[:, :2] - truth[:, :2], axis=1)
    assert off.max() < 1.5, "the ankles too, which were 72 px off"
    assert (points[ANKLES, 2] < points[HIPS, 2]).all(), "one sighting differs"
    assert np.array_equal(mended.xyxy, people(wrong).xyxy)


def test_somebody_else_in_the_close_up_is_not_taken():
    first = people(somebody(40.0))
    stranger = people(somebody(0.0, middle=(30.0, 400.0)))
    look, shown = look_with(lambda image: stranger)
    (same,) = look.again([np.zeros((400, 600, 3), np.uint8)], [first])
    assert len(shown) == 2
    assert same.keypoints == pytest.approx(first.keypoints, abs=1e-3)


def test_one_sighting_of_three_that_is_far_off_hardly_counts():
    seen = np.stack([somebody(), somebody(), somebody()])
    seen[0, 5, :2] += [80.0, 0.0]
    merged = merge_sightings(seen, 220.0)
    off = np.linalg.norm(merged[:, :2] - somebody()[:, :2], axis=1)
    assert off[5] < 1.0 and np.delete(off, 5).max() < 1e-3
    assert merged[5, 2] == pytest.approx(0.6) and merged[6, 2] == pytest.approx(0.9)


def test_what_no_sighting_believes_stays_as_it_was_first():
    seen = np.stack([somebody(score=0.2), somebody(30.0, score=0.1)])
    assert merge_sightings(seen, 220.0) == pytest.approx(seen[0].astype(np.float32))


@pytest.mark.parametrize("turn_deg", [35, -45])
def test_the_sample_photo_turned(turn_deg):
    """The real detector, on people whose keypoints are known from the upright photo."""
    folder = Path(importlib.util.find_spec("ultralytics").origin).parent / "assets"
    photo = np.ascontiguousarray(cv2.imread(str(folder / "bus.jpg"))[..., ::-1])
    detector = yolo_pose.Model(CFG, "cpu")
    (upright,) = detector.detect([photo])
    turn = cv2.getRotationMatrix2D((405.0, 540.0), turn_deg, 1.0)
    turn[:, 2] += [700.0 - 405.0, 700.0 - 540.0]
    turned = cv2.warpAffine(photo, turn, (1400, 1400), borderValue=(114, 114, 114))
    truth = upright.select(np.argsort(-upright.confidence)[:3]).keypoints.astype(float)
    truth[..., :2] = truth[..., :2] @ turn[:, :2].T + turn[:, 2]
    (first,) = detector.detect([turned])
    close_ups = CloseUps(CFG, lambda cfg: yolo_pose.Model(cfg, "cpu").detect)
    look = SecondLook(setup_of(), close_ups)
    (again,) = look.again([turned], [first])
    before, after = [], []
    for known in truth:
        sure = known[:, 2] > 0.7
        apart = np.linalg.norm(first.keypoints[:, sure, :2] - known[sure, :2], axis=-1)
        nearest = int(np.median(apart, axis=1).argmin())
        if apart[nearest].mean() < 100.0:  # found, and not hidden by the turned picture's border
            before.append(apart[nearest].mean())
            mended = again.keypoints[nearest, sure, :2] - known[sure, :2]
            after.append(np.linalg.norm(mended, axis=-1).mean())
    assert len(before) >= 2
    assert np.mean(after) < 0.75 * np.mean(before)

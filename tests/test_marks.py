"""The benchmark of marked feet and hands: the marks themselves, and how distances are measured."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluation_data import HEIGHT, WIDTH, people, result_of

from eftvideo.bodies import load_body
from eftvideo.geometry.skeletons import LANDMARK33

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
try:
    import marks
finally:
    sys.path.remove(str(BENCHMARKS))

BOX = [100.0, 50.0, 200.0, 350.0]
SIDE_PX = 360.0


def a_mark(frame=3, box=BOX, **points):
    points = {name: np.array(xy, float) for name, xy in points.items()}
    return marks.Marked("clip.mp4", frame, np.array(box), points)


def a_result(*boxes, frame=3, **rows):
    found = people(*((track, [frame], 0.0) for track in range(1, len(boxes) + 1)))
    return result_of(found | {"bbox_xyxy": np.array(boxes, np.float32)} | rows)


def test_forty_frames_are_marked_each_once():
    frames = [(m.clip, m.frame) for m in marks.load_marks()]
    assert len(frames) == len(set(frames)) == 40
    assert {clip for clip, _ in frames} == {
        "sports2d_demo.mp4",
        "tennis.mp4",
        "bikes.mp4",
        *(f"beam_cam0{n}.mp4" for n in (1, 2, 3, 4)),
    }


def test_every_mark_is_on_its_person():
    known = {f"{side}_{kind}" for side in ("left", "right") for kind in marks.KINDS}
    for m in marks.load_marks():
        assert m.points and m.points.keys() <= known
        low, high = m.box[:2], m.box[2:]
        assert (low < high).all() and m.frame >= 0
        margin = 0.08 * m.crop_side_px
        for xy in m.points.values():
            assert (xy > low - margin).all() and (xy < high + margin).all(), (m, xy)


def test_feet_are_as_long_as_feet():
    for m in marks.load_marks():
        for side in ("left", "right"):
            if {f"{side}_toe", f"{side}_heel"} <= m.points.keys():
                length = np.linalg.norm(m.points[f"{side}_toe"] - m.points[f"{side}_heel"])
                assert 4.0 < length * 224.0 / m.crop_side_px < 70.0, (m.clip, m.frame, side)


def test_each_kind_is_marked_often():
    names = [name for m in marks.load_marks() for name in m.points]
    for kind in marks.KINDS:
        assert sum(name.endswith(kind) for name in names) >= 30


def test_the_file_has_a_line_a_frame():
    text = marks.MARKS.read_text(encoding="utf-8")
    assert sum(line.strip().startswith('{"clip"') for line in text.splitlines()) == 40
    assert {"toe", "heel", "knuckle", "absent", "marked", "repeat"} <= json.loads(text).keys()


def test_crop_side_by_hand():
    assert a_mark().crop_side_px == pytest.approx(1.2 * 300.0)


def test_new_names_come_before_old_ones():
    old = ("left_big_toe", "left_heel", "left_hand")
    for kind, name in zip(marks.KINDS, old, strict=True):
        assert marks.column(f"left_{kind}", marks.BODY_POINTS, old) == old.index(name)
        assert marks.column(f"right_{kind}", marks.BODY_POINTS, old) is None
    new = (*old, "landmark_left_index", "landmark_left_foot_index", "landmark_left_heel")
    found = [new[marks.column(f"left_{kind}", marks.BODY_POINTS, new)] for kind in marks.KINDS]
    assert found == ["landmark_left_foot_index", "landmark_left_heel", "landmark_left_index"]


def test_the_body_and_the_network_have_what_is_looked_for():
    body = load_body()
    for side in ("left", "right"):
        for kind in marks.KINDS:
            name = f"{side}_{kind}"
            known = (*body.keypoint_names, *body.joint_names)
            assert marks.column(name, marks.BODY_POINTS, known) is not None
            assert marks.column(name, marks.NETWORK_POINTS, LANDMARK33) is not None


def test_the_row_is_the_one_that_shares_most():
    near, same, far = [150.0, 50.0, 250.0, 350.0], [101.0, 52.0, 205.0, 349.0], [600.0, 0, 700, 300]
    assert marks.row_of(a_result(near, same, far), a_mark()) == 1
    assert marks.row_of(a_result(far), a_mark()) is None
    assert marks.row_of(a_result(same, frame=4), a_mark()) is None


def test_distances_are_px_of_the_crop():
    mark = a_mark(left_toe=[110.0, 340.0], right_heel=[190.0, 340.0])
    names, result = ("right_heel", "left_toe"), a_result(BOX)
    px = np.array([[[190.0, 340.0], [110.0 + 30.0, 340.0 + 40.0]]])
    table = {"toe": ("{side}_toe",), "heel": ("{side}_heel",)}
    toe, heel = marks.distances([mark], result, names, px, table)
    assert (toe.kind, heel.kind) == ("toe", "heel")
    assert toe.px == pytest.approx(50.0 * 224.0 / SIDE_PX)
    assert heel.px == pytest.approx(0.0)
    lost = marks.distances([mark], a_result(BOX, frame=9), names, px, table)
    assert all(math.isnan(d.px) for d in lost)


def test_lost_marks_are_counted_and_in_no_median():
    found = [marks.Distance("c", 0, "left_toe", px) for px in (1.0, 2.0, 9.0, math.nan)]
    num, lost, median, most = marks.summary(found)
    assert (num, lost, median) == (4, 1, 2.0)
    assert most == pytest.approx(2.0 + 0.8 * 7.0)
    assert marks.summary(found[3:])[:2] == (1, 1)
    line = next(row for row in marks.table_of("t", found).splitlines() if "all" in row)
    assert line.split() == ["all", "4", "1", "2.0", "7.6"]


def test_network_points_that_are_not_trusted_are_lost():
    result = a_result(BOX, BOX)
    assert marks.network_points(result) is None
    seen = np.ones((2, 33, 3), np.float32)
    object.__setattr__(result, "landmarks2d", seen)
    object.__setattr__(result, "landmark_score", np.array([0.9, 0.0]))
    px = marks.network_points(result)
    assert px.shape == (2, 33, 2)
    assert (px[0] == 1.0).all() and np.isnan(px[1]).all()


def test_bodies_are_seen_by_the_results_camera():
    """A body 5 m away whose pelvis is 1 m right of the axis is drawn there, head above heels."""
    body = load_body()
    half_turn = np.array([[math.pi, 0.0, 0.0]], np.float32)
    at = {"global_orient": half_turn, "transl": np.array([[1.0, 0.2, 5.0]], np.float32)}
    result = a_result(BOX, **at)
    object.__setattr__(result, "body_model", body.sha256)
    names, px = marks.body_points(result)
    assert px.shape == (1, len(names), 2)
    middle, heel, nose = (px[0, names.index(n)] for n in ("pelvis", "left_heel", "nose"))
    assert abs(middle[0] - (WIDTH / 2 + 1000.0 / 5.0)) < 5.0
    assert nose[1] < middle[1] < heel[1]
    assert 0.0 < heel[1] < HEIGHT

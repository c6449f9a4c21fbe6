"""Fits as data: in which order rows come, how they go back, what changes what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.results.result import LATER, Result, rows_of
from eftvideo.types import FILLED, Landmarks
from eftvideo.types.track_fit import Bodies, Fits
from tests.refine_case import blank_rows, fits_of

WHEN = {1: [0, 2, 3], 4: [0, 1, 2, 3], 2: [3, 5]}


@pytest.fixture(scope="module")
def fits():
    """Three people; every number of a row says whose it is, and when."""
    places = sorted((frame, i) for i, frames in WHEN.items() for frame in frames)
    rows = blank_rows(len(places))
    for name, value in rows.items():
        for n, (frame, i) in enumerate(places):
            value[n] = 10 * i + frame
        rows[name] = value
    rows["frame"], rows["track_id"] = np.array(places, np.int64).T
    rows["time_s"] = rows["frame"] / 30
    return fits_of(rows, 6)


def marks(fits):
    return [10 * p.track.track_id + f for p in fits.people for f in p.track.frame.tolist()]


def test_order_is_by_frame_then_by_id(fits):
    in_a_row = np.array(marks(fits))
    assert in_a_row.tolist() == [10, 12, 13, 23, 25, 40, 41, 42, 43]
    assert in_a_row[fits.order()].tolist() == [10, 40, 41, 12, 42, 13, 23, 43, 25]
    assert sorted(fits.order().tolist()) == list(range(9))


def test_rows_are_in_that_order(fits):
    bodies = fits.bodies()
    want = [10, 40, 41, 12, 42, 13, 23, 43, 25]
    assert len(bodies) == 9
    for name, value in vars(bodies).items():
        assert np.array_equal(value.reshape(9, -1)[:, 0], want), name
    assert fits.seen().keypoints[:, 16, 1].tolist() == want
    rows = rows_of(fits)
    assert (10 * rows["track_id"] + rows["frame"]).tolist() == want
    for name in set(rows) - {"frame", "time_s", "track_id", *LATER}:
        assert np.array_equal(rows[name].reshape(9, -1)[:, 0], want), name


def test_landmarks_are_in_the_rows_too(fits):
    """With a score of what is visible and present; keypoints are then those of both witnesses."""
    people = []
    for person in fits.people:
        num, seen = len(person), person.track.seen
        points = np.full((num, 33, 4), 0.5, np.float32)
        points[..., 0] = (10 * person.track.track_id + person.track.frame)[:, None]
        metres = np.repeat(points[..., :1], 3, axis=2)
        found = Landmarks(points, metres, np.full(num, 0.9, np.float32))
        track = replace(person.track, seen=replace(seen, landmarks=found))
        people.append(replace(person, track=track))
    rows = rows_of(replace(fits, people=tuple(people)))
    want = [10, 40, 41, 12, 42, 13, 23, 43, 25]
    assert rows["landmarks2d"][:, 5, 0].tolist() == rows["landmarks3d"][:, 7, 2].tolist() == want
    assert (rows["landmarks2d"][..., 2] == 0.25).all()
    assert (rows["landmark_score"] == np.float32(0.9)).all()
    assert (rows["keypoints2d"] != rows_of(fits)["keypoints2d"]).any()


def test_all_bodies_go_back_to_their_people(fits):
    bodies = fits.bodies()
    back = replace(fits, is_posed=False).with_all_bodies(bodies)
    assert back.is_posed and back.timeline is fits.timeline
    for mine, theirs in zip(back.people, fits.people, strict=True):
        assert mine.track is theirs.track
        for name, value in vars(theirs.bodies).items():
            np.testing.assert_array_equal(getattr(mine.bodies, name), value, err_msg=name)
            assert getattr(mine.bodies, name).dtype == value.dtype
    changed = fits.with_all_bodies(replace(bodies, transl=bodies.transl + 1.0))
    assert changed.bodies().transl[:, 0].tolist() == (bodies.transl[:, 0] + 1.0).tolist()
    assert changed.people[1].bodies.transl[:, 0].tolist() == [24.0, 26.0]


def test_each_change_has_to_be_posed(fits):
    same = fits.each(lambda fit: fit)
    assert same is fits
    moved = fits.each(lambda fit: fit.with_bodies(transl=fit.bodies.transl + 1.0))
    assert not moved.is_posed and fits.is_posed
    assert moved.people[0].bodies.transl[:, 0].tolist() == [11.0, 13.0, 14.0]
    assert fits.people[0].bodies.transl[:, 0].tolist() == [10.0, 12.0, 13.0]


def test_replaced_arrays_have_the_types_that_they_had(fits):
    person = fits.people[0]
    new = person.with_bodies(
        transl=np.ones((3, 3), np.float64), status=np.full(3, float(FILLED)), betas=np.ones((3, 10))
    )
    assert new.bodies.transl.dtype == new.bodies.betas.dtype == np.float32
    assert new.bodies.status.dtype == np.int64 and new.bodies.status.tolist() == [FILLED] * 3
    assert new.track is person.track and new.bodies.loss_px is person.bodies.loss_px


def test_select_and_cat_take_every_field(fits):
    bodies = fits.people[2].bodies
    some = bodies.select(np.array([2, 0]))
    for name, value in vars(some).items():
        assert value.reshape(2, -1)[:, 0].tolist() == [42.0, 40.0], name
    both = Bodies.cat([some, bodies])
    assert len(both) == 6 and both.loss_px.tolist() == [42.0, 40.0, 40.0, 41.0, 42.0, 43.0]
    assert {n: v.dtype for n, v in vars(both).items()} == {
        n: v.dtype for n, v in vars(bodies).items()
    }


def test_nobody(fits):
    empty = Fits(fits.timeline, ())
    assert len(empty.order()) == 0
    assert {n: (v.shape, v.dtype) for n, v in rows_of(empty).items()} == {
        n: (v.shape, v.dtype) for n, v in blank_rows(0).items()
    }


def test_a_result_of_fits(fits):
    header = {
        "source": "clip.mp4",
        "width_px": 640,
        "height_px": 360,
        "fps": 30,
        "num_frames": 6,
        "body_model": "none",
        "config": {"regressor": "lifter"},
    }
    result = Result.of(fits, header, {"fit": 2.0})
    assert len(result) == 9 and result.track_ids == [1, 2, 4] and result.timings_s == {"fit": 2.0}
    assert (result.source, result.config) == ("clip.mp4", {"regressor": "lifter"})
    for name, value in rows_of(fits).items():
        np.testing.assert_array_equal(getattr(result, name), value, err_msg=name)
    for person in fits.people:
        rows = result.track(person.track.track_id)
        assert rows.frame.tolist() == person.track.frame.tolist()
        np.testing.assert_array_equal(rows.body_pose, person.bodies.body_pose)
        np.testing.assert_array_equal(rows.bbox_xyxy, person.track.xyxy)
    nobody = Result.of(Fits(fits.timeline, ()), header, {})
    assert len(nobody) == 0 and nobody.num_frames == 6

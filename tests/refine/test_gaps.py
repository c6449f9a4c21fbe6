"""Short gaps filled in."""

import numpy as np
import torch

from eftvideo import refine
from eftvideo.geometry.rotations import axis_angle_to_matrix, rotation_angle
from eftvideo.results.result import empty_rows, rows_of, typed_rows
from eftvideo.types import FILLED
from tests.refine_case import BEHIND_CUT, blank_rows, fits_of
from tests.setup_case import setup_of


def clip(rows, num, cuts=()):
    return fits_of(rows, num, cuts, first=10)


def fill_gaps(fits, max_gap_s, *settings):
    """The step with a longest gap in seconds, and other settings."""
    return refine.fill_gaps(fits, setup_of(f"refine.gaps.max_gap_s={max_gap_s}", *settings))


def rows_at(times, track_id=1):
    """Somebody who walks away at even speed in the picture, turns and bends an elbow."""
    n = len(times)
    t = np.asarray(times, np.float64)
    depth = 4.0 * np.exp(0.02 * t)
    pelvis = np.stack([(0.1 + 0.01 * t) * depth, 0.05 * depth, depth], axis=1)
    rows = blank_rows(n) | {
        "frame": 10 + np.asarray(times),
        "time_s": t / 30,
        "track_id": np.full(n, track_id),
        "transl": pelvis - np.array([0.0, 0.3, 0.02]),
        "joints3d": np.repeat(pelvis[:, None], 24, axis=1),
        "keypoints2d": np.stack([t, 2 * t, 0 * t + 0.9], axis=1)[:, None].repeat(17, axis=1),
        "crop_size_px": 100.0 + t,
    }
    rows["global_orient"][:, 1] = 3.0 + 0.02 * t  # passes pi
    rows["body_pose"][:, 52] = 0.03 * t
    return typed_rows(rows)


def together(*parts):
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    order = np.lexsort((joined["track_id"], joined["frame"]))
    return {k: v[order] for k, v in joined.items()}


def matrices(axis_angle):
    return axis_angle_to_matrix(torch.from_numpy(axis_angle).unflatten(-1, (-1, 3)))


def test_a_gap_is_bridged_on_the_course_of_the_motion():
    whole = rows_at(range(12))
    some = rows_at([0, 1, 2, 3, 8, 9, 10, 11])
    filled = rows_of(fill_gaps(clip(some, 12), 0.5))
    assert filled["frame"].tolist() == whole["frame"].tolist()
    assert filled["status"].tolist() == [0] * 4 + [FILLED] * 4 + [0] * 4
    for name in ("global_orient", "body_pose"):
        off = rotation_angle(matrices(filled[name]), matrices(whole[name]))
        assert off.max() < 1e-3
    for name in ("transl", "time_s", "crop_size_px"):
        assert np.allclose(filled[name], whole[name], atol=1e-4)
    new = filled["status"] == FILLED
    assert (filled["keypoints2d"][new][..., 2] == 0).all()
    assert np.allclose(filled["keypoints2d"][..., :2], whole["keypoints2d"][..., :2], atol=1e-4)
    assert (filled["bbox_score"][new] == 0).all()


def test_what_was_there_is_not_touched():
    some = rows_at([0, 1, 4, 5])
    filled = rows_of(fill_gaps(clip(some, 6), 0.5))
    kept = filled["status"] != FILLED
    assert all(np.array_equal(filled[k][kept], some[k]) for k in some)


def test_what_is_new_has_to_be_posed():
    filled = fill_gaps(clip(rows_at([0, 1, 4, 5]), 6), 0.5)
    assert not filled.is_posed
    (person,) = filled.people
    assert len(person) == len(person.track) == len(person.bodies) == len(person.track.seen) == 6
    assert person.track.at.tolist() == list(range(6))
    assert set(person.track.seen.track_id.tolist()) == {1}
    for name, value in vars(person.bodies).items():
        assert value.dtype == empty_rows()[name].dtype, name


def test_long_gaps_cuts_and_other_people_are_not_bridged():
    some = rows_at([0, 1, 8, 9])
    for fits, max_gap_s in (
        (clip(some, 10), 0.2),
        (clip(some, 10, cuts=(5,)), 0.5),
        (clip(some, 10, cuts=(8,)), 0.5),
        (clip(together(rows_at([0, 1], 1), rows_at([4, 5], 2)), 6), 0.5),
    ):
        assert fill_gaps(fits, max_gap_s) is fits and fits.is_posed


def test_off_leaves_all_as_it_is():
    fits = clip(rows_at([0, 1, 4, 5]), 6)
    assert fill_gaps(fits, 0.5, "refine.gaps.enabled=no") is fits
    others = ("refine.smooth.enabled=no",)
    assert len(rows_of(fill_gaps(fits, 0.5, *others))["frame"]) == 6


def test_a_cut_before_a_gap_does_no_harm():
    filled = rows_of(fill_gaps(clip(rows_at([2, 3, 6]), 7, cuts=(2,)), 0.5))
    assert filled["frame"].tolist() == [12, 13, 14, 15, 16]


def test_a_gap_behind_a_cut_is_bridged():
    filled = rows_of(fill_gaps(clip(rows_at([0, 1, 3, 4, 7]), 8, cuts=(3,)), 0.5))
    assert filled["frame"].tolist() == [10, 11, 13, 14, 15, 16, 17]
    assert filled["track_id"].tolist() == [1] * 2 + [1 + BEHIND_CUT] * 5


def test_rows_of_several_people_stay_in_order():
    both = clip(together(rows_at(range(6), 2), rows_at([0, 5], 1)), 6)
    filled = rows_of(fill_gaps(both, 0.5))
    order = list(zip(filled["frame"].tolist(), filled["track_id"].tolist(), strict=True))
    assert order == [(10 + t, i) for t in range(6) for i in (1, 2)]


def test_nobody():
    for num in (3, 0):
        fits = clip(empty_rows(), num)
        assert fill_gaps(fits, 0.5) is fits and len(rows_of(fits)["frame"]) == 0

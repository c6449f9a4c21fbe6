"""Bodies put back onto their people after smoothing."""

import numpy as np
import pytest

from eftvideo.refine import realign_tracks
from eftvideo.results.result import empty_rows, rows_of
from eftvideo.types import FILLED
from tests.refine_case import blank_rows, fits_of
from tests.setup_case import SIZE, setup_of

FOCAL, DEPTH, CROP = 1000.0, 5.0, 448.0


def rows(num=20, off_px=(0.0, 0.0), seed=0):
    """Somebody who stands still; the keypoints are `off_px` from the body."""
    g = np.random.default_rng(seed)
    out = blank_rows(num)
    body = g.normal(0, 0.3, (17, 3)) + np.array([0.2, -0.1, DEPTH])
    out["frame"], out["time_s"] = np.arange(num), np.arange(num) / 30.0
    out["track_id"][:] = 1
    out["keypoints3d"][:] = body
    out["joints3d"][:, 0] = [0.2, -0.1, DEPTH]
    out["transl"][:] = [0.2, -0.1, DEPTH]
    out["focal_length_px"][:], out["crop_size_px"][:] = FOCAL, CROP
    px = body[:, :2] / body[:, 2:] * FOCAL + np.array(SIZE) / 2
    out["keypoints2d"][..., :2], out["keypoints2d"][..., 2] = px + np.array(off_px), 0.9
    return out


def settle(given, *settings, cuts=()):
    """The step on rows, with settings."""
    fits = fits_of(given, int(given["frame"].max()) + 1, cuts)
    return rows_of(realign_tracks(fits, setup_of(*settings, focal_length_px=FOCAL)))


def moved_px(before, after):
    return (after["transl"] - before["transl"])[:, :2] * FOCAL / DEPTH


def test_a_body_left_behind_is_moved_across_its_ray():
    given = rows(off_px=(30.0, -40.0))
    after = settle(given)
    # 50 px of the frame are 25 px of the crop, of which 1.5 may stay.
    want = np.array([30.0, -40.0]) * (1 - 1.5 / 25)
    np.testing.assert_allclose(moved_px(given, after), np.tile(want, (20, 1)), atol=0.1)
    np.testing.assert_array_equal(after["transl"][:, 2], given["transl"][:, 2])


def test_a_body_in_its_place_stays():
    given = rows(off_px=(2.0, 1.0))
    np.testing.assert_array_equal(settle(given)["transl"], given["transl"])


def test_a_few_gross_errors_move_nobody():
    given = rows()
    given["keypoints2d"][:, [9, 10, 15], :2] += 200.0
    after = settle(given)
    assert np.abs(moved_px(given, after)).max() < 1.0


@pytest.mark.parametrize("hidden", ["filled", "few keypoints"])
def test_frames_without_evidence_follow_their_neighbours(hidden):
    given = rows(off_px=(30.0, 0.0))
    if hidden == "filled":
        given["status"][8:10] = FILLED
        given["keypoints2d"][8:10] = 0.0
    else:
        given["keypoints2d"][8:10, 4:, 2] = 0.0
        given["keypoints2d"][8:10, :, :2] += 300.0
    moved = moved_px(given, settle(given))
    np.testing.assert_allclose(moved[8:10, 0], moved[0, 0], rtol=0.02)


def test_off_leaves_all_as_it_is():
    given = rows(off_px=(30.0, -40.0))
    fits = fits_of(given, 20)
    off = setup_of("refine.realign.enabled=no", focal_length_px=FOCAL)
    assert realign_tracks(fits, off) is fits and fits.is_posed
    others = ("refine.smooth.enabled=no", "refine.gaps.enabled=no")
    assert np.abs(moved_px(given, settle(given, *others))).min() > 20.0


def test_only_the_place_is_another():
    given = rows(off_px=(30.0, -40.0))
    after = settle(given)
    for name in given:
        assert np.array_equal(after[name], given[name]) == (name != "transl"), name


@pytest.mark.parametrize("wall", ["cut", "gap", "another person"])
def test_nothing_is_mixed_across(wall):
    """Half of the frames are off; those beside them stay."""
    given = rows(num=20, off_px=(30.0, 0.0))
    straight = rows(num=20)
    given["keypoints2d"][10:] = straight["keypoints2d"][10:]
    mixed = moved_px(given, settle(given))
    assert 5.0 < mixed[10, 0] < 25.0, "of one stretch they are mixed"
    cuts = ()
    if wall == "cut":
        cuts = (10,)
    elif wall == "gap":
        given["frame"][10:] += 1
    else:
        given["track_id"][10:] = 2
    moved = moved_px(given, settle(given, cuts=cuts))
    np.testing.assert_allclose(moved[:10, 0], 30.0 * (1 - 1.5 / 15), atol=0.1)
    np.testing.assert_array_equal(moved[10:], 0.0)


def test_nobody():
    fits = fits_of(empty_rows(), 3)
    assert realign_tracks(fits, setup_of()) is fits
    assert len(rows_of(fits)["transl"]) == 0

"""Bodies put back onto their people after smoothing."""

import numpy as np
import pytest

from eftvideo.config import EftConfig
from eftvideo.refine.realign import settle_rows
from eftvideo.results.result import empty_rows
from eftvideo.types import FILLED

SIZE = (1280, 720)
FOCAL, DEPTH, CROP = 1000.0, 5.0, 448.0


def rows(num=20, off_px=(0.0, 0.0), seed=0):
    """Somebody who stands still; the keypoints are `off_px` from the body."""
    g = np.random.default_rng(seed)
    out = {k: np.zeros((num, *v.shape[1:]), v.dtype) for k, v in empty_rows().items()}
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


def settle(given):
    return settle_rows(given, given["track_id"], SIZE, EftConfig())


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


def test_nobody():
    given = empty_rows()
    assert len(settle(given)["transl"]) == 0

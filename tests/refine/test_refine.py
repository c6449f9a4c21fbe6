"""Filled and smoothed rows: all that follows from a row is true of what is written."""

import numpy as np
import pytest
import torch

from eftvideo.fit.records import posed
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.refine import fill_gaps, smooth_tracks
from eftvideo.results.result import empty_rows, rows_of, typed_rows
from eftvideo.types import FILLED, FITTED, REJECTED, SmplParams
from tests.refine_case import blank_rows, fits_of
from tests.setup_case import SIZE, setup_of

FOCAL = 1400.0
NO_SMOOTHING = ("refine.smooth.strength=0",)
ALL_OFF = tuple(f"refine.{step}.enabled=no" for step in ("gaps", "smooth"))


def told(*settings):
    return setup_of(*settings, focal_length_px=FOCAL)


def steps(fits, setup):
    for step in (fill_gaps, smooth_tracks, posed):
        fits = step(fits, setup)
    return fits


def polish(rows, *settings, cuts=()):
    """All that is done after the fit, to rows among 30 frames."""
    return rows_of(steps(fits_of(rows, 30, cuts), told(*settings)))


def refresh(rows):
    """What follows from the rows' pose, shape and place."""
    return rows_of(posed(fits_of(rows, 30, posed=False), told()))


@pytest.fixture(scope="module")
def walk(body):
    """30 frames of somebody who swings an arm, fitted with errors of pose and depth."""
    num, rng = 30, np.random.default_rng(0)
    t = np.arange(num)
    pose = np.zeros((num, 24, 3))
    pose[:, 0, 0] = np.pi
    pose[:, 16, 2], pose[:, 17, 2] = -1.1, 1.1
    pose[:, 16, 0] = 0.03 * t
    transl = np.stack([0.01 * t, 0 * t + 0.2, 5.0 - 0.01 * t], axis=1)

    def points(pose, transl):
        params = SmplParams(
            axis_angle_to_matrix(torch.from_numpy(pose[:, 0]).float()),
            axis_angle_to_matrix(torch.from_numpy(pose[:, 1:]).float()),
            torch.zeros(num, 10),
        )
        joints, keypoints = body.joints_and_keypoints(params)
        return joints.numpy() + transl[:, None], keypoints.numpy() + transl[:, None]

    _, true = points(pose, transl)
    px = true[..., :2] / true[..., 2:] * FOCAL + np.array(SIZE) / 2
    noisy = transl * (1.0 + 0.02 * rng.normal(size=(num, 1)))
    shaken = pose + 0.04 * rng.normal(size=pose.shape)
    joints, keypoints = points(shaken, noisy)
    rows = blank_rows(num) | {
        "frame": t,
        "time_s": t / 30,
        "track_id": np.ones(num),
        "keypoints2d": np.concatenate([px, np.full((num, 17, 1), 0.9)], axis=-1),
        "global_orient": shaken[:, 0],
        "body_pose": shaken[:, 1:].reshape(num, -1),
        "transl": noisy,
        "joints3d": joints,
        "keypoints3d": keypoints,
        "crop_center_px": px.mean(axis=1),
        "crop_size_px": np.full(num, 600.0),
        "focal_length_px": np.full(num, FOCAL),
    }
    return refresh(typed_rows(rows)), true


def shaking(rows):
    return np.linalg.norm(np.diff(rows["keypoints3d"], n=2, axis=0), axis=-1).mean()


def test_smoother_and_nearer_to_the_truth(walk):
    rows, true = walk
    new = polish(rows)
    assert shaking(new) < shaking(rows) / 5

    def error(r):
        return np.linalg.norm(r["keypoints3d"] - true, axis=-1).mean()

    assert error(new) < 0.8 * error(rows)


def test_everything_follows_from_what_is_written(walk):
    new = polish(walk[0])
    again = refresh(new)
    for name in ("joints3d", "keypoints3d", "pred_cam", "loss_px"):
        assert np.allclose(new[name], again[name], atol=1e-5)
    assert not np.allclose(new["loss_px"], walk[0]["loss_px"], atol=0.1)
    points = new["keypoints3d"]
    px = points[..., :2] / points[..., 2:] * FOCAL + np.array(SIZE) / 2
    off = np.linalg.norm(px - new["keypoints2d"][..., :2], axis=-1) / 600.0 * 224.0
    assert np.abs(np.sqrt((off**2).mean(axis=1)) - new["loss_px"]).max() < 1.0
    for name in ("keypoints2d", "crop_center_px", "loss_px_start", "status", "frame"):
        assert np.array_equal(new[name], walk[0][name])


def test_the_shape_hardly_changes_and_the_pelvis_stays(walk):
    rng = np.random.default_rng(2)
    rows = dict(walk[0]) | {"betas": rng.normal(0, 1, (30, 10)).astype(np.float32)}
    pelvis = rows["joints3d"][:, 0]
    rows = refresh(rows)
    rows["transl"] += pelvis - rows["joints3d"][:, 0]
    rows = refresh(rows)
    new = polish(rows)
    assert np.abs(np.diff(new["betas"], axis=0)).max() < 0.1
    plain = polish(walk[0])
    assert np.allclose(new["joints3d"][:, 0], plain["joints3d"][:, 0], atol=2e-3)


def test_off_changes_nothing(walk):
    fits = fits_of(walk[0], 30)
    assert steps(fits, told(*NO_SMOOTHING)) is fits
    some = fits_of({k: np.delete(v, [10, 11], axis=0) for k, v in walk[0].items()}, 30)
    assert steps(some, told(*NO_SMOOTHING, "refine.gaps.enabled=no")) is some
    assert steps(some, told(*ALL_OFF)) is some


def test_gaps_are_filled_and_marked(walk):
    some = {k: np.delete(v, [10, 11, 12], axis=0) for k, v in walk[0].items()}
    new = polish(some)
    assert new["frame"].tolist() == list(range(30))
    assert np.flatnonzero(new["status"] == FILLED).tolist() == [10, 11, 12]
    assert (new["loss_px"][10:13] == 0).all()
    off = np.linalg.norm(new["keypoints3d"] - walk[1], axis=-1)[10:13]
    assert off.mean() < 0.15
    kept = polish(some, "refine.gaps.enabled=no")
    assert len(kept["frame"]) == 27
    only = polish(some, *NO_SMOOTHING)
    assert len(only["frame"]) == 30
    assert np.array_equal(only["transl"][:10], some["transl"][:10])


def test_cuts_and_gaps_are_walls(walk):
    """What happens after a cut or a gap changes nothing before it."""
    rows = walk[0]
    other = {k: v.copy() for k, v in rows.items()}
    other["transl"][15:] += [1.0, 0.5, 3.0]
    other["joints3d"][15:] += np.float32([1.0, 0.5, 3.0])
    a, b = (polish(r, cuts=(15,))["transl"][:15] for r in (rows, other))
    assert np.abs(a - b).max() < 0.06
    assert np.abs(polish(other)["transl"][14] - a[14]).max() > 0.1
    missing = [{k: np.delete(v, 14, axis=0) for k, v in r.items()} for r in (rows, other)]
    a, b = (polish(r, "refine.gaps.enabled=no")["transl"][:14] for r in missing)
    assert np.abs(a - b).max() < 0.06


def test_rejected_fits_are_trusted_less(walk):
    wrong = {k: v.copy() for k, v in walk[0].items()}
    wrong["body_pose"][15, 45:48] += 1.0
    marked = wrong | {"status": np.where(np.arange(30) == 15, REJECTED, FITTED)}
    true = walk[1][15]

    def error(rows):
        return np.linalg.norm(polish(rows)["keypoints3d"][15] - true, axis=-1)

    assert error(marked).mean() < error(wrong).mean()


@pytest.mark.parametrize("step", [fill_gaps, smooth_tracks])
def test_each_step_off_leaves_its_input(walk, step):
    """And on it does not, whatever the others are."""
    name = {fill_gaps: "gaps", smooth_tracks: "smooth"}[step]
    rows = {k: np.delete(v, [10, 11], axis=0) for k, v in walk[0].items()}
    rows["transl"] = rows["transl"] + np.float32([0.2, 0.0, 0.0])
    for is_posed in (True, False):
        fits = fits_of(rows, 30, posed=is_posed)
        assert step(fits, told(f"refine.{name}.enabled=no")) is fits
        others = [o for o in ALL_OFF if f".{name}." not in o]
        assert step(fits, told(*others)) is not fits


def test_posed_only_where_something_changed(walk, body, monkeypatch):
    asked = []
    real = type(body).joints_and_keypoints
    monkeypatch.setattr(
        type(body),
        "joints_and_keypoints",
        lambda self, params, which: asked.append(len(params)) or real(self, params, which),
    )
    fits = fits_of(walk[0], 30)
    assert posed(fits, told()) is fits
    assert steps(fits, told(*ALL_OFF)) is fits and not asked
    for on, times in (("gaps", 0), ("smooth", 1)):
        asked.clear()
        off = [o for o in ALL_OFF if f".{on}." not in o]
        assert steps(fits, told(*off)).is_posed
        assert asked == [30] * times, on
    asked.clear()
    assert steps(fits, told()).is_posed
    assert asked == [30], "once, for what is written"


def test_posed_leaves_what_does_not_follow(walk):
    rows = dict(walk[0]) | {"status": np.where(np.arange(30) == 4, FILLED, FITTED)}
    rows["loss_px"] = rows["loss_px"] + np.float32(7.0)
    again = rows_of(posed(fits_of(rows, 30, posed=False), told()))
    follows = ("joints3d", "keypoints3d", "pred_cam", "loss_px")
    for name in set(rows) - set(follows):
        assert np.array_equal(again[name], rows[name]), name
    for name in follows[:-1]:
        np.testing.assert_allclose(again[name], rows[name], atol=1e-5)
    assert again["loss_px"][4] == 0.0
    np.testing.assert_allclose(np.delete(again["loss_px"], 4), np.delete(walk[0]["loss_px"], 4))


def test_nobody():
    for is_posed in (True, False):
        fits = fits_of(empty_rows(), 3, posed=is_posed)
        assert len(rows_of(steps(fits, told()))["frame"]) == 0

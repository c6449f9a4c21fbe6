"""Filled and smoothed rows: all that follows from a row is true of what is written."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from eftvideo.refine.refine_tracks import polish_rows

from eftvideo.bodies import load_body
from eftvideo.config import EftConfig, SmoothConfig
from eftvideo.fit.records import refresh
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.results.result import empty_rows, typed_rows
from eftvideo.types import FILLED, FITTED, REJECTED, Detections, FrameDetections, SmplParams

SIZE = (1280, 720)
FOCAL = 1400.0


@pytest.fixture(scope="module")
def body():
    return load_body()


def frames(num, cuts=()):
    return [FrameDetections(t, t / 30, Detections.empty(), t in cuts) for t in range(num)]


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

    def posed(pose, transl):
        params = SmplParams(
            axis_angle_to_matrix(torch.from_numpy(pose[:, 0]).float()),
            axis_angle_to_matrix(torch.from_numpy(pose[:, 1:]).float()),
            torch.zeros(num, 10),
        )
        joints, keypoints = body.joints_and_keypoints(params)
        return joints.numpy() + transl[:, None], keypoints.numpy() + transl[:, None]

    _, true = posed(pose, transl)
    px = true[..., :2] / true[..., 2:] * FOCAL + np.array(SIZE) / 2
    noisy = transl * (1.0 + 0.02 * rng.normal(size=(num, 1)))
    shaken = pose + 0.04 * rng.normal(size=pose.shape)
    joints, keypoints = posed(shaken, noisy)
    rows = {k: np.zeros((num, *v.shape[1:]), v.dtype) for k, v in empty_rows().items()}
    rows |= {
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
    return refresh(typed_rows(rows), body, SIZE, EftConfig(), "cpu"), true


def polish(rows, body, clip, **how):
    return polish_rows(rows, clip, body, SIZE, replace(SmoothConfig(), **how), EftConfig(), "cpu")


def shaking(rows):
    return np.linalg.norm(np.diff(rows["keypoints3d"], n=2, axis=0), axis=-1).mean()


def test_smoother_and_nearer_to_the_truth(walk, body):
    rows, true = walk
    new = polish(rows, body, frames(30))
    assert shaking(new) < shaking(rows) / 5

    def error(r):
        return np.linalg.norm(r["keypoints3d"] - true, axis=-1).mean()

    assert error(new) < 0.8 * error(rows)


def test_everything_follows_from_what_is_written(walk, body):
    new = polish(walk[0], body, frames(30))
    again = refresh(new, body, SIZE, EftConfig(), "cpu")
    for name in ("joints3d", "keypoints3d", "pred_cam", "loss_px"):
        assert np.allclose(new[name], again[name], atol=1e-5)
    assert not np.allclose(new["loss_px"], walk[0]["loss_px"], atol=0.1)
    points = new["keypoints3d"]
    px = points[..., :2] / points[..., 2:] * FOCAL + np.array(SIZE) / 2
    off = np.linalg.norm(px - new["keypoints2d"][..., :2], axis=-1) / 600.0 * 224.0
    assert np.abs(np.sqrt((off**2).mean(axis=1)) - new["loss_px"]).max() < 1.0
    for name in ("keypoints2d", "crop_center_px", "loss_px_start", "status", "frame"):
        assert np.array_equal(new[name], walk[0][name])


def test_the_shape_hardly_changes_and_the_pelvis_stays(walk, body):
    rng = np.random.default_rng(2)
    rows = dict(walk[0]) | {"betas": rng.normal(0, 1, (30, 10)).astype(np.float32)}
    pelvis = rows["joints3d"][:, 0]
    rows = refresh(rows, body, SIZE, EftConfig(), "cpu")
    rows["transl"] += pelvis - rows["joints3d"][:, 0]
    rows = refresh(rows, body, SIZE, EftConfig(), "cpu")
    new = polish(rows, body, frames(30))
    assert np.abs(np.diff(new["betas"], axis=0)).max() < 0.1
    plain = polish(walk[0], body, frames(30))
    assert np.allclose(new["joints3d"][:, 0], plain["joints3d"][:, 0], atol=2e-3)


def test_off_changes_nothing(walk, body):
    rows = walk[0]
    assert polish(rows, body, frames(30), strength=0.0) is rows
    some = {k: np.delete(v, [10, 11], axis=0) for k, v in rows.items()}
    off = polish(some, body, frames(30), strength=0.0, fill_gaps=False)
    assert off is some


def test_gaps_are_filled_and_marked(walk, body):
    some = {k: np.delete(v, [10, 11, 12], axis=0) for k, v in walk[0].items()}
    new = polish(some, body, frames(30))
    assert new["frame"].tolist() == list(range(30))
    assert np.flatnonzero(new["status"] == FILLED).tolist() == [10, 11, 12]
    assert (new["loss_px"][10:13] == 0).all()
    off = np.linalg.norm(new["keypoints3d"] - walk[1], axis=-1)[10:13]
    assert off.mean() < 0.15
    kept = polish(some, body, frames(30), fill_gaps=False)
    assert len(kept["frame"]) == 27
    only = polish(some, body, frames(30), strength=0.0)
    assert np.array_equal(only["transl"][:10], some["transl"][:10])


def test_cuts_and_gaps_are_walls(walk, body):
    """What happens after a cut or a gap changes nothing before it."""
    rows = walk[0]
    other = {k: v.copy() for k, v in rows.items()}
    other["transl"][15:] += [1.0, 0.5, 3.0]
    other["joints3d"][15:] += np.float32([1.0, 0.5, 3.0])
    a, b = (polish(r, body, frames(30, cuts=(15,)))["transl"][:15] for r in (rows, other))
    assert np.abs(a - b).max() < 0.06
    assert np.abs(polish(other, body, frames(30))["transl"][14] - a[14]).max() > 0.1
    missing = [{k: np.delete(v, 14, axis=0) for k, v in r.items()} for r in (rows, other)]
    a, b = (polish(r, body, frames(30), fill_gaps=False)["transl"][:14] for r in missing)
    assert np.abs(a - b).max() < 0.06


def test_rejected_fits_are_trusted_less(walk, body):
    wrong = {k: v.copy() for k, v in walk[0].items()}
    wrong["body_pose"][15, 45:48] += 1.0
    marked = wrong | {"status": np.where(np.arange(30) == 15, REJECTED, FITTED)}
    true = walk[1][15]

    def error(rows):
        return np.linalg.norm(polish(rows, body, frames(30))["keypoints3d"][15] - true, axis=-1)

    assert error(marked).mean() < error(wrong).mean()


def test_nobody(body):
    assert len(polish(empty_rows(), body, frames(3))["frame"]) == 0

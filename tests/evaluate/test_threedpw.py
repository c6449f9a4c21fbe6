"""3DPW's sequence files: small ones of the same structure, of random motion."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from evaluation_data import result_of
from smpl_files import Call

from eftvideo.bodies import load_body
from eftvideo.errors import ResultFormatError, UnsafeFileError
from eftvideo.evaluate.score import evaluate
from eftvideo.evaluate.threedpw import load_sequence
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.types import SmplParams

NUM = 7


@pytest.fixture(scope="module")
def body():
    return load_body()


def posed(body, poses, betas, trans):
    turns = axis_angle_to_matrix(torch.from_numpy(poses).float().view(-1, 24, 3))
    shape = torch.from_numpy(betas[:10]).float().expand(len(poses), 10)
    params = SmplParams(turns[:, 0], turns[:, 1:], shape)
    transl = torch.from_numpy(trans).float()
    joints, _ = body.joints_and_keypoints(params)
    return (joints + transl[:, None]).numpy(), body.vertices(params, transl).numpy()


def sequence(body, num_people=2, seed=0):
    """The dictionary of a sequence file: world frame, one camera pose per picture."""
    rng = np.random.default_rng(seed)
    cameras = np.tile(np.eye(4), (NUM, 1, 1))
    cameras[:, :3, :3] = axis_angle_to_matrix(
        torch.from_numpy(rng.normal(0, 1.0, (NUM, 3)))
    ).numpy()
    place = np.array([0.3, -0.2, 6.0])
    data = {
        "sequence": "park_00",
        "genders": ["m", "f"][:num_people],
        "cam_intrinsics": np.array([[1960.0, 0, 540], [0, 1964.0, 960], [0, 0, 1]]),
        "img_frame_ids": np.arange(NUM) * 2,
        "texture_maps": [],
        "poses_60Hz": [rng.normal(size=(2 * NUM, 72)) for _ in range(num_people)],
        **{k: [] for k in ("poses", "trans", "betas", "jointPositions", "campose_valid")},
        "poses2d": [],
    }
    for i in range(num_people):
        poses, betas = rng.normal(0.0, 0.3, (NUM, 72)), rng.normal(0.0, 1.0, 300)
        trans = rng.normal(0.0, 0.2, (NUM, 3)) + np.array([i, 0, 0])
        joints, _ = posed(body, poses, betas, trans)
        data["poses"].append(poses)
        data["betas"].append(betas)
        data["trans"].append(trans)
        data["jointPositions"].append(joints.reshape(NUM, 72).astype(np.float64))
        data["campose_valid"].append(np.array([1, 1, 0, 1, 1, 1, 1]))
        seen = np.ones((NUM, 3, 18))
        seen[4, 2, 5:] = 0.0
        data["poses2d"].append(seen)
    cameras[:, :3, 3] = place - np.einsum("tij,tj->ti", cameras[:, :3, :3], data["trans"][0])
    return data | {"cam_poses": cameras}


def write(path, data):
    """Protocol 2, as Python 2 wrote them."""
    path.write_bytes(pickle.dumps(data, protocol=2))
    return path


@pytest.fixture(scope="module")
def data(body):
    return sequence(body)


@pytest.fixture
def path(tmp_path, data):
    return write(tmp_path / "park_00.pkl", data)


def test_rows_and_what_is_scored(path):
    truth = load_sequence(path)
    assert truth.frame.tolist() == [i for i in range(NUM) for _ in range(2)]
    assert truth.track_id.tolist() == [1, 2] * NUM and truth.source == "park_00"
    assert truth.body[:2].tolist() == ["male", "female"]
    assert sorted({int(f) for f in truth.frame[~truth.scored]}) == [2, 4]
    np.testing.assert_allclose(truth.time_s[-1], (NUM - 1) / 30)
    assert truth.focal_length_px[0] == 1962.0 and truth.principal_px.tolist() == [540, 960]


def test_joints_are_in_the_camera_frame(path, data):
    truth = load_sequence(path)
    frame, person = 3, 1
    row = np.flatnonzero((truth.frame == frame) & (truth.track_id == person + 1))[0]
    camera = data["cam_poses"][frame]
    world = data["jointPositions"][person][frame].reshape(24, 3)
    by_hand = np.stack([camera[:3, :3] @ p + camera[:3, 3] for p in world])
    np.testing.assert_allclose(truth.joints3d[row], by_hand, atol=1e-9)


def test_parameters_give_the_same_body_before_the_camera(path, data, body):
    """Vertices of the camera-frame parameters are the world's vertices seen by the camera."""
    truth = load_sequence(path).select(np.arange(1, 2 * NUM, 2))
    poses = np.concatenate([truth.global_orient, truth.body_pose], axis=1)
    joints, got = posed(body, poses, truth.betas[0], truth.transl)
    _, world = posed(body, *(data[k][1] for k in ("poses", "betas", "trans")))
    turn, shift = data["cam_poses"][:, :3, :3], data["cam_poses"][:, None, :3, 3]
    np.testing.assert_allclose(got, world @ turn.swapaxes(1, 2) + shift, atol=2e-5)
    np.testing.assert_allclose(joints, truth.joints3d, atol=2e-5)


def test_a_perfect_result_scores_perfectly(path):
    """By SMPL's own joints: no licensed regressor is needed for that."""
    truth = load_sequence(path)
    alive = truth.select(truth.track_id == 1)
    rows = {k: getattr(alive, k) for k in ("frame", "track_id", "joints3d")}
    found = result_of(rows, width_px=1080, height_px=1920)
    got = evaluate(found, alive)
    assert got.counts["matched"] == NUM - 2 and got.counts["false_people"] == 0
    assert got.overall["mpjpe"] == pytest.approx(0.0, abs=1e-2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cam_poses": None}, "lacks cam_poses"),
        ({"trans": [np.zeros((3, 3))] * 2}, "trans has shape (3, 3), expected (7, 3)"),
        ({"poses2d": [np.zeros((NUM, 3, 17))] * 2}, "poses2d has shape"),
        ({"genders": ["m"]}, "not as 3DPW's files are"),
    ],
)
def test_other_files_are_refused(tmp_path, data, change, words):
    bad = {k: v for k, v in (data | change).items() if v is not None}
    with pytest.raises(ResultFormatError) as e:
        load_sequence(write(tmp_path / "a.pkl", bad))
    assert words in str(e.value) and "\n" not in str(e.value)


def test_nothing_in_the_file_is_run(tmp_path, data):
    target = tmp_path / "ran"
    with pytest.raises(UnsafeFileError):
        load_sequence(write(tmp_path / "a.pkl", data | {"extra": Call(open, str(target), "w")}))
    assert not target.exists()

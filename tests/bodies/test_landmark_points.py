"""The landmark network's 33 points on the shipped body: where they lie, and what moves them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from smpl_files import write_body_npz

from eftvideo.bodies import load_body
from eftvideo.bodies.smpl import Model
from eftvideo.errors import ConfigError
from eftvideo.geometry.skeletons import COCO17, EVIDENCE50, LANDMARK33, SMPL24
from eftvideo.types import SmplParams
from tools.body import move_points, npz


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def arrays(body):
    return npz.read(body.path)


def pose(body, betas=None, **degrees):
    """Landmarks and joints by name, (3,) metres, with joints at rotation vectors in degrees."""
    rotations = torch.eye(3).repeat(1, 23, 1, 1)
    for name, vector in degrees.items():
        matrix = Rotation.from_rotvec(vector, degrees=True).as_matrix()
        rotations[0, SMPL24.index(name) - 1] = torch.from_numpy(matrix)
    betas = torch.zeros(1, 10) if betas is None else torch.as_tensor(betas).float()[None]
    joints, points = body.joints_and_keypoints(
        SmplParams(torch.eye(3)[None], rotations, betas), "evidence"
    )
    landmarks = dict(zip(LANDMARK33, points[0, len(COCO17) :].numpy(), strict=True))
    return landmarks, dict(zip(SMPL24, joints[0].numpy(), strict=True))


def test_evidence_is_coco_then_landmarks(body):
    params = SmplParams(torch.eye(3)[None], torch.eye(3).repeat(1, 23, 1, 1), torch.zeros(1, 10))
    evidence = body.joints_and_keypoints(params, "evidence")[1]
    every = body.joints_and_keypoints(params, "all")[1]
    assert body.has_landmarks and evidence.shape == (1, 50, 3)
    rows = [body.keypoint_names.index(name) for name in EVIDENCE50]
    torch.testing.assert_close(evidence, every[:, rows], atol=1e-6, rtol=0)
    torch.testing.assert_close(evidence[:, :17], body.joints_and_keypoints(params)[1])


def test_a_body_without_landmarks_says_so(tmp_path):
    old = Model.from_file(write_body_npz(tmp_path / "old.npz"))
    params = SmplParams(torch.eye(3)[None], torch.eye(3).repeat(1, 23, 1, 1), torch.zeros(1, 10))
    assert not old.has_landmarks
    with pytest.raises(ConfigError, match=r"old\.npz has no landmark points"):
        old.joints_and_keypoints(params, "evidence")


def test_rows_are_few_vertices_that_sum_to_one(arrays):
    names = arrays["keypoint_names"].tolist()
    rows = arrays["keypoint_regressor"][[names.index(f"landmark_{n}") for n in LANDMARK33]]
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
    assert (rows != 0).sum(1).max() < 600
    assert np.abs(rows).max() <= 1.0


@pytest.mark.parametrize("betas", [np.zeros(10), np.eye(10)[0] * -4, np.eye(10)[2] * 2.5])
def test_points_lie_where_their_names_say(body, betas):
    at, joint = pose(body, betas)
    x, y, z = (dict(zip(at, np.array(list(at.values())).T[k], strict=True)) for k in range(3))
    assert x["left_eye_inner"] < x["left_eye"] < x["left_eye_outer"] < x["left_ear"]
    assert x["mouth_left"] > 0 and y["mouth_left"] < y["nose"] < y["left_eye"]
    assert z["nose"] > z["left_eye_outer"] > z["left_ear"] and abs(x["nose"]) < 1e-5
    size = np.linalg.norm(joint["left_wrist"] - joint["left_elbow"])
    for finger in ("index", "pinky", "thumb"):
        away = x[f"left_{finger}"] - x["left_wrist"]
        assert 0.12 * size < away < 0.55 * size, finger
    assert z["left_thumb"] > z["left_index"] > z["left_pinky"] + 0.12 * size
    assert z["left_foot_index"] - z["left_heel"] > 0.45 * size + 0.05
    assert abs(y["left_foot_index"] - y["left_heel"]) < 0.03
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert np.linalg.norm(at[f"left_{part}"] - joint[f"left_{part}"]) < 0.03, part


@pytest.mark.parametrize(
    ("moved", "vector", "points"),
    [
        ("left_elbow", (0.0, -90.0, 0.0), ("wrist", "index", "pinky", "thumb")),
        ("left_ankle", (30.0, 0.0, 0.0), ("heel", "foot_index")),
        ("left_hip", (-80.0, 0.0, 0.0), ("knee", "ankle", "heel", "foot_index")),
        ("left_wrist", (0.0, 0.0, 50.0), ("index", "pinky", "thumb")),
    ],
)
def test_points_turn_with_their_bone(body, moved, vector, points):
    rest, joint = pose(body)
    bent, _ = pose(body, **{moved: vector})
    turn = Rotation.from_rotvec(vector, degrees=True).as_matrix()
    for part in points:
        name = f"left_{part}"
        expected = joint[moved] + turn @ (rest[name] - joint[moved])
        assert np.linalg.norm(bent[name] - expected) < 0.015, name
        np.testing.assert_allclose(
            bent[f"right_{part}"], rest[f"right_{part}"], atol=2e-3, err_msg=part
        )


@pytest.mark.parametrize(
    ("part", "vector"),
    [
        ("elbow", (0.0, -100.0, 0.0)),
        ("knee", (100.0, 0.0, 0.0)),
        ("hip", (-80.0, 0.0, 0.0)),
        ("shoulder", (0.0, 0.0, -70.0)),
        ("wrist", (0.0, 0.0, 50.0)),
        ("ankle", (30.0, 0.0, 0.0)),
    ],
)
def test_a_joints_point_stays_when_it_bends(body, part, vector):
    rest, _ = pose(body)
    bent, _ = pose(body, **{f"left_{part}": vector})
    assert np.linalg.norm(bent[f"left_{part}"] - rest[f"left_{part}"]) < 0.02


def test_moved_points_are_glued_to_their_bones(arrays, tmp_path):
    """An offset moves both sides, in the bones' own frames, and can be taken back."""
    offsets = {"landmark_elbow": [0.01, -0.005, 0.002], "hip": [0.01, 0.01, 0.0], "nose": [1, 0, 0]}
    moved = move_points.moved(arrays, offsets)
    names = arrays["keypoint_names"].tolist()
    height = np.ptp(arrays["v_template"][:, 1])
    way = (moved["keypoint_regressor"] - arrays["keypoint_built"]) @ arrays["v_template"]
    for name, sign in (("landmark_left_elbow", 1), ("right_hip", -1)):
        k = names.index(name)
        wanted = np.array(offsets[move_points.sideless(name)]) * [sign, 1, 1]
        np.testing.assert_allclose(way[k], wanted * height, atol=1e-4)
    assert np.abs(way[names.index("left_knee")]).max() < 1e-7
    rows = moved["keypoint_regressor"]
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
    assert np.abs(rows).max() <= 1.0
    share = (rows - arrays["keypoint_built"]) @ arrays["weights"]
    assert np.abs(share).max() < 1e-3

    npz.write(tmp_path / "moved.npz", moved)
    rest, joint = pose(Model.from_file(tmp_path / "moved.npz"))
    bent, _ = pose(Model.from_file(tmp_path / "moved.npz"), left_shoulder=(0.0, 0.0, -60.0))
    turn = Rotation.from_rotvec((0.0, 0.0, -60.0), degrees=True).as_matrix()
    expected = joint["left_shoulder"] + turn @ (rest["left_elbow"] - joint["left_shoulder"])
    np.testing.assert_allclose(bent["left_elbow"], expected, atol=5e-3)

    back = move_points.moved(moved, move_points.load_offsets())
    np.testing.assert_array_equal(back["keypoint_regressor"], arrays["keypoint_regressor"])


def test_offsets_of_unknown_points_are_refused():
    with pytest.raises(ValueError, match="no such points: sholder"):
        move_points.table(["left_shoulder", "right_shoulder"], {"sholder": [0, 0, 0]})
    with pytest.raises(ValueError, match="x, y, z"):
        move_points.table(["left_shoulder"], {"shoulder": [0, 0]})


def test_the_shipped_body_has_the_offsets_of_the_table(arrays):
    names = arrays["keypoint_names"].tolist()
    table = move_points.table(names, move_points.load_offsets())
    np.testing.assert_allclose(arrays["keypoint_offsets"], table, atol=1e-6)

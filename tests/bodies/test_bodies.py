"""Bodies: the reduced model is exact, agrees with smplx, and files are checked when read."""

from __future__ import annotations

import numpy as np
import pytest
import smplx
import torch
from smpl_files import SMPL_NUM_VERTICES, body_arrays, write_body_npz, write_smpl_pickle
from smplx.lbs import batch_rodrigues
from smplx.utils import Struct

from eftvideo.bodies import load_body
from eftvideo.bodies._read import read_body
from eftvideo.bodies.smpl import Model
from eftvideo.errors import UnsafeFileError, WeightsCorruptError, WeightsNotFoundError
from eftvideo.geometry.skeletons import COCO17, SMPL24
from eftvideo.regressors.lifter import PELVIS_REST_M
from eftvideo.types import SmplParams
from eftvideo.weights.locate import ENV_FOLDER, sha256_of


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    return write_body_npz(tmp_path_factory.mktemp("body") / "small.npz")


@pytest.fixture(scope="module")
def small(small_file):
    return Model.from_file(small_file)


@pytest.fixture(scope="module")
def licensed(tmp_path_factory):
    path = tmp_path_factory.mktemp("smpl") / "SMPL_NEUTRAL.pkl"
    write_smpl_pickle(path)
    return Model.from_file(path)


def random_params(num, seed=0, spread=0.7):
    generator = torch.Generator().manual_seed(seed)
    vectors = spread * torch.randn(num, 24, 3, generator=generator)
    vectors[:, 0] *= 3.0
    rotations = batch_rodrigues(vectors.reshape(-1, 3)).reshape(num, 24, 3, 3)
    betas = 2.0 * torch.randn(num, 10, generator=generator)
    return vectors, SmplParams(rotations[:, 0], rotations[:, 1:], betas)


@pytest.fixture(scope="module")
def shipped():
    return load_body()


@pytest.mark.parametrize("which", ["coco17", "all"])
@pytest.mark.parametrize("name", ["small", "licensed", "shipped"])
def test_reduced_model_is_exact(request, name, which):
    body = request.getfixturevalue(name)
    _, params = random_params(6)
    joints, keypoints = body.joints_and_keypoints(params, which)
    count = len(COCO17) if which == "coco17" else len(body.keypoint_names)
    assert joints.shape == (6, 24, 3) and keypoints.shape == (6, count, 3)

    vertices = body.vertices(params, torch.zeros(6, 3)).double().numpy()
    regressor = read_body(body.path).keypoint_regressor[:count]
    np.testing.assert_allclose(keypoints, regressor @ vertices, atol=1e-5)
    full = body.layer(
        betas=params.betas,
        body_pose=params.body_pose,
        global_orient=params.global_orient[:, None],
        pose2rot=False,
    )
    np.testing.assert_allclose(joints, full.joints[:, :24], atol=1e-5)


def test_agrees_with_plain_smplx_from_axis_angle(small, small_file):
    vectors, params = random_params(5, seed=1)
    transl = torch.tensor([[0.3, -1.2, 4.0]]).repeat(5, 1)
    arrays = dict(np.load(small_file))
    plain = smplx.SMPL(
        "",
        data_struct=Struct(**{k: v for k, v in arrays.items() if v.dtype.kind != "U"}),
        vertex_ids=dict.fromkeys(("nose", "reye", "leye", "rear", "lear"), 0),
        use_hands=False,
        use_feet_keypoints=False,
    )
    expected = plain(
        global_orient=vectors[:, 0],
        body_pose=vectors[:, 1:].reshape(5, 69),
        betas=params.betas,
        transl=transl,
    )
    np.testing.assert_allclose(
        small.vertices(params, transl), expected.vertices.detach(), atol=1e-5
    )
    joints, _ = small.joints_and_keypoints(params)
    np.testing.assert_allclose(
        joints + transl[:, None], expected.joints[:, :24].detach(), atol=1e-5
    )


def test_gradients_of_the_reduced_model_are_those_of_the_mesh(small):
    _, params = random_params(3, seed=2)
    leaves = [t.requires_grad_() for t in (params.global_orient, params.body_pose, params.betas)]
    regressor = torch.from_numpy(read_body(small.path).keypoint_regressor[:17]).float()
    weights = torch.randn(3, 17, 3, generator=torch.Generator().manual_seed(3))
    _, keypoints = small.joints_and_keypoints(params)
    fast = torch.autograd.grad((weights * keypoints).sum(), leaves)
    full = regressor @ small.vertices(params, torch.zeros(3, 3))
    slow = torch.autograd.grad((weights * full).sum(), leaves)
    for got, want in zip(fast, slow, strict=True):
        assert want.abs().max() > 0.01
        torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-3)


def test_people_do_not_mix(small):
    _, params = random_params(4, seed=4)
    together = small.joints_and_keypoints(params, "all")
    for i in range(4):
        alone = small.joints_and_keypoints(params.select(torch.tensor([i])), "all")
        for both, one in zip(together, alone, strict=True):
            torch.testing.assert_close(both[i : i + 1], one, atol=1e-6, rtol=0)


def test_nobody(small):
    nobody = random_params(4)[1].select(torch.zeros(4, dtype=torch.bool))
    joints, keypoints = small.joints_and_keypoints(nobody)
    assert joints.shape == (0, 24, 3) and keypoints.shape == (0, 17, 3)
    assert small.vertices(nobody, torch.zeros(0, 3)).shape == (0, 600, 3)


def test_rest_pelvis_is_the_fixed_point_of_the_global_rotation(small):
    _, params = random_params(4, seed=5)
    joints, _ = small.joints_and_keypoints(params)
    pelvis = small.rest_pelvis(params.betas)
    assert not torch.allclose(pelvis[0], pelvis[1])
    torch.testing.assert_close(joints[:, SMPL24.index("pelvis")], pelvis, atol=1e-6, rtol=0)


def test_a_body_has_nothing_to_train(small):
    assert list(small.parameters()) == []
    assert small.joint_names == SMPL24 and small.keypoint_names[:17] == COCO17
    assert small.faces.dtype == np.int32 and small.num_vertices == 600
    assert small.licence == "CC0-1.0" and small.sha256 == sha256_of(small.path)


def test_shipped_body_is_the_free_one(shipped):
    assert shipped.name == "neutral_body" and "CC0" in shipped.licence
    assert {"left_heel", "right_big_toe", "head_top"} <= set(shipped.keypoint_names)
    betas = 3.0 * torch.randn(8, 10, generator=torch.Generator().manual_seed(6))
    pelvis = torch.tensor(PELVIS_REST_M).expand(8, 3)
    torch.testing.assert_close(shipped.rest_pelvis(betas), pelvis, atol=1e-5, rtol=0)


def test_licensed_keypoints(licensed):
    """Limbs are SMPL's joints, hips lie outside and above SMPL's, faces are single vertices."""
    zero = SmplParams(torch.eye(3)[None], torch.eye(3).expand(1, 23, 3, 3), torch.zeros(1, 10))
    joints, keypoints = (t[0] for t in licensed.joints_and_keypoints(zero, "all"))
    point = dict(zip(licensed.keypoint_names, keypoints, strict=True))
    joint = dict(zip(SMPL24, joints, strict=True))
    for part in ("shoulder", "elbow", "wrist", "knee", "ankle"):
        for side in ("left", "right"):
            torch.testing.assert_close(point[f"{side}_{part}"], joint[f"{side}_{part}"])
    for side, sign in (("left", 1), ("right", -1)):
        out, up, _ = (point[f"{side}_hip"] - joint[f"{side}_hip"]).tolist()
        assert 0.02 < sign * out < 0.08 and 0.01 < up < 0.06
    vertices = licensed.vertices(zero, torch.zeros(1, 3))[0]
    assert licensed.num_vertices == SMPL_NUM_VERTICES
    for name, index in (("nose", 332), ("left_eye", 2800), ("right_ear", 4071)):
        torch.testing.assert_close(point[name], vertices[index])


def test_only_ten_of_many_betas_are_used(tmp_path):
    arrays = body_arrays(200, num_betas=30)
    regressor = np.eye(17, 200)
    np.savez(tmp_path / "a.npz", **arrays, keypoint_regressor=regressor, keypoint_names=COCO17)
    tables = read_body(tmp_path / "a.npz").tables
    np.testing.assert_array_equal(tables.shapedirs, arrays["shapedirs"][..., :10].astype("f4"))


def _broken(change):
    arrays = body_arrays(200)
    arrays |= {"keypoint_regressor": np.eye(17, 200), "keypoint_names": np.array(COCO17)}
    change(arrays)
    return arrays


BROKEN = {
    "keys missing: posedirs": lambda a: a.pop("posedirs"),
    "weights should have shape (200, 24), but has (200, 52)": lambda a: a.update(
        weights=np.zeros((200, 52))
    ),
    "J_regressor should have shape (24, 200), but has (24, 199)": lambda a: a.update(
        J_regressor=a["J_regressor"][:, 1:]
    ),
    "shapedirs should have at least 10 columns, but has 8": lambda a: a.update(
        shapedirs=a["shapedirs"][..., :8]
    ),
    "kintree_table should have SMPL's parents": lambda a: a["kintree_table"].__setitem__((0, 5), 1),
    "f should have vertex indices below 200, but has 200": lambda a: a["f"].__setitem__(
        (0, 0), 200
    ),
    "v_template should have finite numbers": lambda a: a["v_template"].__setitem__((3, 1), np.nan),
    "keypoint_regressor should have rows that sum to 1": lambda a: a["keypoint_regressor"].__imul__(
        2
    ),
    "missing left_knee": lambda a: a["keypoint_names"].__setitem__(13, "x"),
    "v_template should have 6890 vertices (SMPL), but has 200": lambda a: a.pop(
        "keypoint_regressor"
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_files_are_named(tmp_path, message):
    path = tmp_path / "body.npz"
    np.savez(path, **_broken(BROKEN[message]))
    with pytest.raises(WeightsCorruptError) as error:
        read_body(path)
    assert message in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_npz_with_pickled_objects_is_refused(tmp_path):
    path = tmp_path / "body.npz"
    np.savez(path, **_broken(lambda a: a.update(v_template=np.array([{}], dtype=object))))
    with pytest.raises(UnsafeFileError, match="v_template"):
        read_body(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("body.npz", b"not a zip", "npz"),
        ("body.obj", b"", ".npz or .pkl"),
        ("body.pkl", b"\x80\x02]q\x00.", "holds a dict, but this one a list"),
    ],
)
def test_other_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsCorruptError, match=message):
        read_body(tmp_path / name)


def test_load_body_takes_a_licensed_file_only_when_asked(tmp_path, monkeypatch, small_file):
    monkeypatch.setenv(ENV_FOLDER, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(WeightsNotFoundError, match="eftvideo weights import"):
        load_body("smpl")
    own = tmp_path / "SMPL_NEUTRAL.npz"
    own.write_bytes(small_file.read_bytes())
    assert load_body("smpl").path == own
    assert load_body(str(small_file)).path == small_file
    with pytest.raises(WeightsNotFoundError, match=r"nowhere\.npz"):
        load_body(str(tmp_path / "nowhere.npz"))

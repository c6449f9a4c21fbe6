"""The shipped neutral body obeys SMPL's layout and bends without collapse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
from smplx.utils import Struct

from eftvideo.geometry.skeletons import COCO17

BODY = Path(__file__).resolve().parents[2] / "weights" / "neutral_body.npz"
PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
JOINT_SWAP = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
MIRROR = np.array([-1.0, 1.0, 1.0])
#: SMPL's rest bone directions, left side and middle: joint -> unit vector from its parent.
DIRECTIONS = {
    "left_hip": (0.601, -0.797, -0.049),
    "left_knee": (0.095, -0.995, -0.018),
    "left_ankle": (-0.037, -0.994, -0.107),
    "left_foot": (0.192, -0.387, 0.902),
    "spine1": (0.0, 0.971, -0.238),
    "spine2": (0.0, 1.0, 0.008),
    "spine3": (0.0, 0.901, 0.433),
    "neck": (0.0, 0.980, -0.196),
    "head": (0.0, 0.784, 0.619),
    "left_collar": (0.538, 0.808, -0.244),
    "left_shoulder": (0.944, 0.318, -0.091),
    "left_elbow": (0.994, -0.051, -0.095),
    "left_wrist": (0.999, 0.033, -0.013),
    "left_hand": (0.985, -0.084, -0.148),
}


@pytest.fixture(scope="module")
def body():
    with np.load(BODY, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in arrays.items()}


@pytest.fixture(scope="module")
def model(body):
    keys = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
    ids = dict(zip(body["vertex_ids_names"].tolist(), body["vertex_ids"].tolist(), strict=True))
    struct = Struct(**{key: body[key] for key in keys})
    return smplx.SMPL(
        str(BODY.parent), data_struct=struct, vertex_ids=ids, dtype=torch.float64, batch_size=1
    )


def posed(body, model, **degrees):
    """Vertices (V, 3) and joints (24, 3) with the named joints at rotation vectors in degrees."""
    pose = torch.zeros(1, 24, 3, dtype=torch.float64)
    for name, vector in degrees.items():
        pose[0, body["J_names"].tolist().index(name)] = torch.deg2rad(torch.tensor(vector).double())
    with torch.no_grad():
        out = model(body_pose=pose[:, 1:].reshape(1, 69), global_orient=pose[:, 0])
    return out.vertices[0].numpy(), out.joints[0, :24].numpy()


def joints_of(body, betas):
    """Rest joints (N, 24, 3) of betas (N, 10)."""
    base = body["J_regressor"] @ body["v_template"]
    directions = np.einsum("jv,vck->jck", body["J_regressor"], body["shapedirs"])
    return base + np.einsum("jck,nk->njc", directions, betas)


def volume(vertices, faces):
    """Volume (m^3) inside a closed surface."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float((np.cross(a, b) * c).sum() / 6)


def section_area(vertices, faces, point, normal):
    """Area (m^2) where the plane through `point` cuts the surface made of `faces`."""
    corners = vertices[faces] - point
    height = corners @ normal
    area = np.zeros(3)
    for corner, side in zip(corners, height, strict=True):
        crossing = {}
        for k in range(3):
            n = (k + 1) % 3
            if (side[k] > 0) != (side[n] > 0):
                share = side[k] / (side[k] - side[n])
                crossing[bool(side[k] > 0)] = corner[k] + share * (corner[n] - corner[k])
        if len(crossing) == 2:
            area += np.cross(crossing[True], crossing[False]) / 2
    return abs(float(area @ normal))


def test_keys_shapes_and_types(body):
    num = len(body["v_template"])
    assert 6000 <= num <= 9000
    shapes = {
        "v_template": (num, 3),
        "shapedirs": (num, 3, 10),
        "posedirs": (num, 3, 207),
        "J_regressor": (24, num),
        "weights": (num, 24),
        "kintree_table": (2, 24),
        "keypoint_regressor": (len(body["keypoint_names"]), num),
    }
    for name, shape in shapes.items():
        assert body[name].shape == shape, name
        assert np.isfinite(body[name]).all(), name
    assert body["f"].dtype == np.int32
    assert body["f"].shape[1] == 3
    assert body["kintree_table"][0].tolist() == PARENTS
    assert body["keypoint_names"].tolist()[:17] == list(COCO17)
    assert "Apache-2.0" in str(body["licence"])
    assert "CC0" in str(body["licence"])


def test_rows_sum_to_one(body):
    np.testing.assert_allclose(body["J_regressor"].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(body["keypoint_regressor"].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(body["weights"].sum(1), 1, atol=1e-5)
    assert body["weights"].min() >= 0
    assert body["keypoint_regressor"].min() > -0.5


def test_surface_is_one_closed_oriented_manifold(body):
    faces = body["f"]
    num = len(body["v_template"])
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 1
    assert {tuple(e) for e in directed.tolist()} == {(b, a) for a, b in directed.tolist()}
    assert np.array_equal(np.unique(faces), np.arange(num))
    assert num - len(directed) // 2 + len(faces) == 2  # a sphere: no holes, one piece
    assert volume(body["v_template"], faces) > 0.05
    label = np.arange(num)
    while True:
        lower = label.copy()
        np.minimum.at(lower, edges[:, 0], label[edges[:, 1]])
        lower = lower[lower]
        if np.array_equal(lower, label):
            break
        label = lower
    assert label.max() == 0


def test_everything_is_mirror_symmetric(body):
    mirror = body["mirror_index"]
    np.testing.assert_allclose(body["v_template"][mirror] * MIRROR, body["v_template"], atol=1e-6)
    flipped = body["shapedirs"][mirror] * MIRROR[None, :, None]
    np.testing.assert_allclose(flipped, body["shapedirs"], atol=1e-6)
    np.testing.assert_allclose(body["weights"][mirror][:, JOINT_SWAP], body["weights"], atol=1e-6)
    joints = joints_of(body, np.zeros((1, 10)))[0]
    np.testing.assert_allclose(joints[JOINT_SWAP] * MIRROR, joints, atol=1e-5)
    names = body["keypoint_names"].tolist()
    swap = [names.index(_other_side(name)) for name in names]
    points = body["keypoint_regressor"] @ body["v_template"]
    np.testing.assert_allclose(points[swap] * MIRROR, points, atol=1e-5)


def _other_side(name):
    return name.replace("left", "?").replace("right", "left").replace("?", "right")


def test_mirrored_pose_gives_mirrored_body(body, model):
    left, _ = posed(body, model, left_elbow=(20.0, -80.0, 0.0), left_hip=(-60.0, 10.0, 20.0))
    right, _ = posed(body, model, right_elbow=(20.0, 80.0, 0.0), right_hip=(-60.0, -10.0, -20.0))
    np.testing.assert_allclose(left[body["mirror_index"]] * MIRROR, right, atol=1e-5)


def test_average_is_an_adult_of_ordinary_size(body):
    height = np.ptp(body["v_template"][:, 1])
    assert 1.66 < height < 1.76
    mass_kg = 1000 * volume(body["v_template"], body["f"])
    assert 20 < mass_kg / height**2 < 27


def test_children_and_tall_people_are_within_reach(body):
    heights = [np.ptp((body["v_template"] + b * body["shapedirs"][:, :, 0])[:, 1]) for b in (-5, 3)]
    assert heights[0] < 1.2
    assert heights[1] > 1.95


def test_zero_pose_is_the_template(body, model):
    vertices, joints = posed(body, model)
    np.testing.assert_allclose(vertices, body["v_template"], atol=1e-9)
    np.testing.assert_allclose(joints, joints_of(body, np.zeros((1, 10)))[0], atol=1e-9)


def test_pelvis_stays_in_its_place(body):
    betas = np.random.default_rng(0).uniform(-5, 5, (200, 10))
    pelvis = joints_of(body, betas)[:, 0]
    np.testing.assert_allclose(pelvis, np.tile([0.0, -0.2233, 0.0282], (200, 1)), atol=2e-6)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_bone_directions_are_smpls_for_all_betas(body, name):
    index = body["J_names"].tolist().index(name)
    betas = np.random.default_rng(1).normal(size=(200, 10)) * 1.5
    bones = joints_of(body, betas)
    expected = np.array(DIRECTIONS[name]) / np.linalg.norm(DIRECTIONS[name])
    sides = {index: np.ones(3), JOINT_SWAP[index]: MIRROR}  # one entry for the middle, x = 0
    for joint, sign in sides.items():
        bone = bones[:, joint] - bones[:, PARENTS[joint]]
        cosine = bone @ (expected * sign) / np.linalg.norm(bone, axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.1


def test_joints_lie_inside_the_body_near_their_surface_points(body):
    points = dict(
        zip(
            body["keypoint_names"].tolist(),
            body["keypoint_regressor"] @ body["v_template"],
            strict=True,
        )
    )
    joints = dict(zip(body["J_names"].tolist(), joints_of(body, np.zeros((1, 10)))[0], strict=True))
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert np.linalg.norm(points[f"left_{part}"] - joints[f"left_{part}"]) < 0.045, part
    assert points["head_top"][1] == pytest.approx(body["v_template"][:, 1].max(), abs=1e-3)
    assert points["left_fingertip"][0] == pytest.approx(body["v_template"][:, 0].max(), abs=1e-6)
    assert points["nose"][2] > points["left_ear"][2] + 0.08
    assert points["left_big_toe"][2] > points["left_heel"][2] + 0.2


def test_named_vertices_are_where_their_names_say(body):
    ids = dict(zip(body["vertex_ids_names"].tolist(), body["vertex_ids"].tolist(), strict=True))
    place = {name: body["v_template"][index] for name, index in ids.items()}
    assert set(ids) >= {"nose", "leye", "rear", "LBigToe", "RHeel", "lthumb", "rpinky"}
    assert place["leye"][0] > 0 > place["reye"][0]
    assert place["lindex"][2] > place["lmiddle"][2] > place["lring"][2] > place["lpinky"][2]
    assert place["lthumb"][2] > place["lindex"][2]


@pytest.mark.parametrize(
    ("joint", "axis", "least"),
    [
        ("left_elbow", (0.0, -1.0, 0.0), 0.997),
        ("left_knee", (1.0, 0.0, 0.0), 0.995),
        ("left_hip", (-1.0, 0.0, 0.0), 0.975),
        ("left_shoulder", (0.0, 0.0, -1.0), 0.98),
        ("left_shoulder", (0.0, -1.0, 0.0), 0.98),
    ],
)
def test_bends_of_120_degrees_keep_the_volume(body, model, joint, axis, least):
    bent, _ = posed(body, model, **{joint: tuple(120.0 * a for a in axis)})
    assert least < volume(bent, body["f"]) / volume(body["v_template"], body["f"]) < 1.01


@pytest.mark.parametrize(
    ("joint", "axis"), [("left_elbow", (0.0, -1.0, 0.0)), ("left_knee", (1.0, 0.0, 0.0))]
)
def test_elbow_and_knee_stay_thick_outside_the_bend(body, model, joint, axis):
    index = body["J_names"].tolist().index(joint)
    child, parent = PARENTS.index(index), PARENTS[index]
    near = body["weights"][:, [parent, index]].sum(1) > 0.9
    thickness = []
    for angle in (5.0, 90.0, 125.0):
        vertices, joints = posed(body, model, **{joint: tuple(angle * a for a in axis)})
        first, second = joints[index] - joints[parent], joints[child] - joints[index]
        out = first / np.linalg.norm(first) - second / np.linalg.norm(second)
        out /= np.linalg.norm(out)
        offset = (vertices - joints[index])[near]
        across = np.cross(out, np.cross(first, second))
        across /= np.linalg.norm(across)
        slab = np.abs(offset @ across) < 0.03
        thickness.append((offset[slab] @ out).max())
    assert min(thickness[1:]) > 0.85 * thickness[0]


@pytest.mark.parametrize("joint", ["left_shoulder", "left_elbow", "left_wrist"])
def test_twisted_arms_do_not_pinch(body, model, joint):
    index = body["J_names"].tolist().index(joint)
    arm = body["weights"][:, [PARENTS[index], index]].sum(1) > 0.6
    faces = body["f"][arm[body["f"]].all(1)]
    twisted, joints = posed(body, model, **{joint: (80.0, 0.0, 0.0)})
    normal = np.array([1.0, 0.0, 0.0])
    for along in (-0.02, 0.0, 0.02):
        point = joints[index] + along * normal
        rest = section_area(body["v_template"], faces, point, normal)
        assert section_area(twisted, faces, point, normal) > 0.75 * rest


def test_correctives_are_local(body):
    elbow = body["J_names"].tolist().index("left_elbow")
    moved = np.abs(body["posedirs"][:, :, (elbow - 1) * 9 : elbow * 9]).max((1, 2)) > 0
    joint = (body["J_regressor"] @ body["v_template"])[elbow]
    distance = np.linalg.norm(body["v_template"] - joint, axis=1)
    assert moved.sum() > 50
    assert distance[moved].max() < 0.2


def test_hand_of_a_straight_arm_is_not_twisted(body):
    """Palm down: index finger in front of the little one, both about level."""
    ids = dict(zip(body["vertex_ids_names"].tolist(), body["vertex_ids"].tolist(), strict=True))
    index, pinky = (body["v_template"][ids[name]] for name in ("lindex", "lpinky"))
    across = index - pinky
    assert np.degrees(np.arctan2(abs(across[1]), across[2])) < 15

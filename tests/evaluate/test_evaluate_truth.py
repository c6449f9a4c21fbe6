"""The truth's file, and errors of bodies."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from evaluation_data import people, result_of, truth_of

from eftvideo.bodies import load_body
from eftvideo.errors import ConfigError, ResultFormatError
from eftvideo.evaluate.bodies import H36M17, Bodies
from eftvideo.evaluate.score import evaluate
from eftvideo.evaluate.truth import Truth, load_truth, make_truth, save_truth
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.results.result_file import save_result
from eftvideo.types import SmplParams

ROWS = people((1, [0, 1, 2], 0.0), (2, [1], 1.0))


def test_truth_comes_back(tmp_path):
    truth = truth_of(ROWS, scored=np.array([True, False, True, True]), source="clip")
    save_truth(tmp_path / "a.npz", truth)
    got = load_truth(tmp_path / "a.npz")
    for field in fields(Truth):
        np.testing.assert_array_equal(getattr(got, field.name), getattr(truth, field.name))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_least_that_a_file_may_hold(tmp_path):
    np.savez(tmp_path / "a.npz", **{k: ROWS[k] for k in ("frame", "track_id", "keypoints3d")})
    truth = load_truth(tmp_path / "a.npz")
    assert truth.scored.all() and np.isnan(truth.joints3d).all()
    assert evaluate(result_of(ROWS), truth).counts["matched"] == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame": None}, "a truth needs frame"),
        ({"joints3d": None, "keypoints3d": None}, "joints3d (N, 24, 3)"),
        ({"joints3d": np.zeros((4, 14, 3))}, "joints3d must have shape (4, 24, 3)"),
    ],
)
def test_bad_files_are_refused(tmp_path, change, words):
    rows = {k: v for k, v in (ROWS | change).items() if v is not None}
    np.savez(tmp_path / "a.npz", **rows)
    with pytest.raises(ResultFormatError) as e:
        load_truth(tmp_path / "a.npz")
    assert words in str(e.value) and "\n" not in str(e.value)
    with pytest.raises(ValueError, match="a truth has no joints4d"):
        make_truth(**ROWS, joints4d=1)


def test_a_result_can_be_the_truth(tmp_path):
    """What its detector saw is not taken for truth."""
    seen = np.full((4, 17, 3), 5.0)
    save_result(tmp_path / "a.npz", result_of(ROWS | {"keypoints2d": seen}))
    truth = load_truth(tmp_path / "a.npz")
    assert (truth.keypoints2d[..., 2] == 0).all() and set(truth.body) == {"none"}
    assert evaluate(result_of(ROWS), truth).overall["error_2d"] == pytest.approx(0.0, abs=1e-2)


@pytest.fixture(scope="module")
def body():
    return load_body()


def posed(body, num=3, seed=0):
    """Rows of bodies in random poses, 4 m away."""
    g = torch.Generator().manual_seed(seed)
    turns = 0.4 * torch.randn(num, 24, 3, generator=g)
    betas = torch.randn(num, 10, generator=g)
    matrices = axis_angle_to_matrix(turns)
    transl = torch.tensor([[0.0, 0.0, 4.0]]).expand(num, 3)
    params = SmplParams(matrices[:, 0], matrices[:, 1:], betas)
    joints, keypoints = body.joints_and_keypoints(params)
    tensors = {
        "global_orient": turns[:, 0],
        "body_pose": turns[:, 1:].flatten(1),
        "betas": betas,
        "transl": transl,
        "joints3d": joints + transl[:, None],
        "keypoints3d": keypoints + transl[:, None],
    }
    rows = {name: value.numpy() for name, value in tensors.items()}
    return rows | {"frame": np.arange(num), "track_id": np.ones(num, np.int64)}


def test_vertex_error(body):
    """Zero for the same body elsewhere; for a turned one, that of its vertices by hand."""
    rows = posed(body)
    bodies = Bodies(body, {"free": body})
    truth = truth_of(rows, body="free")
    moved = {k: rows[k] + np.float32(0.1) for k in ("transl", "joints3d", "keypoints3d")}
    got = evaluate(result_of(rows | moved), truth, bodies=bodies)
    assert got.overall["pve"] == pytest.approx(0.0, abs=0.05) and got.counts["with_body"] == 3
    other = posed(body, seed=1)
    got = evaluate(result_of(other), truth, bodies=bodies, gate=10.0).overall["pve"]
    error = []
    for a, b in ((_vertices(body, rows, i), _vertices(body, other, i)) for i in range(3)):
        error.append(np.linalg.norm(a - b, axis=-1).mean())
    assert got == pytest.approx(1e3 * np.mean(error), rel=1e-3)


def _vertices(body, rows, i):
    """(V, 3) from the pelvis."""
    turns = torch.from_numpy(np.r_[rows["global_orient"][i], rows["body_pose"][i]]).view(1, 24, 3)
    matrices = axis_angle_to_matrix(turns)
    betas = torch.from_numpy(rows["betas"][i : i + 1])
    params = SmplParams(matrices[:, 0], matrices[:, 1:], betas)
    vertices = body.vertices(params, torch.from_numpy(rows["transl"][i : i + 1]))
    return vertices[0].numpy() - rows["joints3d"][i, 0]


def test_vertex_error_needs_the_same_mesh(body):
    rows = posed(body)
    for bodies in (None, Bodies(body, {}), Bodies(None, {"free": body})):
        got = evaluate(result_of(rows), truth_of(rows, body="free"), bodies=bodies)
        assert np.isnan(got.overall["pve"]) and got.counts["with_body"] == 0


def test_joints_of_the_published_protocol(body):
    """Each row of the regressor is one vertex here; one vertex moves in the truth's betas only."""
    vertex = np.arange(17) * 400
    regressor = np.zeros((17, body.num_vertices))
    regressor[np.arange(17), vertex] = 1.0
    rows, other = posed(body), posed(body, seed=1)
    bodies = Bodies(body, {"free": body}, regressor)
    truth = truth_of(rows, body="free")
    same = evaluate(result_of(rows), truth, "h36m14", bodies)
    assert same.overall["mpjpe"] == pytest.approx(0.0, abs=0.05)
    assert list(same.per_joint)[-1] == "head_top"
    got = evaluate(result_of(other), truth, "h36m14", bodies, gate=10.0)
    points = [np.stack([_vertices(body, r, i)[vertex] for i in range(3)]) for r in (rows, other)]
    a, b = (p - p[:, :1] for p in points)
    top = H36M17.index("head_top")
    by_hand = 1e3 * np.linalg.norm(a - b, axis=-1)[:, top].mean()
    assert got.per_joint["head_top"]["mpjpe"] == pytest.approx(by_hand, rel=1e-3)
    small = replace(bodies, regressor=np.zeros((17, 6890)))
    with pytest.raises(ConfigError, match="6890 vertices"):
        evaluate(result_of(rows), truth, "h36m14", small)

"""Betas carried from one body to another."""

from pathlib import Path

import numpy as np
import pytest
import torch

from eftvideo.bodies import load_body
from eftvideo.bodies.smpl import NEUTRAL_BODY
from eftvideo.fit.answer import answer
from eftvideo.geometry import camera
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.regressors._other_body import Retargeted, betas_map, rest_points
from eftvideo.regressors.lifter import Model
from eftvideo.weights.locate import resolve
from tests.eft_people import fit_cold, setup_of
from tests.regressors.test_lifter import some_crops


@pytest.fixture(scope="module")
def free():
    return load_body()


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The free body with its first two shapes exchanged and turned round, and made larger."""
    path = Path(tmp_path_factory.mktemp("body")) / "other.npz"
    with np.load(resolve(NEUTRAL_BODY)) as data:
        arrays = {k: data[k] for k in data.files}
    shapes = arrays["shapedirs"].copy()
    shapes[..., 0], shapes[..., 1] = -arrays["shapedirs"][..., 1], arrays["shapedirs"][..., 0]
    arrays["shapedirs"] = shapes
    arrays["v_template"] = arrays["v_template"] + 0.5 * arrays["shapedirs"][..., 1]
    np.savez(path, **arrays)
    return load_body(str(path))


def test_map_to_the_same_body_changes_nothing(free):
    matrix, offset = betas_map(free, free, "cpu")
    betas = torch.randn(20, 10, generator=torch.Generator().manual_seed(0))
    before, after = rest_points(free, betas), rest_points(free, betas @ matrix.T + offset)
    assert (before - after).norm(dim=-1).max() < 0.004


def test_exchanged_shapes_are_found(free, other):
    matrix, offset = betas_map(free, other, "cpu")
    betas = torch.randn(20, 10, generator=torch.Generator().manual_seed(0))
    want, have = rest_points(free, betas), rest_points(other, betas @ matrix.T + offset)
    assert (want - have).norm(dim=-1).max() < 0.006
    assert (want - rest_points(other, betas)).norm(dim=-1).max() > 0.02


def test_the_answer_keeps_pose_and_pelvis(free, other):
    lifter = Model.from_weights(resolve(Model.spec))
    both = Retargeted(lifter, free, other, "cpu")
    crops = some_crops(3, context=len(lifter.context_offsets_s))
    plain = lifter.decode(lifter(lifter.encode(crops)), crops)
    moved = both.decode(both(both.encode(crops)), crops)
    assert torch.equal(plain.params.body_pose, moved.params.body_pose)
    view = (crops.center_px, crops.size_px, crops.image_size_px, crops.focal_length_px)
    pelvis = [
        body.joints_and_keypoints(a.params)[0][:, SMPL24.index("pelvis")]
        + camera.pred_cam_to_transl(a.pred_cam, *view)
        for body, a in ((free, plain), (other, moved))
    ]
    assert torch.allclose(*pelvis, atol=1e-4)


def test_eft_tunes_the_inner_network(free, other):
    both = Retargeted(Model.from_weights(resolve(Model.spec)), free, other, "cpu")
    crops = some_crops(2, context=len(both.context_offsets_s))
    setup = setup_of(both, other)
    own = answer(crops, setup)
    fit = fit_cold(setup, crops)
    assert (fit.num_steps > 0).all()
    assert torch.isfinite(own.loss_px).all()

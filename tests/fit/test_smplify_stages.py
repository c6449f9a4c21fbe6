"""SMPLify's two stages and their objectives."""

from dataclasses import replace

import pytest
import torch

from eftvideo.config import SmplifyConfig
from eftvideo.fit.answer import answer
from eftvideo.fit.optimizer import Adam
from eftvideo.fit.projection import projected
from eftvideo.fit.smplify.pose_prior import NUM_ANGLES, wrong_bend
from eftvideo.fit.smplify.stages import Stages, from_row, to_row
from eftvideo.geometry import camera
from eftvideo.types import Prediction
from tests.fit.smplify_case import FEW, fit, setup_of


def adam_of(row):
    return Adam(torch.zeros_like(row), torch.zeros_like(row), torch.zeros(len(row)).long())


def test_stages_move_only_what_they_should(regressor, body, scene):
    crops, _, _ = scene
    start = to_row(answer(crops, setup_of(regressor, body)).prediction)
    first, _ = fit(regressor, body, crops, replace(FEW, body_steps=0))
    moved = (to_row(first.prediction) - start).abs()
    assert moved[:, 3:82].max() < 1e-3  # pose and betas: only the round trip over matrices
    assert moved[:, 82:84].amax(1).min() > 5e-4
    both, states = fit(regressor, body, crops, FEW)
    then = to_row(both.prediction)
    assert torch.allclose(then[:, 82:], to_row(first.prediction)[:, 82:], atol=1e-4)
    assert (then - start)[:, 3:82].abs().amax(1).min() > 1e-2
    assert all(s is not None for s in states)


def test_objective_is_the_sum_of_its_terms(regressor, body, scene, prior):
    """By hand, from the constants, at a point where every term counts."""
    crops, params, transl = scene
    setup = setup_of(regressor, body)
    row = to_row(Prediction(params, camera.transl_to_pred_cam(transl, *crops.view)))
    row[:, 72:82] = 0.5
    row[:, 0] += 0.2
    stages = Stages(crops, setup, prior)
    rows = torch.arange(4)
    apart = 112.0 * (projected(body, from_row(row), crops)[0] - crops.keypoints[..., :2])
    robust = 100.0**2 * apart**2 / (100.0**2 + apart**2)
    weight = torch.full((17,), 0.95**2)
    weight[:5] *= setup.cfg.keypoints.face_weight
    weight[[11, 12]] = 0.0
    pose = row[:, 3:72]
    want = (
        (weight[:, None] * robust).sum((1, 2))
        + 4.78**2 * prior.penalty(pose)
        + 15.2**2 * wrong_bend(pose)
        + 5.0**2 * 10 * 0.25
    )
    assert torch.allclose(stages.body_loss(row, rows), want, rtol=1e-4)
    torso = apart[:, [5, 6, 11, 12]].square().sum((1, 2))
    held = stages.camera_loss(row, rows, row[:, -1] - 0.3)
    assert torch.allclose(held, torso + 100.0**2 * 0.09, rtol=1e-3)


@pytest.mark.parametrize("pull", [0.0, 1.0])
def test_prior_pulls_toward_likely_poses(regressor, body, scene, prior, pull):
    crops, params, transl = scene
    row = to_row(Prediction(params, camera.transl_to_pred_cam(transl, *crops.view)))
    g = torch.Generator().manual_seed(5)
    row[:, 3:72] += 0.2 * torch.randn(4, NUM_ANGLES, generator=g)
    setup = setup_of(regressor, body, SmplifyConfig(pose_weight=4.78 * pull))
    stages = Stages(crops, setup, prior)
    done, _, _ = stages.run(row, adam_of(row))
    change = prior.penalty(done[:, 3:72]) / prior.penalty(row[:, 3:72])
    assert (change < 0.5).all() if pull else (change > 0.5).all()


def test_gradient_is_finite_at_the_rest_pose(regressor, body, scene, prior):
    crops, _, _ = scene
    row = torch.zeros(4, 85)
    row[:, -1] = 50.0
    leaf = row.requires_grad_()
    stages = Stages(crops, setup_of(regressor, body), prior)
    stages.body_loss(leaf, torch.arange(4)).sum().backward()
    assert leaf.grad is not None and torch.isfinite(leaf.grad).all()

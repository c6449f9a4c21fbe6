"""Laws of the SMPLify baseline, on the shipped body, regressor and pose prior."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eftvideo.config import AcceptConfig, KeypointConfig, SmplifyConfig
from eftvideo.evaluate.metrics import pa_mpjpe
from eftvideo.fit import losses
from eftvideo.fit.answer import answer
from eftvideo.fit.batch import Batch, Streams
from eftvideo.fit.eft.engine import Engine
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.fit.optimizer import Adam
from eftvideo.fit.projection import projected
from eftvideo.fit.smplify.fit import fit_rows, fit_smplify
from eftvideo.fit.smplify.pose_prior import NUM_ANGLES, load_pose_prior, wrong_bend
from eftvideo.fit.smplify.stages import FOCAL_PX, Stages, from_row, to_row
from eftvideo.geometry import camera
from eftvideo.geometry.rotations import axis_angle_to_matrix, rotation_angle
from eftvideo.geometry.skeletons import COCO17
from eftvideo.types import FITTED, REJECTED, Crops, Prediction, SmplParams
from tests import eft_people

FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
FEW = SmplifyConfig(camera_steps=12, body_steps=25, stall_steps=50)


@pytest.fixture(scope="module")
def prior():
    return load_pose_prior()


def crops_of(body, params, transl):
    """What a detector without errors would report of bodies in a 1280 x 720 px picture."""
    num = len(params)
    size = torch.tensor([[1280.0, 720.0]]).expand(num, 2)
    focal = torch.full((num,), 1400.0)
    _, keypoints = body.joints_and_keypoints(params)
    px = camera.project(keypoints + transl[:, None], focal, size)
    low, high = px.amin(1), px.amax(1)
    side, center = (high - low).amax(1) * 1.2, (low + high) / 2
    xy = (px - center[:, None]) / (side / 2)[:, None, None]
    return Crops(torch.cat([xy, torch.full((num, 17, 1), 0.95)], -1), center, side, focal, size)


@pytest.fixture(scope="module")
def scene(body, prior):
    """Four likely poses, turned in different ways; crops, true parameters, translations."""
    g = torch.Generator().manual_seed(3)
    pose = prior.mean[:4] + 0.05 * torch.randn(4, NUM_ANGLES, generator=g)
    heading = torch.zeros(4, 3)
    heading[:, 1] = torch.tensor([0.3, -1.0, 2.6, 0.0])
    params = SmplParams(
        FACING @ axis_angle_to_matrix(heading),
        axis_angle_to_matrix(pose.unflatten(1, (23, 3))),
        torch.zeros(4, 10),
    )
    transl = torch.tensor([[0.3, 0.1, 4.0], [-0.5, 0.2, 5.0], [0.0, 0.0, 4.5], [0.9, 0.1, 4.0]])
    return crops_of(body, params, transl), params, transl


def setup_of(regressor, body, cfg=None, **other):
    cfg = cfg or SmplifyConfig()
    return eft_people.setup_of(regressor, body, method="smplify", smplify=cfg, **other)


def fit(regressor, body, crops, cfg, starts=None):
    setup = setup_of(regressor, body, cfg)
    return fit_rows(crops, answer(crops, setup), starts or [None] * len(crops), setup)


def error_mm(body, result, params):
    joints = body.joints_and_keypoints(result.prediction.params)[0]
    return 1e3 * pa_mpjpe(joints, body.joints_and_keypoints(params)[0])


@pytest.mark.parametrize("init", ["regressor", "mean"])
def test_known_pose_comes_back(regressor, body, scene, init):
    crops, params, _ = scene
    result, _ = fit(regressor, body, crops, SmplifyConfig(init=init))
    assert (result.status == FITTED).all()
    assert result.loss_px.max() < 5.0
    assert error_mm(body, result, params).max() < 75.0
    turn = rotation_angle(result.prediction.params.global_orient, params.global_orient)
    assert turn.max() < 0.6


def test_without_prior_the_picture_is_met_and_the_body_is_worse(regressor, body, scene):
    crops, params, _ = scene
    keypoints = crops.keypoints.clone()  # a detector that is off by some 4 px
    g = torch.Generator().manual_seed(0)
    keypoints[..., :2] += 0.03 * torch.randn(4, 17, 2, generator=g)
    crops = replace(crops, keypoints=keypoints)
    strict, _ = fit(regressor, body, crops, SmplifyConfig())
    free, _ = fit(regressor, body, crops, SmplifyConfig(prior=False))
    assert (free.loss_px < strict.loss_px).all()
    penalty = load_pose_prior().penalty
    assert (
        penalty(to_row(free.prediction)[:, 3:72]) > penalty(to_row(strict.prediction)[:, 3:72])
    ).all()
    assert error_mm(body, free, params).mean() > error_mm(body, strict, params).mean()


@pytest.mark.parametrize("init", ["regressor", "mean"])
def test_batch_equals_one_by_one(regressor, body, scene, init):
    crops, _, _ = scene
    cfg = replace(FEW, init=init)
    together, _ = fit(regressor, body, crops, cfg)
    for i in range(len(crops)):
        alone, _ = fit(regressor, body, crops.select(torch.tensor([i])), cfg)
        a, b = together.prediction.params, alone.prediction.params
        assert torch.allclose(a.body_pose[i], b.body_pose[0], atol=1e-3)
        assert torch.allclose(
            together.prediction.pred_cam[i], alone.prediction.pred_cam[0], atol=1e-3
        )
        assert together.num_steps[i] == alone.num_steps[0]


def test_network_and_body_stay_as_they_were(regressor, body, scene):
    def state():
        return {k: v.clone() for m in (regressor, body) for k, v in m.state_dict().items()}

    before = state()
    fit(regressor, body, scene[0], FEW)
    after = state()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert all(p.grad is None for m in (regressor, body) for p in m.parameters())


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


def test_warm_start_begins_where_the_last_frame_ended(regressor, body, scene):
    crops, _, _ = scene
    cfg = replace(FEW, camera_steps=0, body_steps=0)
    first, states = fit(regressor, body, crops, FEW)
    again, _ = fit(regressor, body, crops, cfg, states)
    assert torch.allclose(
        again.prediction.params.body_pose, first.prediction.params.body_pose, atol=1e-4
    )
    cold, _ = fit(regressor, body, crops, cfg)
    assert not torch.allclose(
        cold.prediction.params.body_pose, first.prediction.params.body_pose, atol=1e-2
    )


@pytest.mark.parametrize("init", ["regressor", "mean"])
def test_warm_start_needs_fewer_steps(regressor, body, scene, init):
    crops, _, _ = scene
    cfg = SmplifyConfig(init=init)
    cold, states = fit(regressor, body, crops, cfg)
    warm, _ = fit(regressor, body, crops, cfg, states)
    assert warm.num_steps.sum() < 0.75 * cold.num_steps.sum()
    assert (warm.loss_px <= cold.loss_px + 0.5).all()


def test_nonsense_is_rejected_and_keeps_the_regressors_answer(regressor, body, scene):
    crops, _, _ = scene
    keypoints = crops.keypoints.clone()
    keypoints[0, :, :2] = torch.randn(17, 2, generator=torch.Generator().manual_seed(1)) * 3
    keypoints[1, 5:, 2] = 0.05
    crops = replace(crops, keypoints=keypoints)
    own = answer(crops, setup_of(regressor, body))
    result, states = fit(regressor, body, crops, FEW)
    assert result.status.tolist() == [REJECTED, REJECTED, FITTED, FITTED]
    assert [s is None for s in states] == [True, True, False, False]
    assert torch.equal(result.prediction.pred_cam[:2], own.prediction.pred_cam[:2])
    assert torch.equal(result.loss_px[:2], own.loss_px[:2])
    assert result.num_steps[1] == 0 < result.num_steps[2]


def test_a_hidden_torso_falls_back_to_the_regressors_start(regressor, body, scene):
    crops, _, _ = scene
    keypoints = crops.keypoints.clone()
    keypoints[:, COCO17.index("left_hip"), 2] = 0.1
    crops = replace(crops, keypoints=keypoints)
    own = answer(crops, setup_of(regressor, body))
    cfg = replace(FEW, init="mean", camera_steps=0, body_steps=0)
    setup = setup_of(regressor, body, cfg, accept=AcceptConfig(max_loss_px=1e9))
    result, _ = fit_rows(crops, replace(own, loss_px=own.loss_px + 1e9), [None] * 4, setup)
    assert torch.allclose(result.prediction.pred_cam, own.prediction.pred_cam, atol=1e-4)


def test_nobody_is_a_result(regressor, body, scene):
    none = scene[0].select(torch.zeros(0, dtype=torch.int64))
    result, states = fit(regressor, body, none, FEW)
    assert (len(result), states) == (0, [])


def test_rows_say_what_predictions_say(body, scene):
    crops, params, transl = scene
    cam = camera.transl_to_pred_cam(transl, *crops.view)
    back = from_row(to_row(Prediction(params, cam)))
    assert torch.allclose(back.pred_cam, cam, atol=1e-5)
    assert torch.allclose(back.params.body_pose, params.body_pose, atol=1e-5)
    # SPIN: distance = 2 f / (224 s)
    assert torch.allclose(to_row(Prediction(params, cam))[:, -1], 2 * FOCAL_PX / (224 * cam[:, 0]))
    truth = projected(body, back, crops)[0]
    assert torch.allclose(truth, crops.keypoints[..., :2], atol=1e-3)


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


def test_same_errors_as_eft(regressor, body, scene):
    """Both see the same keypoints, weigh them alike, and reject by the same limits."""
    crops, keypoints = scene[0], KeypointConfig(0.5, 0.1, 0.7, 0.9, min_joints=9)
    score = crops.keypoints[..., 2].clone()
    score[0, 9:] = 0.45
    crops = replace(crops, keypoints=torch.cat([crops.keypoints[..., :2], score[..., None]], -1))
    setup = setup_of(regressor, body, FEW, keypoints=keypoints)
    batch = Batch.of(crops, setup)
    stages, engine = Stages(crops, setup, None), Engine(batch, setup)
    assert torch.equal(stages.seen, engine.weight)
    assert torch.equal(stages.enough, engine.enough)
    want = losses.joint_weights(score, setup)
    assert torch.equal(stages.seen, want) and not want[0, 9:].any()
    fits = [method(batch, setup) for method in (fit_eft, fit_smplify)]
    assert torch.equal(fits[0].loss_px_start, fits[1].loss_px_start)
    assert all((f.status == FITTED).all() for f in fits)
    accept = AcceptConfig(max_loss_px=1e-3)
    never = setup_of(regressor, body, FEW, keypoints=keypoints, accept=accept)
    for method in (fit_eft, fit_smplify):
        assert (method(batch, never).status == REJECTED).all()


def test_rejects_nobody_where_every_fit_is_accepted(regressor, body, scene):
    crops, _, _ = scene
    keypoints = crops.keypoints.clone()
    keypoints[0, :, :2] = torch.randn(17, 2, generator=torch.Generator().manual_seed(1)) * 3
    keypoints[1, 5:, 2] = 0.05  # too few joints
    crops = replace(crops, keypoints=keypoints)
    setup = setup_of(regressor, body, FEW, accept=AcceptConfig(enabled=False))
    result = fit_smplify(Batch.of(crops, setup), setup)
    assert result.status.tolist() == [FITTED, REJECTED, FITTED, FITTED]
    assert result.loss_px[0] > AcceptConfig().max_loss_px


def test_may_end_far_from_the_regressors_pose(regressor, body, scene):
    accept = AcceptConfig(max_pose_change_rad=1e-3)
    setup = setup_of(regressor, body, FEW, accept=accept)
    batch = Batch.of(scene[0], setup)
    assert (fit_smplify(batch, setup).status == FITTED).all()
    setup = eft_people.setup_of(regressor, body, accept=accept)
    assert (fit_eft(batch, setup).status == REJECTED).all()


def test_streams_go_on_as_frame_by_frame(regressor, body, scene):
    crops, _, _ = scene
    crops = crops.select(torch.tensor([0, 1, 0, 1, 0]))
    cold = np.array([False, False, False, True, False])
    setup = setup_of(regressor, body, FEW)
    batch, done = Batch.of(crops, setup, Streams(((0, 2, 4), (1, 3)), cold)), []
    result = fit_smplify(batch, setup, lambda rows, px: done.append((rows.tolist(), len(px))))
    assert done == [([0, 1], 2), ([2, 3], 2), ([4], 1)]
    for rows in ([0, 2, 4], [1], [3]):
        states = None
        for row in rows:
            one, states = fit(regressor, body, crops.select(torch.tensor([row])), FEW, states)
            mine = result.prediction.params.body_pose[row]
            assert torch.allclose(mine, one.prediction.params.body_pose[0], atol=1e-3)
            assert result.num_steps[row] == one.num_steps[0]


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


def adam_of(row):
    return Adam(torch.zeros_like(row), torch.zeros_like(row), torch.zeros(len(row)).long())


def test_gradient_is_finite_at_the_rest_pose(regressor, body, scene, prior):
    crops, _, _ = scene
    row = torch.zeros(4, 85)
    row[:, -1] = 50.0
    leaf = row.requires_grad_()
    stages = Stages(crops, setup_of(regressor, body), prior)
    stages.body_loss(leaf, torch.arange(4)).sum().backward()
    assert leaf.grad is not None and torch.isfinite(leaf.grad).all()

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
from eftvideo.fit.projection import projected
from eftvideo.fit.smplify.fit import fit_rows, fit_smplify
from eftvideo.fit.smplify.pose_prior import load_pose_prior
from eftvideo.fit.smplify.stages import FOCAL_PX, Stages, from_row, to_row
from eftvideo.geometry import camera
from eftvideo.geometry.rotations import rotation_angle
from eftvideo.geometry.skeletons import COCO17
from eftvideo.types import FITTED, REJECTED, Prediction
from tests import eft_people
from tests.fit.smplify_case import FEW, fit, setup_of


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

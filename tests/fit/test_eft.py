"""Laws of exemplar fine-tuning, on the shipped body and the shipped regressor."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eftvideo.config import AcceptConfig, EftConfig
from eftvideo.fit import losses
from eftvideo.fit.accept import acceptable
from eftvideo.fit.answer import answer
from eftvideo.fit.batch import Batch, Group, Streams
from eftvideo.fit.chunks import Chunk
from eftvideo.fit.crops import Rows
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.fit.eft.tuned_weights import Weights
from eftvideo.fit.projection import projected
from eftvideo.geometry.rotations import axis_angle_to_matrix, rotation_angle
from eftvideo.types import FITTED, REJECTED, Crops, Prediction
from tests.eft_people import fit_cold, fit_from, people, setup_of

CFG = EftConfig(threshold_px=0.5, stall_steps=50, warm_stall_steps=50)


@pytest.fixture
def one_thread():
    """With several, rows of one batch may differ in the last bits by where they stand in it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_batch_equals_one_by_one(regressor, body):
    crops, _ = people(regressor, body, 4)
    together = fit_cold(setup_of(regressor, body, CFG), crops)
    for i in range(4):
        alone = fit_cold(setup_of(regressor, body, CFG), crops.select(torch.tensor([i])))
        assert torch.allclose(
            together.prediction.params.body_pose[i], alone.prediction.params.body_pose[0], atol=1e-4
        )
        assert together.num_steps[i] == alone.num_steps[0]
        assert together.loss_px[i].item() == pytest.approx(alone.loss_px[0].item(), abs=1e-3)


def test_chunks_equal_one_batch(regressor, body):
    crops, _ = people(regressor, body, 5)
    whole = fit_cold(setup_of(regressor, body, CFG), crops)
    parts = fit_cold(setup_of(regressor, body, replace(CFG, max_people=2)), crops)
    assert torch.allclose(whole.prediction.pred_cam, parts.prediction.pred_cam, atol=1e-4)


def test_loss_falls_for_everybody(regressor, body):
    crops, _ = people(regressor, body, 6, bend=0.8)
    cfg = replace(CFG, num_steps=40)
    fit = fit_cold(setup_of(regressor, body, cfg), crops)
    assert (fit.status == FITTED).all()
    assert (fit.loss_px < 0.7 * fit.loss_px_start).all()


def test_known_pose_comes_back(regressor, body):
    crops, params = people(regressor, body, 6, bend=0.2)
    cfg = replace(CFG, num_steps=60)
    fit = fit_cold(setup_of(regressor, body, cfg), crops)
    true_joints, _ = body.joints_and_keypoints(params)
    joints, _ = body.joints_and_keypoints(fit.prediction.params)
    from eftvideo.evaluate.metrics import pa_mpjpe

    assert fit.loss_px.max() < 3.0
    assert 1e3 * pa_mpjpe(joints, true_joints).mean() < 60.0


def test_base_weights_never_change(regressor, body):
    before = {k: v.clone() for k, v in regressor.state_dict().items()}
    crops, _ = people(regressor, body, 2)
    fit_cold(setup_of(regressor, body, CFG), crops)
    assert all(torch.equal(before[k], v) for k, v in regressor.state_dict().items())
    assert all(p.grad is None for p in regressor.parameters())


def test_same_input_same_result(regressor, body):
    crops, _ = people(regressor, body, 3)
    a = fit_cold(setup_of(regressor, body, CFG), crops)
    b = fit_cold(setup_of(regressor, body, CFG), crops)
    assert torch.equal(a.prediction.params.body_pose, b.prediction.params.body_pose)


def test_warm_start_needs_fewer_steps(regressor, body):
    crops, _ = people(regressor, body, 6, bend=0.8)
    cfg = replace(CFG, threshold_px=2.5, num_steps=60)
    setup = setup_of(regressor, body, cfg)
    cold, states = fit_from(setup, crops)
    warm, _ = fit_from(setup, crops, states)
    done = cold.num_steps < cfg.num_steps
    assert cold.num_steps[done].sum() >= 9
    assert warm.num_steps[done].sum() * 3 <= cold.num_steps[done].sum()
    assert (warm.loss_px <= cold.loss_px + 1.0).all()


def test_warm_start_forgets_after_a_gap(regressor, body, one_thread):
    """The first person is away for a frame, then for long; the second is away for long."""
    setup = setup_of(regressor, body, CFG)
    gap_s = setup.cfg.fit.max_warm_gap_s
    at, who = np.array([0, 1, 2, 3, 3]), np.array([0, 1, 0, 0, 1])
    rows = Rows(who, np.array([0, 0, 1, 2, 1]), at, np.array([0.0, gap_s / 2, gap_s, 5.0])[at])
    streams = Group([Chunk(0, 0, 4)], [rows]).streams(gap_s)
    assert streams.rows == ((0, 2, 3), (1, 4))
    assert streams.cold.tolist() == [True, True, False, True, True]
    crops, _ = people(regressor, body, 1)
    fit = fit_eft(Batch.of(Crops.cat([crops] * 5), setup, streams), setup)
    cams = fit.prediction.pred_cam
    apart = (cams - cams[0]).abs().amax(dim=1)
    assert apart[[1, 3, 4]].max() < 1e-6 < 1e-5 < apart[2]


def test_carry_pulls_back_to_the_base(regressor, body):
    crops, _ = people(regressor, body, 1)
    _, states = fit_from(setup_of(regressor, body, CFG), crops)
    base = Weights(regressor, CFG.tune).base
    change = (states[0].theta - base).norm().item()
    still = replace(CFG, threshold_px=1e6)
    _, after = fit_from(setup_of(regressor, body, still), crops, states)
    assert (after[0].theta - base).norm() == pytest.approx(CFG.carry * change, rel=1e-4)


def test_sequences_go_on_alone_as_frame_by_frame(regressor, body):
    crops, _ = people(regressor, body, 6)
    cold = np.zeros(6, bool)
    cold[4] = True
    streams = Streams(((0, 1, 2), (3, 4), (5,)), cold)
    setup = setup_of(regressor, body, replace(CFG, max_people=2))
    done = []
    fit = fit_eft(
        Batch.of(crops, setup, streams), setup, done=lambda rows, _: done.extend(rows.tolist())
    )
    assert sorted(done) == list(range(6))
    for rows in ([0, 1, 2], [3], [4], [5]):
        states = None
        for row in rows:
            one = crops.select(torch.tensor([row]))
            single, states = fit_from(setup_of(regressor, body, CFG), one, states)
            assert single.num_steps.item() == fit.num_steps[row].item()
            assert single.loss_px.item() == pytest.approx(fit.loss_px[row].item(), abs=1e-3)


def test_nonsense_is_rejected_and_keeps_the_regressors_answer(regressor, body):
    crops, _ = people(regressor, body, 2)
    wild = crops.keypoints.clone()
    wild[0, :, :2] = torch.randn(17, 2, generator=torch.Generator().manual_seed(1)) * 3
    crops = replace(crops, keypoints=wild)
    setup = setup_of(regressor, body, CFG)
    fit, states = fit_from(setup, crops)
    own = answer(crops, setup)
    assert fit.status.tolist() == [REJECTED, FITTED]
    assert torch.equal(fit.prediction.pred_cam[0], own.prediction.pred_cam[0])
    assert fit.loss_px[0] == own.loss_px[0]
    assert [s is None for s in states] == [True, False]


def test_nothing_but_the_camera_is_asked_where_every_fit_is_accepted(regressor, body):
    crops, _ = people(regressor, body, 3)
    wild = crops.keypoints.clone()
    wild[0, :, :2] = torch.randn(17, 2, generator=torch.Generator().manual_seed(1)) * 3
    wild[2, 4:, 2] = 0.05  # too few joints
    crops = replace(crops, keypoints=wild)
    strict = fit_cold(setup_of(regressor, body, CFG), crops)
    free = fit_cold(setup_of(regressor, body, CFG, accept=AcceptConfig(enabled=False)), crops)
    assert strict.status.tolist() == [REJECTED, FITTED, REJECTED]
    assert free.status.tolist() == [FITTED, FITTED, REJECTED]
    assert free.loss_px[0] < strict.loss_px[0] and free.loss_px[0] > AcceptConfig().max_loss_px
    assert torch.equal(free.prediction.pred_cam[1:], strict.prediction.pred_cam[1:])


def test_each_limit_rejects_alone(regressor, body):
    """By the rule itself: a sane fit, and one that breaks one limit each."""
    crops, _ = people(regressor, body, 1)
    crops = Crops.cat([crops] * 7)
    setup = setup_of(regressor, body)
    cfg, own = setup.cfg.fit.accept, answer(crops, setup)
    enough = torch.ones(7, dtype=torch.bool)
    params, cam, loss_px = own.prediction.params, own.prediction.pred_cam.clone(), own.loss_px + 0.5
    betas, pose = params.betas.clone(), params.body_pose.clone()
    own = replace(own, loss_px=own.loss_px.clone())
    own.loss_px[1], loss_px[1] = 99.0, cfg.max_loss_px + 0.1
    loss_px[2] = own.loss_px[2] + cfg.max_rise_px + 0.1
    betas[3, 9] = -cfg.max_abs_beta - 0.1
    assert cfg.max_pose_change_rad is not None
    turn = axis_angle_to_matrix(torch.tensor([cfg.max_pose_change_rad + 0.1, 0.0, 0.0]))
    pose[4, 17] = turn @ pose[4, 17]
    cam[5, 0] = 2.0 * crops.focal_length_px[5] / (crops.size_px[5] * (cfg.min_depth_m - 0.05))
    cam[6, 0] = -cam[6, 0]
    tuned = Prediction(replace(params, betas=betas, body_pose=pose), cam)
    assert acceptable(tuned, own, loss_px, enough, crops, setup).tolist() == [True] + [False] * 6
    sane = [True, False, False, False, True, False, False]
    for other in ({"accept": replace(cfg, max_pose_change_rad=None)}, {"method": "smplify"}):
        setup = setup_of(regressor, body, **other)
        assert acceptable(tuned, own, loss_px, enough, crops, setup).tolist() == sane
    off = setup_of(regressor, body, accept=replace(cfg, enabled=False))
    assert acceptable(tuned, own, loss_px, enough, crops, off).tolist() == [True] * 6 + [False]


def test_too_few_joints_take_no_step(regressor, body):
    crops, _ = people(regressor, body, 1)
    keypoints = crops.keypoints.clone()
    keypoints[:, 4:, 2] = 0.05
    fit = fit_cold(setup_of(regressor, body, CFG), replace(crops, keypoints=keypoints))
    assert fit.num_steps.item() == 0
    assert fit.status.item() == REJECTED


def test_nobody_is_a_result(regressor, body):
    crops, _ = people(regressor, body, 1)
    none = crops.select(torch.zeros(0, dtype=torch.int64))
    setup = setup_of(regressor, body, CFG)
    assert len(fit_cold(setup, none)) == 0
    fit, states = fit_from(setup, none)
    assert len(fit) == 0
    assert not states


def test_finished_people_do_not_move(regressor, body):
    crops, _ = people(regressor, body, 2)
    keypoints = crops.keypoints.clone()
    keypoints[0, 4:, 2] = 0.05
    crops = replace(crops, keypoints=keypoints)
    fit = fit_cold(setup_of(regressor, body, CFG), crops)
    assert fit.num_steps[0] == 0 < fit.num_steps[1]


def test_outliers_stop_pulling():
    near, far = torch.tensor([1e-4]), torch.tensor([100.0])
    assert losses.geman_mcclure(near, 0.1).item() == pytest.approx(1e-4, rel=0.02)
    assert losses.geman_mcclure(far, 0.1).item() == pytest.approx(0.01, rel=0.01)


def test_who_starts_warm_is_given_up_sooner(regressor, body):
    """Where no gain is enough, a warm frame takes one step; a cold one its own number of them."""
    crops, _ = people(regressor, body, 2)
    cfg = replace(CFG, threshold_px=0.0, num_steps=12, warm_stall_steps=1, stall_px=1e6)
    setup = setup_of(regressor, body, cfg)
    first, states = fit_from(setup, crops)
    assert first.num_steps.tolist() == [12, 12]
    second, _ = fit_from(setup, crops, [states[0], None])
    assert second.num_steps.tolist() == [1, 12]


def test_the_whole_state_goes_over_to_the_next_frame(regressor, body):
    crops, _ = people(regressor, body, 2)
    cfg = replace(CFG, num_steps=8, threshold_px=0.0, carry=1.0)
    _, first = fit_from(setup_of(regressor, body, cfg), crops)
    still = replace(cfg, num_steps=0)
    _, second = fit_from(setup_of(regressor, body, still), crops, first)
    for before, after in zip(first, second, strict=True):
        assert before.second_moment.max() > 0
        for name in ("theta", "first_moment", "second_moment", "num_updates"):
            torch.testing.assert_close(getattr(after, name), getattr(before, name))


def test_limbs_stay_near_the_regressors_answer_however_the_body_turns(regressor, body):
    """A strong `stay_weight` leaves EFT little but to turn and to move the body as a whole."""
    crops, _ = people(regressor, body, 4, bend=0.8)
    own = answer(crops, setup_of(regressor, body)).prediction
    moved, turned = {}, {}
    for weight in (0.0, 100.0):
        cfg = replace(CFG, stay_weight=weight)
        fit = fit_cold(setup_of(regressor, body, cfg), crops)
        limbs, before = (projected(body, p, crops)[1] for p in (fit.prediction, own))
        moved[weight] = 1e3 * (limbs - before).norm(dim=-1).mean()
        params = (fit.prediction.params.global_orient, own.params.global_orient)
        turned[weight] = rotation_angle(*params).mean()
    assert moved[100.0] < 0.35 * moved[0.0] and moved[0.0] > 20.0
    assert turned[100.0] > 0.02


def test_limbs_say_nothing_of_how_the_body_stands_and_turns(regressor, body):
    crops, _ = people(regressor, body, 3)
    own = answer(crops, setup_of(regressor, body)).prediction
    turn = axis_angle_to_matrix(torch.tensor([0.3, -0.8, 0.5]))
    params = replace(own.params, global_orient=turn @ own.params.global_orient)
    other = replace(own, params=params, pred_cam=own.pred_cam + 0.1)
    torch.testing.assert_close(
        projected(body, own, crops)[1], projected(body, other, crops)[1], atol=1e-5, rtol=0
    )

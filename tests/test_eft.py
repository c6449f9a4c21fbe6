"""Laws of exemplar fine-tuning, on the shipped body and the shipped regressor."""

from dataclasses import replace

import pytest
import torch

from eftvideo.config import EftConfig
from eftvideo.errors import ConfigError
from eftvideo.fit import losses
from eftvideo.fit.eft import fit as eft
from eftvideo.fit.eft.tuned_weights import Adam, Weights
from eftvideo.fit.projection import projected
from eftvideo.geometry.rotations import axis_angle_to_matrix, rotation_angle
from eftvideo.types import FITTED, REJECTED
from tests.eft_people import people

CFG = EftConfig(threshold_px=0.5, stall_steps=50, warm_stall_steps=50)


def test_batch_equals_one_by_one(regressor, body):
    crops, _ = people(regressor, body, 4)
    together, _ = eft.fit(regressor, body, crops, [1, 2, 3, 4], 0.0, None, CFG)
    for i in range(4):
        alone, _ = eft.fit(regressor, body, crops.select(torch.tensor([i])), [i], 0.0, None, CFG)
        assert torch.allclose(
            together.prediction.params.body_pose[i], alone.prediction.params.body_pose[0], atol=1e-4
        )
        assert together.num_steps[i] == alone.num_steps[0]
        assert together.loss_px[i].item() == pytest.approx(alone.loss_px[0].item(), abs=1e-3)


def test_chunks_equal_one_batch(regressor, body):
    crops, _ = people(regressor, body, 5)
    whole, _ = eft.fit(regressor, body, crops, range(5), 0.0, None, CFG)
    parts, _ = eft.fit(regressor, body, crops, range(5), 0.0, None, replace(CFG, max_people=2))
    assert torch.allclose(whole.prediction.pred_cam, parts.prediction.pred_cam, atol=1e-4)


def test_loss_falls_for_everybody(regressor, body):
    crops, _ = people(regressor, body, 6, bend=0.8)
    cfg = replace(CFG, num_steps=40)
    fit, _ = eft.fit(regressor, body, crops, range(6), 0.0, None, cfg)
    assert (fit.status == FITTED).all()
    assert (fit.loss_px < 0.7 * fit.loss_px_start).all()


def test_known_pose_comes_back(regressor, body):
    crops, params = people(regressor, body, 6, bend=0.2)
    cfg = replace(CFG, num_steps=60)
    fit, _ = eft.fit(regressor, body, crops, range(6), 0.0, None, cfg)
    true_joints, _ = body.joints_and_keypoints(params)
    joints, _ = body.joints_and_keypoints(fit.prediction.params)
    from eftvideo.evaluate.metrics import pa_mpjpe

    assert fit.loss_px.max() < 3.0
    assert 1e3 * pa_mpjpe(joints, true_joints).mean() < 60.0


def test_base_weights_never_change(regressor, body):
    before = {k: v.clone() for k, v in regressor.state_dict().items()}
    crops, _ = people(regressor, body, 2)
    eft.fit(regressor, body, crops, [1, 2], 0.0, None, CFG)
    assert all(torch.equal(before[k], v) for k, v in regressor.state_dict().items())
    assert all(p.grad is None for p in regressor.parameters())


def test_same_input_same_result(regressor, body):
    crops, _ = people(regressor, body, 3)
    a, _ = eft.fit(regressor, body, crops, [1, 2, 3], 0.0, None, CFG)
    b, _ = eft.fit(regressor, body, crops, [1, 2, 3], 0.0, None, CFG)
    assert torch.equal(a.prediction.params.body_pose, b.prediction.params.body_pose)


def test_warm_start_needs_fewer_steps(regressor, body):
    crops, _ = people(regressor, body, 6, bend=0.8)
    cfg = replace(CFG, threshold_px=2.5, num_steps=60)
    cold, state = eft.fit(regressor, body, crops, range(6), 0.0, None, cfg)
    warm, _ = eft.fit(regressor, body, crops, range(6), 1 / 30, state, cfg)
    done = cold.num_steps < cfg.num_steps
    assert cold.num_steps[done].sum() >= 9
    assert warm.num_steps[done].sum() * 3 <= cold.num_steps[done].sum()
    assert (warm.loss_px <= cold.loss_px + 1.0).all()


def test_warm_start_forgets_after_a_gap(regressor, body):
    crops, _ = people(regressor, body, 1)
    first, state = eft.fit(regressor, body, crops, [7], 0.0, None, CFG)
    late, _ = eft.fit(regressor, body, crops, [7], 5.0, state, CFG)
    assert torch.equal(first.prediction.pred_cam, late.prediction.pred_cam)
    _, kept = eft.fit(regressor, body, crops, [8], 0.1, state, CFG)
    assert set(kept.people) == {7, 8}
    _, dropped = eft.fit(regressor, body, crops, [8], 5.0, state, CFG)
    assert set(dropped.people) == {8}


def test_carry_pulls_back_to_the_base(regressor, body):
    crops, _ = people(regressor, body, 1)
    _, state = eft.fit(regressor, body, crops, [1], 0.0, None, CFG)
    base = Weights(regressor, CFG.tune).base
    change = (state.people[1].state.theta - base).norm().item()
    still = replace(CFG, threshold_px=1e6)
    _, after = eft.fit(regressor, body, crops, [1], 0.03, state, still)
    carried = after.people[1].state
    assert (carried.theta - base).norm() == pytest.approx(CFG.carry * change, rel=1e-4)


def test_sequences_go_on_alone_as_frame_by_frame(regressor, body):
    crops, _ = people(regressor, body, 6)
    own = eft.regress(regressor, body, crops, CFG)
    cold = torch.zeros(6, dtype=torch.bool)
    cold[4] = True
    done = []
    fit, _ = eft.fit_sequences(
        regressor,
        body,
        crops,
        [eft.PersonFrames([0, 1, 2]), eft.PersonFrames([3, 4]), eft.PersonFrames([5])],
        cold,
        replace(CFG, max_people=2),
        own,
        done=lambda rows, _: done.extend(rows.tolist()),
    )
    assert sorted(done) == list(range(6))
    for rows in ([0, 1, 2], [3], [4], [5]):
        state = None
        for t, row in enumerate(rows):
            one = crops.select(torch.tensor([row]))
            single, state = eft.fit(regressor, body, one, [1], 0.03 * t, state, CFG)
            assert single.num_steps.item() == fit.num_steps[row].item()
            assert single.loss_px.item() == pytest.approx(fit.loss_px[row].item(), abs=1e-3)


def test_nonsense_is_rejected_and_keeps_the_regressors_answer(regressor, body):
    crops, _ = people(regressor, body, 2)
    wild = crops.keypoints.clone()
    wild[0, :, :2] = torch.randn(17, 2, generator=torch.Generator().manual_seed(1)) * 3
    crops = replace(crops, keypoints=wild)
    fit, state = eft.fit(regressor, body, crops, [1, 2], 0.0, None, CFG)
    own = eft.regress(regressor, body, crops)
    assert fit.status.tolist() == [REJECTED, FITTED]
    assert torch.equal(fit.prediction.pred_cam[0], own.prediction.pred_cam[0])
    assert fit.loss_px[0] == own.loss_px[0]
    assert set(state.people) == {2}


def test_too_few_joints_take_no_step(regressor, body):
    crops, _ = people(regressor, body, 1)
    keypoints = crops.keypoints.clone()
    keypoints[:, 4:, 2] = 0.05
    fit, _ = eft.fit(regressor, body, replace(crops, keypoints=keypoints), [1], 0.0, None, CFG)
    assert fit.num_steps.item() == 0
    assert fit.status.item() == REJECTED


def test_nobody_is_a_result(regressor, body):
    crops, _ = people(regressor, body, 1)
    none = crops.select(torch.zeros(0, dtype=torch.int64))
    fit, state = eft.fit(regressor, body, none, [], 0.0, None, CFG)
    assert len(fit) == 0
    assert not state.people


def test_finished_people_do_not_move(regressor, body):
    crops, _ = people(regressor, body, 2)
    keypoints = crops.keypoints.clone()
    keypoints[0, 4:, 2] = 0.05
    crops = replace(crops, keypoints=keypoints)
    fit, _ = eft.fit(regressor, body, crops, [1, 2], 0.0, None, CFG)
    assert fit.num_steps[0] == 0 < fit.num_steps[1]


def test_adam_is_torchs_adam_row_by_row():
    g = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(2, 5, generator=g), torch.randn(4, 2, 5, generator=g)
    leaf = start.clone().requires_grad_()
    reference = torch.optim.Adam([leaf], lr=0.1)
    ours = start.clone()
    adam = Adam(torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64))
    rows = torch.arange(2)
    for gradient in gradients:
        leaf.grad = gradient.clone()
        reference.step()
        adam.step(ours, gradient, rows, 0.1, 0.0, start)
    assert torch.allclose(ours, leaf.detach(), atol=1e-5)
    before = ours.clone()
    adam.step(ours, gradients[0], rows, 0.0, 0.25, torch.zeros(5))
    assert torch.allclose(ours, 0.75 * before)


def test_adam_of_all_rows_moves_those_that_move():
    g = torch.Generator().manual_seed(0)
    theta, base = torch.randn(4, 6, generator=g), torch.randn(6, generator=g)
    one, other = (
        Adam(torch.zeros(4, 6), torch.zeros(4, 6), torch.zeros(4, dtype=torch.int64))
        for _ in range(2)
    )
    by_rows, in_place = theta.clone(), theta.clone()
    for moving in ([0, 1, 3], [0, 3], [0, 1, 3]):
        gradient = torch.randn(4, 6, generator=g)
        rows = torch.tensor(moving)
        one.step(by_rows, gradient[rows], rows, 0.1, 0.2, base)
        mask = torch.zeros(4, dtype=torch.bool)
        mask[rows] = True
        other.step_all(in_place, gradient.split([4, 2], dim=1), mask, 0.1, 0.2, base)
    torch.testing.assert_close(in_place, by_rows)
    assert torch.equal(in_place[2], theta[2])
    assert one.count.tolist() == other.count.tolist() == [3, 2, 0, 3]
    torch.testing.assert_close(other.first, one.first)
    torch.testing.assert_close(other.second, one.second)


@pytest.mark.parametrize("which", ["all", "norm+bias", "late", "last", "head"])
def test_stacked_weights_run_each_persons_own_network(regressor, which):
    weights = Weights(regressor, which)
    g = torch.Generator().manual_seed(0)
    encoded = torch.randn(3, 2, regressor.stem.in_features, generator=g)
    theta = weights.base.repeat(3, 1)
    assert torch.allclose(weights.forward(theta, encoded), regressor.forward(encoded), atol=1e-4)
    theta[1] += 0.05
    moved = weights.forward(theta, encoded)
    plain = regressor.forward(encoded)
    assert torch.allclose(moved[[0, 2]], plain[[0, 2]], atol=1e-4)
    assert not torch.allclose(moved[1], plain[1], atol=1e-2)


def test_general_way_equals_the_lifters_own(regressor, monkeypatch):
    """vmap over functional_call, which every other network uses, gives the same numbers."""
    weights = Weights(regressor, "all")
    g = torch.Generator().manual_seed(0)
    encoded = torch.randn(3, 2, regressor.stem.in_features, generator=g)
    theta = weights.base.repeat(3, 1)
    theta += 0.01 * torch.randn(theta.shape, generator=g)
    quick = weights.forward(theta, encoded)
    monkeypatch.setattr(type(regressor), "forward_each", None)
    assert torch.allclose(weights.forward(theta, encoded), quick, atol=1e-4)


def test_unknown_tune_names_the_choices(regressor):
    with pytest.raises(ConfigError, match=r"norm\+bias"):
        regressor.tunable("everything")


def test_outliers_stop_pulling():
    near, far = torch.tensor([1e-4]), torch.tensor([100.0])
    assert losses.geman_mcclure(near, 0.1).item() == pytest.approx(1e-4, rel=0.02)
    assert losses.geman_mcclure(far, 0.1).item() == pytest.approx(0.01, rel=0.01)


def test_who_starts_warm_is_given_up_sooner(regressor, body):
    """With no patience at all, a warm frame takes one look; a cold one its own number of steps."""
    crops, _ = people(regressor, body, 2)
    cfg = replace(CFG, threshold_px=0.0, num_steps=12, stall_steps=50, warm_stall_steps=0)
    first, state = eft.fit(regressor, body, crops, [0, 1], 0.0, cfg=cfg)
    assert first.num_steps.tolist() == [12, 12]
    second, _ = eft.fit(regressor, body, crops, [0, 5], 1 / 30, state, cfg)
    assert second.num_steps.tolist() == [0, 12]


def test_the_whole_state_goes_over_to_the_next_frame(regressor, body):
    crops, _ = people(regressor, body, 2)
    cfg = replace(CFG, num_steps=8, threshold_px=0.0, carry=1.0)
    _, first = eft.fit(regressor, body, crops, [0, 1], 0.0, None, cfg)
    still = replace(cfg, num_steps=0)
    _, second = eft.fit(regressor, body, crops, [0, 1], 1 / 30, first, still)
    for i in (0, 1):
        before, after = first.people[i].state, second.people[i].state
        assert before.second_moment.max() > 0
        for name in ("theta", "first_moment", "second_moment", "num_updates"):
            torch.testing.assert_close(getattr(after, name), getattr(before, name))


def test_limbs_stay_near_the_regressors_answer_however_the_body_turns(regressor, body):
    """A strong `stay_weight` leaves EFT little but to turn and to move the body as a whole."""
    crops, _ = people(regressor, body, 4, bend=0.8)
    own = eft.regress(regressor, body, crops).prediction
    moved, turned = {}, {}
    for weight in (0.0, 100.0):
        cfg = replace(CFG, stay_weight=weight)
        fit, _ = eft.fit(regressor, body, crops, range(4), 0.0, None, cfg)
        limbs, before = (projected(body, p, crops)[1] for p in (fit.prediction, own))
        moved[weight] = 1e3 * (limbs - before).norm(dim=-1).mean()
        params = (fit.prediction.params.global_orient, own.params.global_orient)
        turned[weight] = rotation_angle(*params).mean()
    assert moved[100.0] < 0.35 * moved[0.0] and moved[0.0] > 20.0
    assert turned[100.0] > 0.02


def test_limbs_say_nothing_of_how_the_body_stands_and_turns(regressor, body):
    crops, _ = people(regressor, body, 3)
    own = eft.regress(regressor, body, crops).prediction
    turn = axis_angle_to_matrix(torch.tensor([0.3, -0.8, 0.5]))
    params = replace(own.params, global_orient=turn @ own.params.global_orient)
    other = replace(own, params=params, pred_cam=own.pred_cam + 0.1)
    torch.testing.assert_close(
        projected(body, own, crops)[1], projected(body, other, crops)[1], atol=1e-5, rtol=0
    )

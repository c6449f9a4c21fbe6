"""Terms of the fitting loss: by hand, bounded where they must be, one value per person."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from eftvideo.config import EftConfig, KeypointConfig
from eftvideo.fit import losses
from eftvideo.geometry.skeletons import COCO17, COCO17_FACE, COCO17_HIPS
from eftvideo.types import Crops, Prediction, SmplParams
from tests.eft_people import setup_of
from tests.setups import no_network

CFG = EftConfig()
SEEN = KeypointConfig()
SETUP = setup_of(no_network(), None, CFG, SEEN)


def random_crops(num=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    keypoints = torch.cat([torch.rand(num, 17, 2, generator=g) - 0.5, torch.ones(num, 17, 1)], 2)
    return Crops(
        keypoints=keypoints.double(),
        center_px=torch.full((num, 2), 300.0).double(),
        size_px=torch.full((num,), 200.0).double(),
        focal_length_px=torch.full((num,), 800.0).double(),
        image_size_px=torch.tensor([640.0, 480.0]).double().expand(num, 2),
    )


def loss_of(pred, crops, weight=None, betas=None, scale=1.0, cfg=CFG, seen=SEEN):
    num, setup = len(crops), setup_of(no_network(), None, cfg, seen)
    if weight is None:
        weight = losses.joint_weights(crops.keypoints[..., 2], setup)
    betas = torch.zeros(num, 10).double() if betas is None else betas
    pred_cam = torch.tensor([[scale, 0.0, 0.0]]).double().expand(num, 3)
    eye = torch.eye(3).double()
    params = SmplParams(eye.expand(num, 3, 3), eye.expand(num, 23, 3, 3), betas)
    robust_px = torch.full((num, 1), cfg.robust_px).double()
    answer = Prediction(params, pred_cam)
    return losses.eft_loss(pred, answer, crops, weight, robust_px, setup)


def test_joint_weights():
    score = torch.full((2, 17), 0.8)
    score[1, 7] = SEEN.min_score - 0.01
    weight = losses.joint_weights(score, SETUP)
    body = set(range(17)) - set(COCO17_FACE) - set(COCO17_HIPS)
    assert weight[0, list(body)].tolist() == pytest.approx([0.8] * 10)
    assert weight[0, list(COCO17_FACE)].tolist() == pytest.approx([0.8 * SEEN.face_weight] * 5)
    assert weight[0, list(COCO17_HIPS)].tolist() == pytest.approx([0.8 * SEEN.hip_weight] * 2)
    assert weight[1, 7] == 0.0


def test_four_joints_of_the_body_are_enough_a_face_is_not():
    weight = torch.zeros(4, 17)
    weight[0, list(COCO17_FACE)] = 0.2
    weight[1, 13:17] = 0.9  # both lower legs
    weight[2, [0, 1, 2, 5, 6, 7]] = 0.5
    weight[3, 14:17] = 0.9
    assert losses.enough_joints(weight, SETUP).tolist() == [False, True, True, False]


def test_weighted_mean_and_nobody_seen():
    value, weight = torch.tensor([[1.0, 5.0], [3.0, 3.0]]), torch.tensor([[1.0, 3.0], [0.0, 0.0]])
    torch.testing.assert_close(losses.weighted_mean(value, weight), torch.tensor([4.0, 0.0]))


def test_weighted_median():
    value = torch.tensor([[4.0, 1.0, 9.0, 2.0], [4.0, 1.0, 9.0, 2.0], [3.0, 5.0, 7.0, 1.0]])
    weight = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 5.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    median = losses.weighted_median(value, weight)
    assert median[:2].tolist() == [2.0, 9.0] and median.isfinite().all()


def test_the_robust_scale_widens_only_where_most_of_the_body_is_off():
    crops = random_crops(3)
    weight = losses.joint_weights(crops.keypoints[..., 2], SETUP)
    pred = crops.keypoints[..., :2].clone()
    pred[1, 7:9, 0] += 80.0 / losses.CROP_HALF_PX  # an arm
    pred[2, :, 0] += 80.0 / losses.CROP_HALF_PX
    scale = losses.robust_scale_px(pred, crops, weight, CFG.robust_px)
    assert scale.tolist() == pytest.approx([CFG.robust_px, CFG.robust_px, 80.0])
    pred = pred.requires_grad_(True)
    loss = losses.weighted_mean(
        losses.geman_mcclure(
            (pred - crops.keypoints[..., :2]).square().sum(-1),
            scale[:, None] / losses.CROP_HALF_PX,
        ),
        weight,
    )
    (pull,) = torch.autograd.grad(loss.sum(), pred)
    far = pull[2, 7, 0] / pull[1, 7, 0]
    assert far > 100.0, "one joint that is off does not pull, all of them do"


def test_geman_mcclure():
    """Like the square when small, never above sigma squared, always rising."""
    square = torch.logspace(-8, 6, 200).double()
    robust = losses.geman_mcclure(square, 0.5)
    torch.testing.assert_close(robust[:40], square[:40], rtol=2e-3, atol=0)
    assert (robust < 0.25).all() and robust[-1] > 0.2499
    assert (robust.diff() > 0).all()


def test_leg_direction_by_hand():
    target = torch.zeros(3, 17, 2)
    knee, ankle = COCO17.index("left_knee"), COCO17.index("left_ankle")
    target[:, ankle] = target[:, knee] + torch.tensor([0.0, 0.5])
    pred = target.clone()
    pred[1, ankle] = pred[1, knee] + torch.tensor([0.2, 0.0])
    pred[2, ankle] = pred[2, knee] - torch.tensor([0.0, 9.0])
    weight = torch.ones(3, 17)
    got = losses.leg_direction(pred, target, weight, min_length=0.1)
    torch.testing.assert_close(got, torch.tensor([0.0, 1.0, 2.0]))
    too_short = losses.leg_direction(pred, target, weight, min_length=0.6)
    weight[:, ankle] = 0.0
    hidden = losses.leg_direction(pred, target, weight, min_length=0.1)
    assert too_short.tolist() == hidden.tolist() == [0.0, 0.0, 0.0]


def test_the_term_of_the_legs_heeds_whoever_is_seen_whatever_the_ankles_weigh():
    crops = random_crops(2)
    keypoints = crops.keypoints.clone()
    knee, ankle = COCO17.index("left_knee"), COCO17.index("left_ankle")
    keypoints[:, ankle, :2] = keypoints[:, knee, :2] + torch.tensor([0.0, 0.5]).double()
    keypoints[1, ankle, 2] = SEEN.min_score - 0.01
    crops = replace(crops, keypoints=keypoints)
    pred = crops.keypoints[..., :2].clone()
    pred[:, ankle] = pred[:, knee] + torch.tensor([0.5, 0.0]).double()
    cfg, light = replace(CFG, leg_weight=0.005), replace(SEEN, ankle_weight=0.0)
    for seen in (SEEN, light):
        legs = loss_of(pred, crops, cfg=cfg, seen=seen) - loss_of(pred, crops, seen=seen)
        torch.testing.assert_close(legs, torch.tensor([0.005, 0.0]).double())


def test_loss_of_a_perfect_fit_is_only_the_camera_term():
    crops = random_crops()
    loss = loss_of(crops.keypoints[..., :2], crops)
    torch.testing.assert_close(
        loss, torch.full((4,), CFG.camera_weight * math.exp(-20.0)).double(), atol=1e-12, rtol=0
    )


def test_each_term_rises_with_what_it_is_against():
    crops = random_crops()
    pred = crops.keypoints[..., :2]
    base = loss_of(pred, crops)
    assert (loss_of(pred + 0.05, crops) > base + 0.01).all()
    betas = torch.full((4, 10), 2.0).double()
    published = replace(CFG, betas_weight=0.001)
    torch.testing.assert_close(loss_of(pred, crops, betas=betas, cfg=published), base + 4 * 0.001)
    assert torch.equal(loss_of(pred, crops, betas=betas), base)
    assert (loss_of(pred, crops, scale=-0.1) > base + 1.0).all()


def test_a_gross_keypoint_error_cannot_rule():
    crops = random_crops(1)
    off = crops.keypoints[..., :2].clone()
    off[0, COCO17.index("left_wrist")] += 50.0
    rise = loss_of(off, crops) - loss_of(crops.keypoints[..., :2], crops)
    weight = losses.joint_weights(crops.keypoints[..., 2], SETUP)
    ceiling = CFG.reproject_weight * (CFG.robust_px / losses.CROP_HALF_PX) ** 2 / weight.sum()
    assert 0.9 * ceiling < rise.item() < ceiling + 1e-9


def test_people_do_not_mix():
    crops = random_crops()
    g = torch.Generator().manual_seed(5)
    pred = torch.rand(4, 17, 2, generator=g).double() - 0.5
    together = loss_of(pred, crops)
    alone = [loss_of(pred[[i]], crops.select(torch.tensor([i]))) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_gradients():
    crops = random_crops(2)
    pred = (crops.keypoints[..., :2] + 0.1).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss_of(p, crops), pred)


def test_projection_agrees_with_the_crop():
    """A point on the ray through the crop's corner has crop coordinates 1, 1."""
    crops = random_crops(1)
    corner_px = crops.center_px + 100.0
    slope = (corner_px - crops.image_size_px / 2) / 800.0
    point = torch.cat([slope, torch.ones(1, 1)], dim=1)[:, None] * 7.0
    torch.testing.assert_close(losses.project_to_crop(point, crops), torch.ones(1, 1, 2).double())


def test_error_px():
    crops = random_crops(1)
    target = crops.keypoints[..., :2]
    weight = torch.ones(1, 17).double()
    off = target + torch.tensor([3.0, 4.0]).double() / losses.CROP_HALF_PX
    assert losses.crop_error_px(off, target, weight).item() == pytest.approx(5.0, abs=1e-4)
    assert losses.inlier_error_px(off, target, weight, 12.0).item() == pytest.approx(5.0, abs=1e-4)
    off[0, 9] += 1.0
    assert losses.crop_error_px(off, target, weight) > 25.0
    assert losses.inlier_error_px(off, target, weight, 12.0) < 5.5


def test_hidden_joints_do_not_count():
    crops = random_crops(1)
    keypoints = crops.keypoints.clone()
    keypoints[0, 9] = torch.tensor([40.0, -40.0, SEEN.min_score / 2]).double()
    crops = replace(crops, keypoints=keypoints)
    pred = crops.keypoints[..., :2].clone()
    base = loss_of(pred, crops)
    pred[0, 9] = 0.0
    torch.testing.assert_close(loss_of(pred, crops), base)

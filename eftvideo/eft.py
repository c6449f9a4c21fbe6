"""Exemplar fine-tuning with warm start: the regressor's weights, tuned for each person and frame.

EFT (Joo, Neverova, Vedaldi, 3DV 2021) tunes a copy of a regressor on one picture until the body's
joints fall onto the 2D keypoints; the network is the prior. Here all people of a frame are tuned
at once, each on weights of their own, and start from what fitted them in the frame before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftvideo import camera, losses
from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.regressors import Regressor
from eftvideo.rotations import rotation_angle
from eftvideo.tuning import Adam, PersonState, Weights
from eftvideo.types import FITTED, REJECTED, Crops, FitResult, Prediction
from eftvideo.warm_start import WarmStart

MIN_DEPTH_M = 0.2
"""A fit whose body stands nearer to the camera than this is rejected."""


@dataclass
class _Best:
    """The best step of each person so far."""

    loss: Tensor
    theta: Tensor
    raw: Tensor
    stalled: Tensor

    def offer(self, rows: Tensor, loss: Tensor, theta: Tensor, raw: Tensor, gain: Tensor) -> None:
        better = loss < self.loss[rows]
        much = loss < self.loss[rows] - gain
        self.stalled[rows] = torch.where(much, 0, self.stalled[rows] + 1)
        won = rows[better]
        self.loss[won], self.theta[won], self.raw[won] = loss[better], theta[better], raw[better]


def regress(
    regressor: Regressor, body: BodyModel, crops: Crops, cfg: EftConfig | None = None
) -> FitResult:
    """The regressor's own answer for N people, with its 2D error and no fitting."""
    cfg = cfg or EftConfig()
    with torch.no_grad():
        prediction = regressor.decode(regressor.forward(regressor.encode(crops)), crops)
        weight = losses.joint_weights(crops.keypoints[..., 2], cfg)
        error = _error_px(body, prediction, crops, weight)
    zeros = torch.zeros(len(crops), dtype=torch.int64, device=error.device)
    return FitResult(prediction, error, error, zeros, zeros + FITTED)


def fit(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    track_ids: Sequence[int],
    time_s: float,
    warm_start: WarmStart | None = None,
    cfg: EftConfig | None = None,
    own: FitResult | None = None,
) -> tuple[FitResult, WarmStart]:
    """Fit N people of one frame.

    Args:
        regressor, body: neither is changed.
        crops: N people.
        track_ids: N ids; who they are decides which weights they start from.
        time_s: time of the frame.
        warm_start: what the frame before returned; None starts everybody cold.
        own: what `regress` says of these crops, if it is known already.

    Returns:
        The fits, and the warm start for the next frame: the accepted people of this frame and
        those of earlier ones that are not too old to come back.
    """
    cfg, warm_start = cfg or EftConfig(), warm_start or WarmStart()
    own = own or regress(regressor, body, crops, cfg)
    starts = warm_start.of(track_ids, time_s, cfg.max_warm_gap_s)
    result, states = fit_rows(regressor, body, crops, starts, cfg, own)
    return result, warm_start.after(track_ids, states, time_s, cfg.max_warm_gap_s)


def fit_rows(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    starts: Sequence[PersonState | None],
    cfg: EftConfig,
    own: FitResult,
) -> tuple[FitResult, list[PersonState | None]]:
    """Fit N people, of one frame or of several, each on weights of its own.

    Args:
        regressor, body: neither is changed.
        crops: N people.
        starts: what this returned for the same person in the frame before, or None: cold.
        cfg: see there.
        own: what `regress` says of these crops.

    Returns:
        The fits, and the states to start the next frame from; None for the rejected.
    """
    if not len(crops):
        return own, []
    results, states = [], []
    for rows in torch.arange(len(crops)).split(cfg.max_people or len(crops)):
        part, new = _fit_chunk(
            regressor,
            body,
            crops.select(rows),
            own.select(rows),
            [starts[i] for i in rows.tolist()],
            cfg,
        )
        results.append(part)
        states += new
    return FitResult.cat(results), states


def _fit_chunk(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    own: FitResult,
    starts: list[PersonState | None],
    cfg: EftConfig,
) -> tuple[FitResult, list[PersonState | None]]:
    weight = losses.joint_weights(crops.keypoints[..., 2], cfg)
    weights = Weights(regressor, cfg.tune)
    theta, adam = _start(weights, starts, cfg)
    with torch.no_grad():
        encoded = regressor.encode(crops)
        _, own_depth = _projected(body, own.prediction, crops)
    best, num_steps = _optimize(
        regressor, body, weights, theta, adam, encoded, crops, weight, own_depth, cfg
    )
    with torch.no_grad():
        tuned = regressor.decode(best.raw, crops)
        loss_px = _error_px(body, tuned, crops, weight)
        accepted = _acceptable(tuned, own, loss_px, weight, crops, cfg)
    kept = tuned.where(accepted, own.prediction)
    result = FitResult(
        kept,
        own.loss_px,
        torch.where(accepted, loss_px, own.loss_px),
        num_steps,
        torch.where(accepted, FITTED, REJECTED),
    )
    states = [
        PersonState(best.theta[i], adam.first[i], adam.second[i], adam.count[i]) if ok else None
        for i, ok in enumerate(accepted.tolist())
    ]
    return result, states


def _start(
    weights: Weights, starts: list[PersonState | None], cfg: EftConfig
) -> tuple[Tensor, Adam]:
    """Each person's first weights: the carried share of the change, or the base weights."""
    base = weights.base
    theta = base.repeat(len(starts), 1)
    adam = Adam(
        torch.zeros_like(theta),
        torch.zeros_like(theta),
        torch.zeros(len(starts), dtype=torch.int64, device=base.device),
    )
    for i, state in enumerate(starts):
        if state is not None:
            theta[i] = torch.lerp(base, state.theta, cfg.carry)
            adam.second[i], adam.count[i] = state.second_moment, state.num_updates
            adam.first[i] = state.first_moment
    return theta, adam


def _optimize(
    regressor: Regressor,
    body: BodyModel,
    weights: Weights,
    theta: Tensor,
    adam: Adam,
    encoded: Tensor,
    crops: Crops,
    weight: Tensor,
    own_depth: Tensor,
    cfg: EftConfig,
) -> tuple[_Best, Tensor]:
    """Adam until each person's error is small, stalls, or the steps are used up."""
    num = len(crops)
    best = _Best(
        torch.full((num,), torch.inf, device=theta.device),
        theta.clone(),
        torch.zeros(num, 0, device=theta.device),
        torch.zeros(num, dtype=torch.int64, device=theta.device),
    )
    num_steps = torch.zeros(num, dtype=torch.int64, device=theta.device)
    rows = torch.arange(num, device=theta.device)
    for step in range(cfg.num_steps + 1):
        leaf = theta[rows].requires_grad_()
        with torch.enable_grad():
            raw = weights.forward(leaf, encoded[rows])
            part = crops.select(rows)
            prediction = regressor.decode(raw, part)
            pred, depth = _projected(body, prediction, part)
            loss = losses.eft_loss(
                pred, part, weight[rows], prediction.params.betas, prediction.pred_cam, cfg
            ) + cfg.depth_weight * (depth - own_depth[rows]).square().mean(-1)
        if step == 0:
            best.raw = raw.detach().clone()
        error = losses.inlier_error_px(
            pred.detach(), part.keypoints[..., :2], weight[rows], cfg.robust_px
        )
        gain = 2.0 * error * cfg.stall_px * cfg.reproject_weight / losses.CROP_HALF_PX**2
        best.offer(rows, loss.detach(), leaf.detach(), raw.detach(), gain)
        go_on = (
            (error > cfg.threshold_px)
            & (best.stalled[rows] < cfg.stall_steps)
            & ((weight[rows] > 0).sum(-1) >= cfg.min_joints)
        )
        if step == cfg.num_steps or not bool(go_on.any()):
            break
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        rows, gradient = rows[go_on], gradient[go_on]
        moved = adam.step(theta, gradient, rows, cfg.learning_rate)
        theta[rows] = torch.lerp(moved, weights.base, cfg.pull)
        num_steps[rows] += 1
    return best, num_steps


def _projected(body: BodyModel, prediction: Prediction, crops: Crops) -> tuple[Tensor, Tensor]:
    """Keypoints of the body: (N, 17, 2) crop coordinates, and (N, 17) depth from the pelvis, m."""
    transl = camera.pred_cam_to_transl(prediction.pred_cam, *crops.view)
    joints, keypoints = body.joints_and_keypoints(prediction.params)
    view = camera.crop_view_rotation(crops.center_px, crops.image_size_px, crops.focal_length_px)
    depth = ((keypoints - joints[:, :1]) * view[:, None, 2]).sum(-1)
    return losses.project_to_crop(keypoints + transl[:, None], crops), depth


def _error_px(body: BodyModel, prediction: Prediction, crops: Crops, weight: Tensor) -> Tensor:
    pred, _ = _projected(body, prediction, crops)
    return losses.crop_error_px(pred, crops.keypoints[..., :2], weight)


def _acceptable(
    tuned: Prediction, own: FitResult, loss_px: Tensor, weight: Tensor, crops: Crops, cfg: EftConfig
) -> Tensor:
    """(N,) bool: enough joints, a small error no worse than before, a sane body and camera."""
    depth = 2.0 * crops.focal_length_px / (tuned.pred_cam[:, 0] * crops.size_px)
    change = rotation_angle(tuned.params.body_pose, own.prediction.params.body_pose)
    return (
        ((weight > 0).sum(-1) >= cfg.min_joints)
        & (loss_px <= cfg.max_loss_px)
        & (loss_px <= own.loss_px + 1.0)
        & (tuned.params.betas.abs().amax(-1) <= cfg.max_abs_beta)
        & (change.amax(-1) <= cfg.max_pose_change_rad)
        & (depth >= MIN_DEPTH_M)
        & (tuned.pred_cam[:, 0] > 0)
    )

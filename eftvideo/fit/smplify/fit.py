"""SMPLify, the baseline: the body's parameters themselves are moved until the keypoints fit.

The staged fit of Bogo et al. (ECCV 2016) in the form and with the constants of SPIN (Kolotouros et
al., ICCV 2019): first the orientation and the camera, on hips and shoulders; then pose, shape and
orientation, with priors on each. What differs from theirs is in docs/smplify.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import SmplifyConfig
from eftvideo.fit import losses
from eftvideo.fit.eft.tuned_weights import Adam, PersonState
from eftvideo.fit.smplify.first_guess import TORSO, fitting_camera, torso_orient
from eftvideo.fit.smplify.pose_prior import PosePrior, load_pose_prior
from eftvideo.fit.smplify.stages import PARTS, Stages, from_row, projected, to_row, to_spin
from eftvideo.geometry.rotations import matrix_to_axis_angle
from eftvideo.regressors import Regressor
from eftvideo.types import FITTED, REJECTED, Crops, FitResult, Prediction, SmplParams

MIN_DEPTH_M = 0.2
"""As for EFT: a fit that stands nearer to the camera is rejected."""


def fit_rows(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    starts: Sequence[PersonState | None],
    cfg: SmplifyConfig,
    own: FitResult,
) -> tuple[FitResult, list[PersonState | None]]:
    """Fit N people, each on their own, all at once.

    Args:
        regressor: not asked again; its answer is `own`.
        body: the body that is fitted; not changed.
        crops: N people.
        starts: what this function returned for each person in the frame before, or None.
        cfg: constants; `cfg.init` says where people without a start begin.
        own: the regressor's answer for these crops, which stays where a fit is rejected.

    Returns:
        The fits, and what each person starts from in the next frame (None if rejected).
    """
    if not len(crops):
        return own, []
    person, theta, adam = _candidates(body, crops, starts, cfg, own)
    prior = _prior(str(theta.device)) if cfg.prior else None
    done, loss, steps = Stages(body, crops.select(person), cfg, prior).run(theta, adam)
    chosen = _least(loss, person, len(crops))
    done, steps = done[chosen], steps[chosen]
    fitted = from_row(done)
    with torch.no_grad():
        weight = losses.joint_weights(crops.keypoints[..., 2], cfg)
        pred = projected(body, fitted, crops)
        loss_px = losses.crop_error_px(pred, crops.keypoints[..., :2], weight)
    accepted = _acceptable(fitted, own, loss_px, weight, crops, cfg)
    result = FitResult(
        fitted.where(accepted, own.prediction),
        own.loss_px,
        torch.where(accepted, loss_px, own.loss_px),
        steps,
        torch.where(accepted, FITTED, REJECTED),
    )
    states = [
        PersonState(done[i], adam.first[k], adam.second[k], adam.count[k]) if ok else None
        for i, (k, ok) in enumerate(zip(chosen.tolist(), accepted.tolist(), strict=True))
    ]
    return result, states


def _candidates(
    body: BodyModel,
    crops: Crops,
    starts: Sequence[PersonState | None],
    cfg: SmplifyConfig,
    own: FitResult,
) -> tuple[Tensor, Tensor, Adam]:
    """(M,) whose start each row is, (M, 85) parameters, and the optimiser's memory of them."""
    num, device = len(crops), crops.size_px.device
    person, theta = torch.arange(num, device=device), to_row(own.prediction)
    carried = [s is not None for s in starts]
    for i, state in enumerate(starts):
        if state is not None:
            theta[i, : -PARTS["camera"]] = state.theta[: -PARTS["camera"]]
    if cfg.init == "mean":
        known = torch.tensor(carried, device=device)
        person, theta = _mean_starts(body, crops, known, theta, cfg)
    adam = Adam(
        torch.zeros_like(theta),
        torch.zeros_like(theta),
        torch.zeros(len(theta), dtype=torch.int64, device=device),
    )
    for k, i in enumerate(person.tolist()):
        state = starts[i]
        if state is not None:
            adam.first[k], adam.second[k] = state.first_moment, state.second_moment
            adam.count[k] = state.num_updates
    return person, theta, adam


def _mean_starts(
    body: BodyModel, crops: Crops, carried: Tensor, theta: Tensor, cfg: SmplifyConfig
) -> tuple[Tensor, Tensor]:
    """SMPLify's own beginning: the mean pose, facing two ways; the camera from the torso.

    Who is carried over keeps pose, shape and orientation. Who shows no whole torso keeps the
    regressor's orientation and camera.
    """
    target, score = crops.keypoints[..., :2], crops.keypoints[..., 2]
    whole = (score[:, list(TORSO)] >= cfg.min_score).all(-1)
    pose = _prior(str(theta.device)).mean_pose()
    eye = torch.eye(3, device=theta.device).expand(len(theta), 3, 3)
    fresh = theta.clone()
    _, fresh_pose, fresh_betas, _ = fresh.split(list(PARTS.values()), dim=1)
    fresh_pose[:], fresh_betas[:] = pose, 0.0 if crops.betas is None else crops.betas
    with torch.no_grad():
        mean = from_row(fresh).params
        rest = body.joints_and_keypoints(SmplParams(eye, mean.body_pose, mean.betas))[1]
    orient = matrix_to_axis_angle(torso_orient(target, rest))
    ways = fresh[:, None].repeat(1, 2, 1)
    ways[whole, :, :3] = orient[whole]
    rows = torch.where(carried[:, None, None], theta[:, None], ways)
    twice = torch.stack([torch.ones_like(carried), whole & ~carried], dim=1)
    person = torch.arange(len(theta), device=theta.device)[:, None].expand(-1, 2)[twice]
    rows = rows[twice]
    with torch.no_grad():
        points = body.joints_and_keypoints(from_row(rows).params)[1]
    torso = torch.zeros_like(score)
    torso[:, list(TORSO)] = 1.0
    found = fitting_camera(points, target[person], torso[person])
    rows[:, -3:] = torch.where(whole[person, None], to_spin(found), rows[:, -3:])
    return person, rows


@lru_cache(maxsize=4)
def _prior(device: str) -> PosePrior:
    return load_pose_prior().to(device)


def _least(loss: Tensor, person: Tensor, num: int) -> Tensor:
    """(num,) row of each person's least loss."""
    least = loss.new_full((num,), torch.inf).scatter_reduce(0, person, loss, "amin")
    rows = torch.arange(len(loss), device=loss.device)
    first = torch.where(loss <= least[person], rows, len(loss) - 1)
    return first.new_full((num,), len(loss) - 1).scatter_reduce(0, person, first, "amin")


def _acceptable(
    fitted: Prediction,
    own: FitResult,
    loss_px: Tensor,
    weight: Tensor,
    crops: Crops,
    cfg: SmplifyConfig,
) -> Tensor:
    """(N,) bool: EFT's rule but for the change of pose; it may end far from the regressor."""
    depth = 2.0 * crops.focal_length_px / (fitted.pred_cam[:, 0] * crops.size_px)
    return (
        losses.enough_joints(weight, cfg)
        & (loss_px <= cfg.max_loss_px)
        & (loss_px <= own.loss_px + 1.0)
        & (fitted.params.betas.abs().amax(-1) <= cfg.max_abs_beta)
        & (depth >= MIN_DEPTH_M)
        & (fitted.pred_cam[:, 0] > 0)
    )

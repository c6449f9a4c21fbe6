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

from eftvideo.fit import losses
from eftvideo.fit.accept import acceptable
from eftvideo.fit.batch import Batch, Listener
from eftvideo.fit.optimizer import Adam, PersonState
from eftvideo.fit.projection import error_px
from eftvideo.fit.smplify.first_guess import TORSO, fitting_camera, torso_orient
from eftvideo.fit.smplify.pose_prior import PosePrior, load_pose_prior
from eftvideo.fit.smplify.stages import PARTS, Stages, from_row, to_row, to_spin
from eftvideo.geometry.rotations import matrix_to_axis_angle
from eftvideo.setup import Setup
from eftvideo.types import FITTED, REJECTED, Crops, FitResult, SmplParams

Starts = Sequence[PersonState | None]
"""What each person starts from: where the frame before ended, or None."""


def fit_smplify(batch: Batch, setup: Setup, done: Listener | None = None) -> FitResult:
    """Fit the rows of a batch; in a stream each frame starts from the person's frame before.

    All streams take their next frame at once; the regressor is not asked again.

    Args:
        done: told the rows that were just finished, and their 2D errors.
    """
    out, streams = batch.initial.copy(), [list(rows) for rows in batch.streams.rows]
    states: list[PersonState | None] = [None] * len(streams)
    for step in range(max(map(len, streams), default=0)):
        going = [n for n, rows in enumerate(streams) if step < len(rows)]
        rows = [streams[n][step] for n in going]
        starts = [
            None if batch.streams.cold[row] else states[n]
            for n, row in zip(going, rows, strict=True)
        ]
        index = torch.tensor(rows, device=batch.crops.size_px.device)
        initial = batch.initial.select(index)
        fitted, ends = fit_rows(batch.crops.select(index), initial, starts, setup)
        out.put(index, fitted)
        for n, state in zip(going, ends, strict=True):
            states[n] = state
        if done is not None:
            done(index, fitted.loss_px)
    return out


def fit_rows(
    crops: Crops, initial: FitResult, starts: Starts, setup: Setup
) -> tuple[FitResult, list[PersonState | None]]:
    """Fit N people at once; they do not mix.

    Args:
        crops: N people.
        initial: the regressor's answer for these crops, which stays where a fit is rejected.
        starts: what this function returned for each person in the frame before, or None.

    Returns:
        The fits, and what each person starts from in the next frame (None if rejected).
    """
    if not len(crops):
        return initial, []
    body, cfg = setup.body, setup.cfg.fit.smplify
    person, theta, adam = _candidates(crops, initial, starts, setup)
    prior = _prior(str(theta.device)) if cfg.prior else None
    stages = Stages(crops.select(person), setup, prior)
    done, loss, steps = stages.run(theta, adam)
    chosen = _least(loss, person, len(crops))
    done, steps = done[chosen], steps[chosen]
    fitted = from_row(done)
    with torch.no_grad():
        weight = losses.joint_weights(crops.evidence[..., 2], setup)
        loss_px = error_px(body, fitted, crops, weight)
        enough = losses.enough_joints(weight, setup)
        accepted = acceptable(fitted, initial, loss_px, enough, crops, setup)
    result = FitResult(
        fitted.where(accepted, initial.prediction),
        initial.loss_px,
        torch.where(accepted, loss_px, initial.loss_px),
        steps,
        torch.where(accepted, FITTED, REJECTED),
    )
    states = [
        PersonState(done[i], adam.first[k], adam.second[k], adam.count[k]) if ok else None
        for i, (k, ok) in enumerate(zip(chosen.tolist(), accepted.tolist(), strict=True))
    ]
    return result, states


def _candidates(
    crops: Crops, initial: FitResult, starts: Starts, setup: Setup
) -> tuple[Tensor, Tensor, Adam]:
    """(M,) whose start each row is, (M, 85) parameters, and the optimiser's memory of them."""
    num, device = len(crops), crops.size_px.device
    person, theta = torch.arange(num, device=device), to_row(initial.prediction)
    carried = [s is not None for s in starts]
    for i, state in enumerate(starts):
        if state is not None:
            theta[i, : -PARTS["camera"]] = state.theta[: -PARTS["camera"]]
    if setup.cfg.fit.smplify.init == "mean":
        known = torch.tensor(carried, device=device)
        person, theta = _mean_starts(crops, known, theta, setup)
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
    crops: Crops, carried: Tensor, theta: Tensor, setup: Setup
) -> tuple[Tensor, Tensor]:
    """SMPLify's own beginning: the mean pose, facing two ways; the camera from the torso.

    Who is carried over keeps pose, shape and orientation. Who shows no whole torso keeps the
    regressor's orientation and camera.
    """
    body = setup.body
    target, score = crops.keypoints[..., :2], crops.keypoints[..., 2]
    whole = (score[:, list(TORSO)] >= setup.cfg.keypoints.min_score).all(-1)
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

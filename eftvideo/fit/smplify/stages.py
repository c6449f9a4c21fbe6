"""The two stages of SMPLify for many people at once: their objectives, and the descent.

A person is a row of 85 numbers: orientation (3), pose (69) and betas (10), rotations as
axis-angle, and the camera (3) as SPIN has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eftvideo.fit import losses
from eftvideo.fit.optimizer import Adam
from eftvideo.fit.projection import projected_keypoints
from eftvideo.fit.smplify.first_guess import MIN_SCALE, TORSO
from eftvideo.fit.smplify.pose_prior import NUM_ANGLES, PosePrior, wrong_bend
from eftvideo.geometry.crops import CROP_SIDE_PX
from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.setup import Setup
from eftvideo.types import Crops, Prediction, SmplParams

FOCAL_PX = 5000.0
"""SPIN's focal length for a 224 px crop. Only the camera's distance is told in it: what is
projected goes through the full frame's own camera."""

PARTS = {"orient": 3, "pose": NUM_ANGLES, "betas": 10, "camera": 3}
"""Parts of a row, in this order."""


def to_spin(pred_cam: Tensor) -> Tensor:
    """(N, 3) s, tx, ty to SPIN's translation: tx, ty, and the distance of a 5000 px camera, m."""
    distance = 2.0 * FOCAL_PX / (CROP_SIDE_PX * pred_cam[:, :1].clamp(min=MIN_SCALE))
    return torch.cat([pred_cam[:, 1:], distance], dim=1)


def to_row(prediction: Prediction) -> Tensor:
    """(N, 85): orientation, pose (axis-angle), betas, SPIN's camera."""
    params = prediction.params
    return torch.cat(
        [
            matrix_to_axis_angle(params.global_orient),
            matrix_to_axis_angle(params.body_pose).flatten(1),
            params.betas,
            to_spin(prediction.pred_cam),
        ],
        dim=1,
    )


def from_row(theta: Tensor) -> Prediction:
    """The inverse of `to_row`."""
    orient, pose, betas, cam = theta.split(list(PARTS.values()), dim=1)
    scale = 2.0 * FOCAL_PX / (CROP_SIDE_PX * cam[:, 2:])
    turns = axis_angle_to_matrix(pose.unflatten(1, (-1, 3)))
    params = SmplParams(axis_angle_to_matrix(orient), turns, betas)
    return Prediction(params, torch.cat([scale, cam[:, :2]], dim=1))


class Stages:
    """Both stages for M rows; rows do not mix."""

    def __init__(self, crops: Crops, setup: Setup, prior: PosePrior | None) -> None:
        self.body, self.crops, self.cfg = setup.body, crops, setup.cfg.fit.smplify
        self.min_score = setup.cfg.keypoints.min_score
        score = crops.evidence[..., 2]
        self.seen = losses.joint_weights(score, setup)
        self.enough = losses.enough_joints(self.seen, setup)
        hips = torch.ones_like(score)
        hips[:, [i for i in losses.HIPS if i < score.shape[1]]] = self.cfg.body_hip_weight
        # SPIN weighs by confidence squared.
        self.weight = _as_one_witness(self.seen * score) * hips
        self.torso = self._torso(score)
        self.prior = prior

    def _torso(self, score: Tensor) -> Tensor:
        """(M, P) 1 for the usable hips and shoulders; for all that is usable if one is missing."""
        usable = (score >= self.min_score).to(score.dtype)
        torso = torch.zeros_like(usable)
        torso[:, list(TORSO)] = usable[:, list(TORSO)]
        whole = torso.sum(-1, keepdim=True) == len(TORSO)
        return torch.where(whole, torso, usable)

    def run(self, theta: Tensor, adam: Adam) -> tuple[Tensor, Tensor, Tensor]:
        """Both stages: (M, 85) parameters, (M,) value of the second objective, (M,) steps."""
        zeros = torch.zeros_like(theta)
        fresh = Adam(zeros, zeros.clone(), torch.zeros_like(adam.count))
        depth = theta[:, -1].clone()

        def first(rows: Tensor, leaf: Tensor) -> Tensor:
            return self.camera_loss(leaf, rows, depth[rows])

        def second(rows: Tensor, leaf: Tensor) -> Tensor:
            return self.body_loss(leaf, rows)

        c = self.cfg
        theta, _, a = self._descend(first, theta, fresh, ("orient", "camera"), c.camera_steps)
        free = ("orient", "pose", "betas") if self.crops.betas is None else ("orient", "pose")
        theta, loss, b = self._descend(second, theta, adam, free, c.body_steps)
        return theta, loss, a + b

    def camera_loss(self, theta: Tensor, rows: Tensor, depth: Tensor) -> Tensor:
        """(M,) stage 1: squared px of hips and shoulders; the camera's distance held."""
        apart = self._apart_px(theta, rows).square().sum(-1)
        held = (theta[:, -1] - depth).square()
        return (self.torso[rows] * apart).sum(-1) + self.cfg.depth_weight**2 * held

    def body_loss(self, theta: Tensor, rows: Tensor) -> Tensor:
        """(M,) stage 2: robust px of all joints, and the priors on pose, bends and shape."""
        c, (_, pose, betas, _) = self.cfg, theta.split(list(PARTS.values()), dim=1)
        apart = losses.geman_mcclure(self._apart_px(theta, rows).square(), c.robust_px)
        total = (self.weight[rows] * apart.sum(-1)).sum(-1)
        total = total + c.angle_weight**2 * wrong_bend(pose)
        total = total + c.shape_weight**2 * betas.square().sum(-1)
        if self.prior is not None:
            total = total + c.pose_weight**2 * self.prior.penalty(pose)
        return total

    def _apart_px(self, theta: Tensor, rows: Tensor) -> Tensor:
        """(M, P, 2) from the evidence to the body's points, px of a 224 px crop."""
        crops = self.crops.select(rows)
        pred = projected_keypoints(self.body, from_row(theta), crops)
        return losses.CROP_HALF_PX * (pred - crops.evidence[..., :2])

    def _descend(
        self,
        objective: Callable[[Tensor, Tensor], Tensor],
        theta: Tensor,
        adam: Adam,
        free: tuple[str, ...],
        num_steps: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Adam on the free parts until each row's objective stalls or the steps are used up.

        Returns:
            (M, 85) the best parameters met, (M,) their objective, (M,) steps taken.
        """
        mask = torch.cat([theta.new_full((n,), float(p in free)) for p, n in PARTS.items()])
        theta, best = theta.clone(), _Best.of(theta)
        count = torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
        rows = torch.arange(len(theta), device=theta.device)
        for step in range(num_steps + 1):
            leaf = theta[rows].requires_grad_()
            with torch.enable_grad():
                loss = objective(rows, leaf)
            best.offer(rows, loss.detach(), leaf.detach(), self.cfg.stall_share)
            go_on = self.enough[rows] & (best.stalled[rows] < self.cfg.stall_steps)
            if step == num_steps or not bool(go_on.any()):
                break
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
            rows, gradient = rows[go_on], gradient[go_on] * mask
            adam.step(theta, gradient, rows, self.cfg.learning_rate)
            count[rows] += 1
        return best.theta, best.loss, count


def _as_one_witness(weight: Tensor) -> Tensor:
    """(M, P) that sum to what the better of both witnesses gives: the priors are weighed for 17."""
    if weight.shape[1] == 17:
        return weight
    first, second = weight[:, :17].sum(-1), weight[:, 17:].sum(-1) * 17.0 / 33.0
    whole = weight.sum(-1).clamp(min=1e-6)
    return weight * (torch.maximum(first, second) / whole)[:, None]


@dataclass
class _Best:
    """The best parameters of each row so far, and for how many steps they have hardly improved."""

    loss: Tensor
    theta: Tensor
    mark: Tensor
    stalled: Tensor

    @classmethod
    def of(cls, theta: Tensor) -> _Best:
        far = theta.new_full((len(theta),), torch.inf)
        return cls(far, theta.clone(), far.clone(), torch.zeros_like(far, dtype=torch.int64))

    def offer(self, rows: Tensor, loss: Tensor, theta: Tensor, share: float) -> None:
        """Keep what is better; steps count as stalled until the mark is beaten by `share`."""
        much = loss < self.mark[rows] * (1.0 - share)
        self.stalled[rows] = torch.where(much, 0, self.stalled[rows] + 1)
        self.mark[rows] = torch.where(much, loss, self.mark[rows])
        won = loss < self.loss[rows]
        self.loss[rows[won]], self.theta[rows[won]] = loss[won], theta[won]

"""The loop of exemplar fine-tuning: many people at once, each at a frame and a step of their own.

A sequence is one person's frames in order of time; each frame starts from the weights that fitted
the one before. Sequences do not wait for each other: whoever is done with a frame goes on to the
next one while the others still step, so that a batch is always full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.fit import losses
from eftvideo.fit.eft.slots import PersonFrames, Slots
from eftvideo.fit.eft.tuned_weights import PersonState, Weights
from eftvideo.fit.projection import acceptable, projected
from eftvideo.fit.shape import hold_shape
from eftvideo.regressors import Regressor
from eftvideo.types import FITTED, REJECTED, Crops, FitResult, Prediction, SmplParams

Listener = Callable[[Tensor, Tensor], None]
"""Told the rows (n,) that were just finished, and their 2D errors (n,) in px."""


class Engine:
    """Fits the rows of some sequences; made for one call."""

    def __init__(
        self,
        regressor: Regressor,
        body: BodyModel,
        crops: Crops,
        own: FitResult,
        cold: Tensor,
        cfg: EftConfig,
        encoded: Tensor | None = None,
    ) -> None:
        """Look at all rows once.

        Args:
            regressor, body: neither is changed.
            crops: R rows. own: the regressor's own answers. cfg: see there.
            cold: (R,) bool: rows that start from the base weights whatever came before.
            encoded: what the regressor's `encode` gives for these crops and `cfg.tune`, if known.
        """
        self.regressor, self.body, self.cfg = regressor, body, cfg
        self.weights = Weights(regressor, cfg.tune, cfg.learning_rate)
        self.own, self.cold = own, cold
        with torch.no_grad():
            known = encoded is not None
            self.encoded = encoded if known else regressor.encode(crops, self.weights.which)
            own_px, self.own_limbs = projected(body, own.prediction, crops)
        self.crops = replace(crops, context=None, image=None)
        self.weight = losses.joint_weights(crops.keypoints[..., 2], cfg)
        self.robust_px = losses.robust_scale_px(own_px, crops, self.weight, cfg)[:, None]
        self.enough = losses.enough_joints(self.weight, cfg)
        params = own.prediction.params
        self.out = FitResult(
            Prediction(
                SmplParams(
                    params.global_orient.clone(), params.body_pose.clone(), params.betas.clone()
                ),
                own.prediction.pred_cam.clone(),
            ),
            own.loss_px_start,
            own.loss_px.clone(),
            own.num_steps.clone(),
            own.status.clone(),
        )

    def run(
        self,
        sequences: Sequence[PersonFrames],
        num_slots: int,
        done: Listener | None = None,
        keep_ends: bool = True,
    ) -> tuple[FitResult, list[PersonState | None]]:
        """Fit all rows.

        Args:
            sequences: each row is in one of them.
            num_slots: people fitted at once.
            done: listener.
            keep_ends: whether last states are wanted; each is as large as three sets of weights.

        Returns:
            Results of the R rows, and each sequence's last state; None where its last fit was
            rejected.
        """
        slots = Slots(
            self.weights.base,
            self.cfg,
            self.cold,
            [s for s in sequences if len(s.rows)],
            num_slots,
            keep_ends=keep_ends,
            is_even=self.regressor.needs != "image",
        )
        while len(slots.active):
            stopped = self._step(slots)
            if len(stopped):
                accepted = self._finish(slots, stopped)
                if done is not None:
                    rows = slots.row[stopped]
                    done(rows, self.out.loss_px[rows])
                slots.next(stopped, accepted)
        states = iter(slots.ends[i] for i in range(len(slots.ends)))
        return self.out, [next(states) if len(s.rows) else s.start for s in sequences]

    def _step(self, slots: Slots) -> Tensor:
        """Look at every active slot, move those that go on; returns those that are done."""
        cfg, active = self.cfg, slots.active
        rows, num = slots.row[active], len(active)
        everybody = slots.is_even or num == len(slots.theta)
        leaves = self.weights.parts(slots.theta if everybody else slots.theta[active])
        raw, pred, loss = self._look(leaves, slots.row if everybody else rows)
        at = active if everybody else slice(None)
        part, weight, seen = self.crops.select(rows), self.weight[rows], pred.detach()[at]
        error = losses.inlier_error_px(seen, part.keypoints[..., :2], weight, self.robust_px[rows])
        gain = 2.0 * error * cfg.stall_px * cfg.reproject_weight / losses.CROP_HALF_PX**2
        plain = losses.crop_error_px(seen, part.keypoints[..., :2], weight)
        slots.offer(loss.detach()[at], raw.detach()[at], plain, gain)
        go_on = (
            (error > cfg.threshold_px)
            & (slots.stalled[active] < slots.patience[active])
            & (slots.num_steps[active] < cfg.num_steps)
            & self.enough[rows]
        )
        if bool(go_on.any()):
            gradients = torch.autograd.grad(loss.sum(), leaves)
            moving = active[go_on]
            rates = (self.weights.rate, cfg.pull, self.weights.base)
            if everybody:
                mask = torch.zeros_like(slots.row, dtype=torch.bool)
                mask[moving] = True
                slots.adam.step_all(slots.theta, gradients, mask, *rates)
            else:
                every = len(moving) == num
                parts = [g if every else g[go_on] for g in gradients]
                slots.adam.step(slots.theta, parts, moving, *rates)
            slots.num_steps[moving] += 1
        return active[~go_on]

    def _look(self, theta: Sequence[Tensor], rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw answers, keypoints in the crop, and the objective, of rows with these weights."""
        cfg, part = self.cfg, self.crops.select(rows)
        with torch.enable_grad():
            raw = self.weights.forward(theta, self.encoded[rows])
            answer = hold_shape(self.regressor.decode(raw, part), part, self.body)
            pred, limbs = projected(self.body, answer, part)
            betas, cam = answer.params.betas, answer.pred_cam
            weight, scale = self.weight[rows], self.robust_px[rows]
            loss = losses.eft_loss(pred, part, weight, betas, cam, cfg, scale)
            moved = (limbs - self.own_limbs[rows]).square().sum(-1).mean(-1)
            loss = loss + cfg.stay_weight * moved
        return raw, pred, loss

    @torch.no_grad()
    def _finish(self, slots: Slots, stopped: Tensor) -> Tensor:
        """Write the best step of the stopped slots, if it is acceptable; (n,) bool."""
        rows, out = slots.row[stopped], self.out
        part, own = self.crops.select(rows), self.own.select(rows)
        tuned = hold_shape(self.regressor.decode(slots.best_raw[stopped], part), part, self.body)
        loss_px = slots.best_px[stopped]
        accepted = acceptable(tuned, own, loss_px, self.enough[rows], part, self.cfg)
        kept = tuned.where(accepted, own.prediction)
        params = out.prediction.params
        params.global_orient[rows] = kept.params.global_orient
        params.body_pose[rows] = kept.params.body_pose
        params.betas[rows] = kept.params.betas
        out.prediction.pred_cam[rows] = kept.pred_cam
        out.loss_px[rows] = torch.where(accepted, loss_px, own.loss_px)
        out.num_steps[rows] = slots.num_steps[stopped]
        out.status[rows] = torch.where(accepted, FITTED, REJECTED)
        return accepted

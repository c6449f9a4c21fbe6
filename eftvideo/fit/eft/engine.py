"""The loop of exemplar fine-tuning: many people at once, each at a frame and a step of their own.

A sequence is one person's frames in order of time; each frame starts from the weights that fitted
the one before. Sequences do not wait for each other: whoever is done with a frame goes on to the
next one while the others still step, so that a batch is always full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from eftvideo.fit import losses
from eftvideo.fit.accept import acceptable
from eftvideo.fit.batch import Batch, Listener
from eftvideo.fit.eft.slots import PersonFrames, Slots
from eftvideo.fit.eft.tuned_weights import Weights
from eftvideo.fit.optimizer import PersonState
from eftvideo.fit.projection import projected
from eftvideo.fit.shape import hold_shape
from eftvideo.setup import Setup
from eftvideo.types import FITTED, REJECTED, FitResult


class Engine:
    """Fits the rows of a batch; made for one call."""

    def __init__(self, batch: Batch, setup: Setup) -> None:
        """Look at all rows once; the regressor and the body are not changed."""
        self.setup, self.eft = setup, setup.cfg.fit.eft
        self.weights = Weights(setup.regressor, self.eft.tune)
        self.initial, self.cold = batch.initial, batch.streams.cold
        self.encoded = batch.encoded
        crops = batch.crops
        with torch.no_grad():
            initial_px, self.initial_limbs = projected(setup.body, self.initial.prediction, crops)
        own = None if crops.landmarks is None else crops.landmarks[:, :1]
        self.crops = replace(crops, context=None, image=None, landmarks=own)
        self.weight = losses.joint_weights(crops.evidence[..., 2], setup)
        self.robust_px = losses.robust_scale_px(initial_px, crops, self.weight, self.eft.robust_px)[
            :, None
        ]
        self.enough = losses.enough_joints(self.weight, setup)
        self.out = self.initial.copy()

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
            self.eft,
            self.cold,
            [s for s in sequences if len(s.rows)],
            num_slots,
            keep_ends=keep_ends,
            is_even=self.setup.regressor.needs != "image",
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
        eft, active = self.eft, slots.active
        rows, num = slots.row[active], len(active)
        everybody = slots.is_even or num == len(slots.theta)
        leaves = self.weights.parts(slots.theta if everybody else slots.theta[active])
        raw, pred, loss = self._look(leaves, slots.row if everybody else rows)
        at = active if everybody else slice(None)
        part, weight, seen = self.crops.select(rows), self.weight[rows], pred.detach()[at]
        target = part.evidence[..., :2]
        error = losses.inlier_error_px(seen, target, weight, self.robust_px[rows])
        gain = 2.0 * error * eft.stall_px * eft.reproject_weight / losses.CROP_HALF_PX**2
        plain = losses.crop_error_px(seen, target, weight)
        slots.offer(loss.detach()[at], raw.detach()[at], plain, gain)
        go_on = (
            (error > eft.threshold_px)
            & (slots.stalled[active] < slots.patience[active])
            & (slots.num_steps[active] < eft.num_steps)
            & self.enough[rows]
        )
        if bool(go_on.any()):
            gradients = torch.autograd.grad(loss.sum(), leaves)
            moving = active[go_on]
            assert eft.learning_rate is not None
            rates = (eft.learning_rate, eft.pull, self.weights.base)
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
        part = self.crops.select(rows)
        with torch.enable_grad():
            raw = self.weights.forward(theta, self.encoded[rows])
            answer = hold_shape(self.setup.regressor.decode(raw, part), part, self.setup.body)
            pred, limbs = projected(self.setup.body, answer, part)
            scale = self.robust_px[rows]
            loss = losses.eft_loss(pred, answer, part, self.weight[rows], scale, self.setup)
            moved = (limbs - self.initial_limbs[rows]).square().sum(-1).mean(-1)
            loss = loss + self.eft.stay_weight * moved
        return raw, pred, loss

    @torch.no_grad()
    def _finish(self, slots: Slots, stopped: Tensor) -> Tensor:
        """Write the best step of the stopped slots, if it is acceptable; (n,) bool."""
        rows = slots.row[stopped]
        part, initial = self.crops.select(rows), self.initial.select(rows)
        raw = self.setup.regressor.decode(slots.best_raw[stopped], part)
        tuned, loss_px = hold_shape(raw, part, self.setup.body), slots.best_px[stopped]
        accepted = acceptable(tuned, initial, loss_px, self.enough[rows], part, self.setup)
        new = FitResult(
            tuned.where(accepted, initial.prediction),
            initial.loss_px_start,
            torch.where(accepted, loss_px, initial.loss_px),
            slots.num_steps[stopped],
            torch.where(accepted, FITTED, REJECTED),
        )
        self.out.put(rows, new)
        return accepted

"""The loop of exemplar fine-tuning: many people at once, each at a frame and a step of their own.

A sequence is one person's frames in order of time; each frame starts from the weights that fitted
the one before. Sequences do not wait for each other: whoever is done with a frame goes on to the
next one while the others still step, so that a batch is always full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eftvideo import losses
from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.eft_rules import acceptable, projected
from eftvideo.regressors import Regressor
from eftvideo.shapes import hold_shape
from eftvideo.tuning import Adam, PersonState, Weights
from eftvideo.types import FITTED, REJECTED, Crops, FitResult, Prediction, SmplParams

Listener = Callable[[Tensor, Tensor], None]
"""Told the rows (n,) that were just finished, and their 2D errors (n,) in px."""
EVEN_ROWS = 8
"""Numbers that a CPU's vector unit takes at once."""


@dataclass(frozen=True)
class PersonFrames:
    """Rows of one person in order, and what they start from."""

    rows: Sequence[int]
    start: PersonState | None = None


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
        slots = _Slots(self, [s for s in sequences if len(s.rows)], num_slots, keep_ends)
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

    def _step(self, slots: _Slots) -> Tensor:
        """Look at every active slot, move those that go on; returns those that are done."""
        cfg, active = self.cfg, slots.active
        all_rows = self._filled_up(active)
        is_whole = len(all_rows) == len(active) == len(slots.theta)
        leaves = self.weights.parts(slots.theta if is_whole else slots.theta[all_rows])
        raw, pred, loss = self._look(leaves, slots.row[all_rows])
        rows, num = slots.row[active], len(active)
        part, weight, seen = self.crops.select(rows), self.weight[rows], pred.detach()[:num]
        error = losses.inlier_error_px(seen, part.keypoints[..., :2], weight, self.robust_px[rows])
        gain = 2.0 * error * cfg.stall_px * cfg.reproject_weight / losses.CROP_HALF_PX**2
        plain = losses.crop_error_px(seen, part.keypoints[..., :2], weight)
        slots.offer(loss.detach()[:num], raw.detach()[:num], plain, gain)
        go_on = (
            (error > cfg.threshold_px)
            & (slots.stalled[active] < slots.patience[active])
            & (slots.num_steps[active] < cfg.num_steps)
            & self.enough[rows]
        )
        if bool(go_on.any()):
            gradients = torch.autograd.grad(loss.sum(), leaves)
            rates = (self.weights.rate, cfg.pull, self.weights.base)
            if is_whole:
                slots.adam.step_all(slots.theta, gradients, go_on, *rates)
            else:
                every = bool(go_on.all())
                parts = [g[:num] if every else g[:num][go_on] for g in gradients]
                slots.adam.step(slots.theta, parts, active[go_on], *rates)
            slots.num_steps[active[go_on]] += 1
        return active[~go_on]

    def _filled_up(self, active: Tensor) -> Tensor:
        """The active slots, the first repeated until a multiple of `EVEN_ROWS` is full.

        Matrix products of other sizes round in other ways, and Adam makes much of little: without
        this a person's fit would depend, in the fourth digit, on who else is fitted. Networks that
        look at pixels are too large to be asked for nothing.
        """
        if self.regressor.needs == "image":
            return active
        missing = -len(active) % EVEN_ROWS
        return torch.cat([active, active[:1].expand(missing)]) if missing else active

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
    def _finish(self, slots: _Slots, stopped: Tensor) -> Tensor:
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


class _Slots:
    """The people who are being fitted: weights, optimiser, and the best step of their frame."""

    def __init__(
        self, engine: Engine, sequences: Sequence[PersonFrames], num_slots: int, keep_ends: bool
    ) -> None:
        self.engine, self._keep_ends = engine, keep_ends
        base = engine.weights.base
        num = min(num_slots, len(sequences))
        device = base.device
        self.theta = base.repeat(num, 1)
        count = torch.zeros(num, dtype=torch.int64, device=device)
        zeros, momentum = torch.zeros_like(self.theta), engine.cfg.momentum
        self.adam = Adam(zeros, zeros.clone(), count, momentum)
        self.best_theta = self.theta.clone()
        self.best_raw: Tensor = base.new_zeros(num, 0)
        self.best_loss, self.best_px = base.new_zeros(num), base.new_zeros(num)
        self.stalled, self.num_steps, self.row = count.clone(), count.clone(), count.clone()
        self.patience = count.clone()
        self.ends: dict[int, PersonState | None] = {}
        self._waiting = deque(enumerate(sequences))
        self._of: list[tuple[int, deque[int]]] = [(-1, deque())] * num
        alive = [slot for slot in range(num) if self._take(slot)]
        self.active = torch.tensor(alive, dtype=torch.int64, device=device)

    def offer(self, loss: Tensor, raw: Tensor, px: Tensor, gain: Tensor) -> None:
        """One more step of each active slot: kept if it is the best of its frame."""
        active = self.active
        if not self.best_raw.shape[1]:
            self.best_raw = raw.new_zeros(len(self.theta), raw.shape[1])
        better = loss < self.best_loss[active]
        much = loss < self.best_loss[active] - gain
        self.stalled[active] = torch.where(much, 0, self.stalled[active] + 1)
        won = active[better]
        self.best_loss[won], self.best_px[won] = loss[better], px[better]
        self.best_raw[won], self.best_theta[won] = raw[better], self.theta[won]

    def next(self, stopped: Tensor, accepted: Tensor) -> None:
        """The stopped slots go on to their next frame, or to the next sequence, or end."""
        ended = []
        for slot, ok in zip(stopped.tolist(), accepted.tolist(), strict=True):
            index, rows = self._of[slot]
            if rows:
                self._begin(slot, rows.popleft(), self._state(slot) if ok else None)
            else:
                self.ends[index] = self._state(slot) if ok and self._keep_ends else None
                if not self._take(slot):
                    ended.append(slot)
        if ended:
            self.active = torch.tensor(
                [s for s in self.active.tolist() if s not in ended],
                dtype=torch.int64,
                device=self.active.device,
            )

    def _take(self, slot: int) -> bool:
        """Give the slot the next waiting sequence, if there is one."""
        if not self._waiting:
            return False
        index, sequence = self._waiting.popleft()
        rows = deque(sequence.rows)
        self._of[slot] = (index, rows)
        self._begin(slot, rows.popleft(), sequence.start)
        return True

    def _state(self, slot: int) -> PersonState:
        adam = self.adam
        return PersonState(
            self.best_theta[slot].clone(),
            adam.first[slot].clone(),
            adam.second[slot].clone(),
            adam.count[slot].clone(),
        )

    def _begin(self, slot: int, row: int, state: PersonState | None) -> None:
        """First weights of a frame: the carried share of the change, or the base weights."""
        base, adam, cfg = self.engine.weights.base, self.adam, self.engine.cfg
        if state is None or bool(self.engine.cold[row]):
            self.patience[slot] = cfg.stall_steps
            self.theta[slot] = base
            adam.first[slot], adam.second[slot], adam.count[slot] = 0.0, 0.0, 0
        else:
            self.patience[slot] = cfg.warm_stall_steps
            self.theta[slot] = torch.lerp(base, state.theta, cfg.carry)
            adam.first[slot] = state.first_moment
            adam.second[slot] = state.second_moment
            adam.count[slot] = state.num_updates
        self.row[slot] = row
        self.best_loss[slot], self.stalled[slot], self.num_steps[slot] = torch.inf, 0, 0

"""Slots of EFT's loop: who is being fitted, with weights, optimiser and best step of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eftvideo.config import EftConfig
from eftvideo.fit.optimizer import Adam, PersonState

EVEN_ROWS = 8
"""Numbers that a CPU's vector unit takes at once."""


@dataclass(frozen=True)
class PersonFrames:
    """Rows of one person in order, and what they start from."""

    rows: Sequence[int]
    start: PersonState | None = None


def _even(num: int) -> int:
    """Matrix products of other sizes round in other ways, and Adam makes much of little: if slots
    were not filled up a person's fit would depend, in the fourth digit, on who else is fitted."""
    return num + -num % EVEN_ROWS


class Slots:
    """The people who are being fitted: weights, optimiser, and the best step of their frame.

    Slots that are empty are looked at all the same, to keep the number even and everything in
    place. Networks that look at pixels are too large for that: `is_even` is not set.
    """

    def __init__(
        self,
        base: Tensor,
        cfg: EftConfig,
        cold: np.ndarray,
        sequences: Sequence[PersonFrames],
        num_slots: int,
        *,
        keep_ends: bool,
        is_even: bool,
    ) -> None:
        """Give a slot to each of the first `num_slots` sequences; the others wait.

        Args:
            base: (P,) weights that nobody has tuned. cold: (R,) bool: rows that start from these.
            keep_ends: whether last states are wanted. is_even: see above.
        """
        self._base, self._cfg, self._cold = base, cfg, cold
        self.is_even, self._keep_ends = is_even, keep_ends
        num = min(num_slots, len(sequences))
        num = _even(num) if self.is_even else num
        device = base.device
        self.theta = base.repeat(num, 1)
        count = torch.zeros(num, dtype=torch.int64, device=device)
        zeros, momentum = torch.zeros_like(self.theta), cfg.momentum
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
        self.best_raw[won] = raw[better]
        kept = torch.ones_like(self.row, dtype=torch.bool)
        kept[won] = False
        torch.where(kept[:, None], self.best_theta, self.theta, out=self.best_theta)

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
            self._close_up()

    def _close_up(self) -> None:
        """Give up slots that are empty for good, as far as their number stays even."""
        num = len(self.active)
        if not self.is_even or not num or _even(num) == len(self.theta):
            return
        used = self.active.tolist()
        empty = [slot for slot in range(len(self.theta)) if slot not in used]
        kept = used + empty[: _even(num) - num]
        adam, index = self.adam, torch.tensor(kept, device=self.active.device)
        self._of = [self._of[slot] for slot in kept]
        self.theta, self.best_theta = self.theta[index], self.best_theta[index]
        moments = adam.first[index], adam.second[index], adam.count[index]
        self.adam = Adam(*moments, adam.momentum)
        self.best_raw, self.best_loss = self.best_raw[index], self.best_loss[index]
        self.best_px, self.stalled = self.best_px[index], self.stalled[index]
        self.num_steps, self.row = self.num_steps[index], self.row[index]
        self.patience, self.active = self.patience[index], torch.arange(num, device=index.device)

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
        base, adam, cfg = self._base, self.adam, self._cfg
        if state is None or bool(self._cold[row]):
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

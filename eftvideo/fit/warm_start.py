"""What fits carry from frame to frame, by track id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Carried:
    """A person's state after a fit (the method's own), and the frame's time."""

    state: Any
    time_s: float


@dataclass(frozen=True)
class WarmStart:
    """Everybody's state. Empty at the start and after a cut."""

    people: dict[int, Carried] = field(default_factory=dict)

    def of(self, track_ids: Sequence[int], time_s: float, max_gap_s: float) -> list[Any]:
        """The state of each person; None where there is none or it is too old."""
        known = self._known(time_s, max_gap_s)
        return [known[i].state if (i := int(track_id)) in known else None for track_id in track_ids]

    def after(
        self, track_ids: Sequence[int], states: Sequence[Any], time_s: float, max_gap_s: float
    ) -> WarmStart:
        """With this frame's states; people who are away are kept until they are too old."""
        ids = [int(i) for i in track_ids]
        kept = {i: c for i, c in self._known(time_s, max_gap_s).items() if i not in ids}
        new = {
            i: Carried(state, time_s)
            for i, state in zip(ids, states, strict=True)
            if state is not None
        }
        return WarmStart(kept | new)

    def _known(self, time_s: float, max_gap_s: float) -> dict[int, Carried]:
        limit = max_gap_s + 1e-6
        return {i: c for i, c in self.people.items() if abs(time_s - c.time_s) <= limit}

"""Tells the progress of each frame whose people are all done; frames end in no order."""

from __future__ import annotations

from torch import Tensor

from eftvideo.fit.batch import Group
from eftvideo.progress import Progress


class Told:
    """The frames of one group."""

    def __init__(self, group: Group, progress: Progress) -> None:
        first, end = group.chunks[0].start, group.chunks[-1].end
        self._progress, self._first = progress, first
        self._at = group.rows.at.tolist()
        self._is_kept = group.is_kept.tolist()
        self._people = [0] * (end - first)
        for at, kept in zip(self._at, self._is_kept, strict=True):
            if kept:
                self._people[at - first] += 1
        self._left = list(self._people)
        for _ in range(self._people.count(0)):
            progress.advance(1, people=0)

    def done(self, rows: Tensor, loss_px: Tensor) -> None:
        """`Listener` of the methods."""
        for row in rows.tolist():
            if not self._is_kept[row]:
                continue
            at = self._at[row] - self._first
            self._left[at] -= 1
            if not self._left[at]:
                px = float(loss_px.mean())
                self._progress.advance(1, people=self._people[at], px=px)

"""What is fitted at once: rows of some chunks, each person of each chunk a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from eftvideo.fit.chunks import Chunk
from eftvideo.fit.context import initial_answers
from eftvideo.fit.crops import CropMaker, Rows
from eftvideo.setup import Setup
from eftvideo.types import Crops, FitResult

Listener = Callable[[Tensor, Tensor], None]
"""Told the rows (n,) that were just finished, and their 2D errors (n,) in px."""


@dataclass(frozen=True)
class Streams:
    """Rows of one person of one chunk, in order of time; each row is in one stream."""

    rows: tuple[tuple[int, ...], ...]
    cold: np.ndarray
    """(R,) bool: rows that start from the base weights whatever came before."""

    @classmethod
    def alone(cls, num: int) -> Streams:
        """Every row is a stream of its own."""
        return cls(tuple((i,) for i in range(num)), np.zeros(num, bool))


@dataclass(frozen=True)
class Batch:
    """R rows, and the regressor's answers to them."""

    crops: Crops
    """Without pixels, and without context that is not to be believed."""
    encoded: Tensor
    """(R, ...) what the regressor's `encode` gives for them and for what is tuned."""
    initial: FitResult
    """The regressor's own answers."""
    streams: Streams

    def __len__(self) -> int:
        return len(self.crops)

    @classmethod
    def of(cls, crops: Crops, setup: Setup, streams: Streams | None = None) -> Batch:
        """Ask the regressor; without streams everybody is alone."""
        crops, encoded, initial = initial_answers(crops, setup)
        streams = streams or Streams.alone(len(crops))
        return cls(replace(crops, image=None), encoded, initial, streams)


Method = Callable[[Batch, Setup, Listener | None], FitResult]
"""A way to fit: the R fits of a batch."""


@dataclass
class Group:
    """The rows of some chunks, in order of chunk, frame and person."""

    chunks: list[Chunk] = field(default_factory=list)
    parts: list[Rows] = field(default_factory=list)

    @property
    def rows(self) -> Rows:
        """All of them."""
        return Rows.cat(self.parts)

    @property
    def is_kept(self) -> np.ndarray:
        """(R,) bool: no warm-up."""
        kept = [r.at >= c.start for c, r in zip(self.chunks, self.parts, strict=True)]
        return np.concatenate(kept)

    def streams(self, max_gap_s: float) -> Streams:
        """Each person of each chunk; cold after a gap."""
        streams: list[list[int]] = []
        cold: list[bool] = []
        for part in self.parts:
            mine: dict[int, list[int]] = {}
            last_s: dict[int, float] = {}
            for who, time_s in zip(part.who.tolist(), part.time_s.tolist(), strict=True):
                gap_s = time_s - last_s.get(who, -np.inf)
                mine.setdefault(who, []).append(len(cold))
                cold.append(gap_s > max_gap_s + 1e-6)
                last_s[who] = time_s
            streams += mine.values()
        return Streams(tuple(tuple(rows) for rows in streams), np.array(cold, bool))


def groups(chunks: Sequence[Chunk], crops: CropMaker, setup: Setup) -> Iterator[Group]:
    """Chunks together: so many frames, and if pixels are held so many people in them, at most."""
    cfg = setup.cfg.fit.chunks
    most = cfg.images_at_once if setup.regressor.needs == "image" else None
    group, num = Group(), 0
    for chunk in chunks:
        rows = crops.rows_between(chunk.first, chunk.end)
        is_full = most is not None and num + len(rows) > most
        if group.chunks and (is_full or chunk.end - group.chunks[0].start > cfg.frames_at_once):
            yield group
            group, num = Group(), 0
        group.chunks.append(chunk)
        group.parts.append(rows)
        num += len(rows)
    if group.chunks:
        yield group

"""Chunks of a clip that are fitted side by side, so that one person still fills the machine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.config import FitConfig


@dataclass(frozen=True)
class Chunk:
    """Frames [start, end) of a clip, by their place in the timeline."""

    first: int
    """Fits begin here; those before `start` only warm up and are thrown away."""
    start: int
    end: int


def cut_chunks(is_cut: Sequence[bool] | np.ndarray, cfg: FitConfig) -> list[Chunk]:
    """Cut a clip into chunks of nearly equal length that never reach across a cut of the scene.

    Args:
        is_cut: for each frame, whether a new shot begins with it.
        cfg: without warm start, and for what has none, every frame is a chunk of its own.

    Returns:
        Chunks in order; together they keep every frame once.
    """
    alone = not cfg.warm_start or cfg.method == "regress"
    longest = 1 if alone else cfg.chunks.num_frames
    warm_up = 0 if alone else cfg.chunks.warm_up_frames
    num = len(is_cut)
    shots = [i for i in range(num) if i == 0 or is_cut[i]] + [num]
    chunks = []
    for begin, end in itertools.pairwise(shots):
        parts = math.ceil((end - begin) / longest)
        edges = [begin + (end - begin) * k // parts for k in range(parts + 1)]
        chunks += [Chunk(max(begin, a - warm_up), a, b) for a, b in itertools.pairwise(edges)]
    return chunks

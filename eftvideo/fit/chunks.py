"""Pieces of a clip that are fitted side by side, so that one person still fills the machine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Frames [start, end) of a clip, by their place in the list of frames read."""

    first: int
    """Fits begin here; those before `start` only warm up and are thrown away."""
    start: int
    end: int


def cut_pieces(is_cut: Sequence[bool], piece_frames: int, run_in_frames: int) -> list[Piece]:
    """Cut a clip into pieces of nearly equal length that never reach across a cut of the scene.

    Args:
        is_cut: for each frame, whether a new shot begins with it.
        piece_frames: the longest piece.
        run_in_frames: frames before a piece with which its warm start begins, where the shot has
            them.

    Returns:
        Pieces in order; together they keep every frame once.
    """
    num = len(is_cut)
    shots = [i for i in range(num) if i == 0 or is_cut[i]] + [num]
    pieces = []
    for begin, end in itertools.pairwise(shots):
        parts = math.ceil((end - begin) / piece_frames)
        edges = [begin + (end - begin) * k // parts for k in range(parts + 1)]
        pieces += [Piece(max(begin, a - run_in_frames), a, b) for a, b in itertools.pairwise(edges)]
    return pieces

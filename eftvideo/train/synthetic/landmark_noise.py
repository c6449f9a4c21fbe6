"""The landmark network's errors in numbers: see landmarks.py, which makes them.

How errors hang together was measured on drawn people that the network looked at
(research/image_evidence/landmark_errors.py), but they are larger there than on real ones: sizes
here are about half as large in 2D and 0.7 times in metres, so that what changes quickly is what
clips show (benchmarks/landmark_noise.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eftvideo.geometry.skeletons import LANDMARK33, mirror_index

KINDS = ("face", "shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")
_PART = {"pinky": "hand", "index": "hand", "thumb": "hand", "heel": "foot"}
_PARENT = {
    "elbow": "shoulder",
    "wrist": "elbow",
    "pinky": "wrist",
    "index": "wrist",
    "thumb": "wrist",
    "knee": "hip",
    "ankle": "knee",
    "heel": "ankle",
    "foot_index": "ankle",
}
_SIDES = ("left", "right")
TWIN = torch.tensor(mirror_index(LANDMARK33))
HIPS = [LANDMARK33.index(f"{s}_hip") for s in _SIDES]


def _part(name: str) -> str:
    part = name.removeprefix("left_").removeprefix("right_")
    part = _PART.get(part, "foot" if part == "foot_index" else part)
    return part if part in KINDS else "face"


KIND_OF = torch.tensor([KINDS.index(_part(n)) for n in LANDMARK33])


def _parents() -> list[int]:
    found = []
    for i, name in enumerate(LANDMARK33):
        side, _, part = name.partition("_")
        parent = f"{side}_{_PARENT[part]}" if side in _SIDES and part in _PARENT else "nose"
        found.append(LANDMARK33.index(parent) if _part(name) == "face" or part in _PARENT else i)
    return found


PARENTS = _parents()
"""Whose error a landmark shares: the joint above it; the nose for the face; its own number for
nose, shoulders and hips."""


def _depth(i: int) -> int:
    return 0 if PARENTS[i] == i else 1 + _depth(PARENTS[i])


def _limbs(root: str) -> Tensor:
    """(2, 33) bool: what moves with `root`, of the left and the right side."""
    rows = []
    for side in _SIDES:
        inside = {LANDMARK33.index(f"{side}_{root}")}
        for _ in range(3):
            inside |= {i for i, p in enumerate(PARENTS) if p in inside}
        rows.append([i in inside for i in range(33)])
    return torch.tensor(rows)


LIMBS = torch.cat([_limbs("elbow"), _limbs("knee"), _limbs("wrist"), _limbs("ankle")])
ROOTS = torch.zeros(33, dtype=torch.bool).index_fill(0, LIMBS.int().argmax(dim=1), True)
MERGING = 4
"""The first so many of LIMBS are seen where their twins are; any may be quite wrong."""


@dataclass(frozen=True)
class LandmarkNoise:
    """Errors in the order of KINDS. In 2D: shares of the longer side of the person's box."""

    carry: tuple[float, ...] = (0.7, 0.0, 0.26, 0.36, 0.7, 0.0, 0.26, 0.2, 0.77)
    """Share of the parent's error."""
    own: tuple[float, ...] = (0.0045, 0.008, 0.009, 0.0085, 0.009, 0.009, 0.0085, 0.008, 0.007)
    """The point's own error in 2D, along each axis."""
    carry_m: tuple[float, ...] = (0.9, 0.0, 0.36, 0.63, 1.0, 0.0, 0.59, 0.36, 0.9)
    """Shares of the parent's error in metres."""
    own_m: tuple[float, ...] = (0.018, 0.02, 0.018, 0.019, 0.015, 0.006, 0.018, 0.02, 0.02)
    """What x and y in metres are off beside what 2D is off."""
    depth_m: tuple[float, ...] = (0.035, 0.05, 0.045, 0.06, 0.02, 0.02, 0.045, 0.06, 0.04)
    coupled: float = 0.88
    """Share of the error in 2D that x and y in metres have too."""
    stays: float = 0.6
    """Share of the variance of 2D errors that stays over a window."""
    stays_m: float = 0.6
    new: float = 0.09
    """Share of the variance of the rest that is new in every frame; what is left changes slowly."""
    time_s: float = 0.22
    """Correlation time of that."""
    tail: float = 0.4
    """Spread of the logarithm of each point's own noise level."""
    window_tail: float = 0.5
    """The same for whole windows."""
    hidden_factor: float = 2.4
    """What the body or another thing hides is guessed with this much more error in 2D."""
    hidden_factor_m: float = 1.3
    outside_error: float = 0.12
    """Points outside the picture have this error on top."""
    sized: float = 0.32
    """Share of the logarithm of a person's size that metres show; else a mean body's."""
    size: float = 0.06
    """Spread of the logarithm of what is left, constant over a window."""
    flat: float = 0.82
    """What is left of depths."""
    flat_spread: float = 0.18
    lean_deg: tuple[float, ...] = (-1.0, 0.0, 0.0)
    """Mean turn of the whole about x, y, z."""
    lean_spread_deg: tuple[float, ...] = (7.0, 8.5, 2.3)
    swap: float = 0.02
    """Share of windows in which left and right change places for a while."""
    swap_legs: float = 0.03
    """The same of the legs alone."""
    merged: float = 0.06
    """Share of windows in which, for a while, a limb is seen where its twin is."""
    gross: float = 0.12
    """Share of windows in which, for a while, a limb is quite wrong."""
    gross_size: float = 0.08
    gross_m: float = 0.13
    other: float = 0.01
    """Share of windows in which, for a while, somebody else is looked at."""
    visible: tuple[float, ...] = (7.9, 8.8, 3.4, 3.6, 2.9, 8.6, 3.1, 3.2, 2.4)
    """Logits of the visibility of what is seen."""
    hidden: tuple[float, ...] = (6.2, 8.7, -2.2, -3.5, -3.3, 8.6, -1.6, -1.5, -0.5)
    """The same of what is not."""
    absent: tuple[float, ...] = (6.5, 7.3, 4.7, 5.1, 4.9, 4.0, 2.2, 1.8, 2.0)
    """Logits of the presence of what is outside the picture."""
    present: float = 8.6
    """The same of what is inside."""
    visible_spread: tuple[float, ...] = (1.8, 0.9, 2.1, 2.1, 2.1, 1.2, 1.9, 1.9, 1.9)
    presence_spread: float = 1.4
    """Twice that outside the picture."""
    doubted: float = 0.36
    """How much the logarithm of the noise level rises while visibility falls by its spread."""
    warned: float = 2.5
    """How much less visible limbs are that are quite wrong."""
    refused: float = 0.04
    """Share of frames that the guard refuses."""
    refused_spell: float = 0.06
    """Share of windows with a spell of them."""
    never: float = 0.12
    """Share of windows without landmarks."""

    def of_kind(self, name: str) -> Tensor:
        """(33,) values of a per-kind field, for each landmark."""
        return torch.tensor(getattr(self, name))[KIND_OF]

    def chain(self, name: str) -> Tensor:
        """(33, 33) shares of each point's own error (columns) in each point's error (rows)."""
        carry, mix = self.of_kind(name), torch.eye(33)
        for i in sorted(range(33), key=_depth):
            if PARENTS[i] != i:
                mix[i] += carry[i] * mix[PARENTS[i]]
        return mix

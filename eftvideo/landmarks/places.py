"""From the landmark network's points to COCO's, which lie elsewhere on the body."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.geometry.skeletons import COCO17, LANDMARK33

TOWARDS: dict[str, dict[str, float]] = {
    "shoulder": {"other_shoulder": 0.03},
    "elbow": {"shoulder": 0.07, "wrist": 0.05},
    "hip": {"other_hip": 0.02, "shoulder": 0.04},
    "ankle": {"knee": 0.05, "foot_index": 0.07},
}
"""Where COCO's joint is from the network's: so much of the way towards each of these, which are the
network's points of the same side, or the same joint of the other side. Learned where detector and
network agree (`benchmarks/photos_learn.py`). Points of the face are the same."""


def _matrix(towards: dict[str, dict[str, float]]) -> Tensor:
    """(17, 33) float64: each row sums to 1."""
    rows = torch.zeros(len(COCO17), len(LANDMARK33), dtype=torch.float64)
    for row, name in zip(rows, COCO17, strict=True):
        row[LANDMARK33.index(name)] = 1.0
        side, _, part = name.partition("_")
        for target, share in towards.get(part, {}).items():
            if target.startswith("other_"):
                target = f"{'right' if side == 'left' else 'left'}_{part}"
            else:
                target = f"{side}_{target}"
            row[LANDMARK33.index(target)] += share
            row[LANDMARK33.index(name)] -= share
    return rows


_TO_COCO = _matrix(TOWARDS)


def coco_places(points: Tensor) -> Tensor:
    """(N, 33, D) places of the network's points, px or metres, to COCO's (N, 17, D)."""
    return _TO_COCO.to(points) @ points

"""What the landmark network says of crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

SIZE_PX = 256
"""Side of the crop."""
NUM_POINTS = 39
"""The 33 of `LANDMARK33`; the middle of the region and a point on its circle; four of no use."""
NUM_FEATURES = 1152


@dataclass(frozen=True)
class Looked:
    """What the network says of N crops, in the crop: places in px of 256, axes of the crop."""

    points: Tensor
    """(N, 39, 5) x px, y px (0 is the outer edge of the first pixel), z in the same unit from the
    middle of the hips (negative: nearer), visibility and presence as logits."""
    score: Tensor
    """(N,) probability that a person is there."""
    mask: Tensor | None
    """(N, 256, 256) logit that a pixel is the person's; None if not asked for."""
    heat: Tensor
    """(N, 39, 64, 64) heat maps of the points."""
    world: Tensor
    """(N, 39, 3) metres from the middle of the hips: x right, y down, z away."""
    features: Tensor
    """(N, 1152) what points, score and world are linear in: (288, 2, 2), flattened."""

    def __len__(self) -> int:
        return len(self.score)

    def map(self, change: Callable[[Tensor], Tensor]) -> Looked:
        """`change` applied to all that is there."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: Any = {k: v if v is None else change(v) for k, v in values.items()}
        return Looked(**changed)

    @classmethod
    def cat(cls, parts: Sequence[Looked]) -> Looked:
        """Several, of which all have masks or none has, one after the other."""
        values: dict[str, Any] = {f.name: [getattr(p, f.name) for p in parts] for f in fields(cls)}
        joined: Any = {k: None if v[0] is None else torch.cat(v) for k, v in values.items()}
        return cls(**joined)

    @classmethod
    def none(cls, mask: bool) -> Looked:
        """Of no crops."""
        return cls(
            torch.zeros(0, NUM_POINTS, 5),
            torch.zeros(0),
            torch.zeros(0, SIZE_PX, SIZE_PX) if mask else None,
            torch.zeros(0, NUM_POINTS, 64, 64),
            torch.zeros(0, NUM_POINTS, 3),
            torch.zeros(0, NUM_FEATURES),
        )

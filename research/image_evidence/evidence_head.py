"""A small network that corrects the lifter's answer by what the detector's features say.

The lifter is frozen. The head sees the lifter's last hidden layer and raw answer, the detected
keypoints, and (unless it is the control) the detector's features at the keypoints, and adds to the
raw answer: 24 x 6D rotations, betas, camera.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eftvideo.regressors._raw import NUM_RAW
from eftvideo.regressors.lifter import Block, Model
from eftvideo.types import Crops

PER_KEYPOINT = 48
"""Numbers that each keypoint's features are brought down to."""


class EvidenceHead(nn.Module):
    """Corrections for N people.

    Args:
        lifter: the frozen lifter. num_features: channels of the features; 0: none are looked at.
        width: of the hidden layers. dropout: share of inputs hidden in training.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, lifter: Model, num_features: int, width: int = 768, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.num_features = num_features
        given = lifter.cfg.width + NUM_RAW + 17 * 3
        self.register_buffer("mean", torch.zeros(17, num_features))
        self.register_buffer("std", torch.ones(17, num_features))
        self.shared = nn.Linear(num_features, PER_KEYPOINT) if num_features else None
        self.place = nn.Parameter(torch.zeros(17, PER_KEYPOINT))
        self.dropout = nn.Dropout(dropout)
        self.stem = nn.Linear(given + (17 * PER_KEYPOINT if num_features else 0), width)
        self.blocks = nn.Sequential(Block(width, width), Block(width, width))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, NUM_RAW)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def set_scale(self, features: Tensor) -> None:
        """Learn what features (N, 17, C) are like, to bring them to unit spread."""
        sample = features[:: max(1, len(features) // 4096)].float()
        self.mean.copy_(sample.mean(dim=0))
        self.std.copy_(sample.std(dim=0).clamp(min=1e-3))

    def forward(self, hidden: Tensor, raw: Tensor, crops: Crops, features: Tensor | None) -> Tensor:
        """(N, 157) corrected raw answer.

        Args:
            hidden: (N, width) last hidden layer of the lifter. raw: (N, 157) its answer.
            crops: whose keypoints it saw. features: (N, 17, C); ignored by the control.
        """
        parts = [hidden, raw, crops.keypoints.flatten(1)]
        if self.shared is not None and features is not None:
            unit = ((features.float() - self.mean) / self.std).clamp(-5.0, 5.0)
            brought = nn.functional.gelu(self.shared(self.dropout(unit)) + self.place)
            parts.append(self.dropout(brought).flatten(1))
        x = self.blocks(self.stem(torch.cat(parts, dim=1)))
        return raw + self.out(self.dropout(self.norm(x)))


@torch.no_grad()
def lifted(lifter: Model, crops: Crops) -> tuple[Tensor, Tensor]:
    """The lifter's last hidden layer of what is seen (N, width), and its raw answer (N, 157)."""
    encoded = lifter.encode(crops)
    hidden = lifter.norm(lifter.blocks(lifter.stem(encoded[:, 0])))
    return hidden, lifter(encoded)

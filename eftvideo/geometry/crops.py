"""From boxes and keypoints in the picture to the square crops that regressors see."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from eftvideo.config import CropConfig
from eftvideo.types import Crops

CROP_SIDE_PX = 224.0
"""Errors are stated in px of a crop of this side, whatever its true size (SPIN's, EFT's crop)."""


def square_around(xyxy: Tensor, cfg: CropConfig) -> tuple[Tensor, Tensor]:
    """Centres (N, 2) and sides (N,) in px of the square crops round boxes (N, 4)."""
    center = (xyxy[:, :2] + xyxy[:, 2:]) / 2.0
    width, height = (xyxy[:, 2:] - xyxy[:, :2]).unbind(1)
    side = torch.maximum(width * cfg.width_factor, height) * cfg.box_scale
    return center, side.clamp(min=cfg.min_size_px)


def to_crop(keypoints: Tensor, center_px: Tensor, size_px: Tensor) -> Tensor:
    """Points (N, ..., J, 2 + S), px, to crop coordinates, -1..1 inside; all else is kept."""
    shape = (len(keypoints), *([1] * (keypoints.dim() - 2)))
    half = (size_px / 2.0).view(*shape, 1)
    xy = (keypoints[..., :2] - center_px.view(*shape, 2)) / half
    return torch.cat([xy, keypoints[..., 2:]], dim=-1)


def crop_people(
    xyxy: Tensor,
    keypoints: Tensor,
    focal_length_px: Tensor,
    image_size_px: Tensor,
    cfg: CropConfig,
    context: Tensor | None = None,
) -> Crops:
    """Crops of N people.

    Args:
        xyxy: (N, 4) px. keypoints: (N, 17, 3) px, px, score.
        focal_length_px: (N,). image_size_px: (N, 2).
        context: (N, C, 17, 3) px, px, score: the same people at other times; score 0 if not seen.
    """
    center, side = square_around(xyxy, cfg)
    return Crops(
        keypoints=to_crop(keypoints, center, side),
        center_px=center,
        size_px=side,
        focal_length_px=focal_length_px,
        image_size_px=image_size_px,
        context=None if context is None else to_crop(context, center, side),
    )


def with_landmarks(crops: Crops, landmarks: Tensor, trust: Tensor | None = None) -> Crops:
    """The same people with landmarks.

    Args:
        landmarks: (N, 1 + C, 33, 7) as in `Crops`, but px, px. trust: (N, 50) as in `Crops`.
    """
    placed = to_crop(landmarks, crops.center_px, crops.size_px)
    return replace(crops, landmarks=placed, trust=trust)

"""The pixels of square crops, cut out of a picture at exact sub-pixel places."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

MAX_SAMPLES = 8
"""Samples a side that are averaged for one pixel at most, however much a crop is shrunk."""


def cut_out(image: np.ndarray, center_px: Tensor, size_px: Tensor, side_px: int) -> Tensor:
    """Square crops of a picture, resized; black outside of the picture.

    Pixel (i, j) of the picture covers i..i+1 by j..j+1, as everywhere here: the middle of its first
    pixel is at (0.5, 0.5). Bilinear; a crop that is shrunk is averaged over samples no more than a
    pixel apart, so that nothing flickers when people come near.

    Args:
        image: (H, W, 3) uint8 RGB.
        center_px: (N, 2) centres of the crops. size_px: (N,) their sides. On the CPU.
        side_px: side of the result, S.

    Returns:
        (N, 3, S, S) uint8 RGB.
    """
    if not len(center_px):
        return torch.zeros(0, 3, side_px, side_px, dtype=torch.uint8)
    boxes = zip(center_px.tolist(), size_px.tolist(), strict=True)
    return torch.stack([_one(image, x, y, size, side_px) for (x, y), size in boxes])


def _one(image: np.ndarray, x: float, y: float, size: float, side_px: int) -> Tensor:
    num = min(max(math.ceil(size / side_px), 1), MAX_SAMPLES)
    steps = (torch.arange(side_px * num, dtype=torch.float64) + 0.5) / (side_px * num) - 0.5
    height, width = image.shape[:2]
    # Only the part that is looked at becomes floating point; two px more, for the zeros outside.
    left, right = _range(x, size, width)
    top, bottom = _range(y, size, height)
    if left >= right or top >= bottom:
        return torch.zeros(3, side_px, side_px, dtype=torch.uint8)
    part = torch.from_numpy(np.ascontiguousarray(image[top:bottom, left:right])).permute(2, 0, 1)
    across = _grid_coordinate(x + steps * size, left, right)
    down = _grid_coordinate(y + steps * size, top, bottom)
    grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
    sampled = F.grid_sample(part[None].float(), grid[None].float(), align_corners=False)
    return F.avg_pool2d(sampled, num)[0].round_().clamp_(0, 255).to(torch.uint8)


def _range(middle: float, size: float, limit: int) -> tuple[int, int]:
    first, end = math.floor(middle - size / 2.0) - 2, math.ceil(middle + size / 2.0) + 2
    return min(max(first, 0), limit), max(min(end, limit), 0)


def _grid_coordinate(px: Tensor, first: int, end: int) -> Tensor:
    """Places in px to -1..1 over the pixels first..end."""
    return (px - first) / (end - first) * 2.0 - 1.0

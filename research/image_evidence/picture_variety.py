"""Varies rendered pictures while a network trains: other backgrounds, windows, mirrors, colours."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from eftvideo.geometry.skeletons import SMPL24, mirror_index
from eftvideo.train.synthetic.examples import Truth
from eftvideo.types import Crops
from research.image_evidence.picture_data import Pictures

NEW_BACKGROUND = 0.25
ZOOM, SHIFT = 0.08, 0.05
"""Spread of the window's side and place, as shares of the crop."""


def varied(
    data: Pictures,
    rows: Tensor,
    side_px: int,
    keypoint_names: tuple[str, ...],
    g: torch.Generator,
) -> tuple[Crops, Truth]:
    """Crops with `image` (N, 3, S, S) uint8, and their truth; geometry stays exact.

    Args:
        data: with pictures and masks. rows: (N,) which of them.
        side_px: S of the crops.
        keypoint_names: of the truth's points after the 24 joints.
        g: source of chance.
    """
    assert data.images is not None and data.masks is not None
    n = len(rows)
    image = data.images[rows].permute(0, 3, 1, 2).float()
    donors = torch.randint(len(data), (n,), generator=g)
    image = _other_ground(image, data.masks[rows], data.images[donors], g)
    zoom = torch.exp(ZOOM * torch.randn(n, generator=g))
    shift = SHIFT * torch.randn(n, 2, generator=g)
    mirrored = torch.rand(n, generator=g) < 0.5
    image = _window(image, zoom, shift, mirrored, side_px)
    crops, truth = data.crops.select(rows), data.truth.select(rows)
    crops = replace(
        crops,
        context=None,
        center_px=crops.center_px + shift * crops.size_px[:, None] / 2,
        size_px=crops.size_px * zoom,
        image=_tinted(image, g).clamp(0, 255).to(torch.uint8),
    )
    return _mirror(crops, truth, mirrored, keypoint_names)


def plain(data: Pictures, rows: Tensor, side_px: int) -> Crops:
    """Crops with `image` as they were drawn."""
    assert data.images is not None
    image = data.images[rows].permute(0, 3, 1, 2).float()
    if image.shape[2] != side_px:
        image = F.interpolate(image, (side_px, side_px), mode="bilinear", antialias=True)
    return replace(data.crops.select(rows), image=image.round().clamp(0, 255).to(torch.uint8))


def _other_ground(image: Tensor, mask: Tensor, donor: Tensor, g: torch.Generator) -> Tensor:
    """Some pictures get another picture, rolled sideways, behind their person."""
    roll = int(torch.randint(image.shape[3] // 3, 2 * image.shape[3] // 3, (1,), generator=g))
    behind = donor.permute(0, 3, 1, 2).roll(roll, dims=3).float()
    chosen = torch.rand(len(image), generator=g) < NEW_BACKGROUND
    share = (mask.float() / 255.0)[:, None].clamp(min=1.0 - chosen.float()[:, None, None, None])
    return image * share + behind * (1.0 - share)


def _window(image: Tensor, zoom: Tensor, shift: Tensor, mirrored: Tensor, side_px: int) -> Tensor:
    """(N, 3, S, S): what a window of side `zoom`, moved by `shift` (crop units), shows."""
    sign = torch.where(mirrored, -1.0, 1.0)
    zero = torch.zeros_like(zoom)
    theta = torch.stack(
        [
            torch.stack([sign * zoom, zero, shift[:, 0]], dim=1),
            torch.stack([zero, zoom, shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(theta, [len(image), 3, side_px, side_px], align_corners=False)
    return F.grid_sample(image, grid, align_corners=False)


def _tinted(image: Tensor, g: torch.Generator) -> Tensor:
    gain = torch.exp(
        0.15 * torch.randn(len(image), 1, generator=g)
        + 0.05 * torch.randn(len(image), 3, generator=g)
    )
    noise = 3.0 * torch.randn(image.shape, generator=g)
    return image * gain[..., None, None] + noise


def _mirror(
    crops: Crops, truth: Truth, mirrored: Tensor, keypoint_names: tuple[str, ...]
) -> tuple[Crops, Truth]:
    """The answers of mirrored pictures: the full frame is reflected about its upright middle."""
    joints = list(mirror_index(SMPL24))
    points = [*joints, *(len(joints) + i for i in mirror_index(keypoint_names))]
    reflect = torch.tensor([-1.0, 1.0, 1.0])
    flip = {
        "rotations": reflect[:, None] * truth.rotations[:, joints] * reflect,
        "pelvis": truth.pelvis * reflect,
        "points": truth.points[:, points] * reflect,
    }
    values = {
        name: torch.where(mirrored.view(-1, *([1] * (v.dim() - 1))), v, getattr(truth, name))
        for name, v in flip.items()
    }
    x = torch.where(
        mirrored, crops.image_size_px[:, 0] - crops.center_px[:, 0], crops.center_px[:, 0]
    )
    center = torch.stack([x, crops.center_px[:, 1]], dim=1)
    return replace(crops, center_px=center), replace(truth, **values)

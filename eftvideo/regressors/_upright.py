"""Where the landmark network looks in a crop: a square round the hips, turned along the torso."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from eftvideo.geometry.skeletons import COCO17, LANDMARK33
from eftvideo.landmarks.looked import SIZE_PX
from eftvideo.landmarks.regions import FIRST_MARGIN, MARGIN, MIN_BELIEVED, MIN_SCORE
from eftvideo.types import Crops

_NAMES = (*COCO17, *LANDMARK33)
_HIPS, _SHOULDERS = (
    [i for i, name in enumerate(_NAMES) if name in (f"left_{part}", f"right_{part}")]
    for part in ("hip", "shoulder")
)
_BOX = 1.0 / 1.2
"""Half a box in crop coordinates, of crops that are as much larger as is usual."""


@dataclass(frozen=True)
class Regions:
    """Squares of the full frames of N people; `landmarks.regions.Region` for many, in torch."""

    center_px: Tensor
    """(N, 2)"""
    side_px: Tensor
    """(N,)"""
    angle_rad: Tensor
    """(N,) how far the square is turned, clockwise as one sees it."""

    @property
    def axes(self) -> Tensor:
        """(N, 2, 2) the square's x and y directions in the frame, a row each."""
        cos, sin = self.angle_rad.cos(), self.angle_rad.sin()
        return torch.stack([cos, sin, -sin, cos], dim=1).unflatten(1, (2, 2))

    @property
    def roll(self) -> Tensor:
        """(N, 3, 3) from a camera that is upright to one that is turned with the square."""
        return F.pad(self.axes, (0, 1, 0, 1)) + torch.diag(self.axes.new_tensor([0.0, 0.0, 1.0]))

    def select(self, index: Tensor) -> Regions:
        """Those at `index`."""
        return Regions(self.center_px[index], self.side_px[index], self.angle_rad[index])

    def points(self, points_px: Tensor) -> Tensor:
        """(N, K, 2) px of the frame in coordinates of the square, -1..1 inside."""
        from_middle = points_px - self.center_px[:, None]
        return from_middle @ self.axes.mT * (2.0 / self.side_px)[:, None, None]


@torch.no_grad()
def regions_of(crops: Crops) -> Regions:
    """Where to look: by the landmarks where there are any, else by the keypoints.

    Without hips the middle of the crop counts, without shoulders it stands upright.
    """
    xy, score = crops.keypoints.split([2, 1], dim=2)
    reach = torch.full_like(score, FIRST_MARGIN)
    believed = score >= MIN_SCORE
    if crops.landmarks is not None:
        own = crops.landmarks[:, 0]
        alive = (own[..., 2:4].abs().amax(dim=(1, 2)) > 0)[:, None, None]
        xy = torch.cat([xy, own[..., :2]], dim=1)
        believed = torch.cat([believed & ~alive, alive.expand(-1, own.shape[1], 1)], dim=1)
        reach = torch.cat([reach, torch.ones_like(own[..., :1])], dim=1)
    num = xy.shape[1]
    hips, shoulders = ([i for i in part if i < num] for part in (_HIPS, _SHOULDERS))
    middle, has_hips = _mean(xy[:, hips], believed[:, hips])
    upper, has_shoulders = _mean(xy[:, shoulders], believed[:, shoulders])
    up = torch.where(has_hips & has_shoulders, upper - middle, upper.new_tensor([0.0, -1.0]))
    far = ((xy - middle[:, None]).norm(dim=2, keepdim=True) * reach * believed).amax(dim=(1, 2))
    few = believed.sum(dim=(1, 2)) < MIN_BELIEVED
    far = torch.where(few, far.clamp(min=_BOX) + middle.norm(dim=1), far)
    half = crops.size_px / 2.0
    return Regions(
        crops.center_px + middle * half[:, None],
        (2.0 * MARGIN * far * half).clamp(min=2.0),
        torch.atan2(up[:, 0], -up[:, 1]),
    )


def _mean(xy: Tensor, believed: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 2) mean of the points that are believed, 0 without any; (N, 1) whether there are any."""
    num = believed.sum(dim=1)
    return (xy * believed).sum(dim=1) / num.clamp(min=1), num > 0


def cut_regions(image: Tensor, shown: tuple[Tensor, Tensor], regions: Regions) -> Tensor:
    """The squares out of pixels of crops that hold them; black where these end.

    Args:
        image: (N, 3, S, S) uint8. shown: middle (N, 2) and side (N,) of what it shows, px of the
            full frame.

    Returns:
        (N, 3, 256, 256) in 0..255.
    """
    at = (torch.arange(SIZE_PX, device=image.device) + 0.5) / SIZE_PX - 0.5
    grid = torch.stack(torch.meshgrid(at, at, indexing="xy"), dim=-1).flatten(0, 1)
    grid = grid @ (regions.axes * regions.side_px[:, None, None])
    center, side = shown
    grid = grid + (regions.center_px - center)[:, None]
    grid = (grid * (2.0 / side)[:, None, None]).unflatten(1, (SIZE_PX, SIZE_PX))
    return F.grid_sample(image.float(), grid.to(torch.float32), align_corners=False)

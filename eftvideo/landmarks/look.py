"""People of frames, looked at where regions say: in px of the frame, along its axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.geometry.skeletons import LANDMARK33
from eftvideo.landmarks.looked import Looked
from eftvideo.landmarks.regions import (
    Region,
    cut,
    points_in_frame,
    region_from_circle,
    turned_upright,
)
from eftvideo.landmarks.runtime import Looker
from eftvideo.types.landmarks import Landmarks

NUM = len(LANDMARK33)


@dataclass(frozen=True)
class Looks:
    """N looks."""

    regions: tuple[Region, ...]
    """Where."""
    landmarks: Landmarks
    """N of them: the network's score is as it is, nothing is refused."""
    circle_px: np.ndarray
    """(N, 2, 2) float32: points 33 and 34, px of the frame."""
    features: np.ndarray
    """(N, 1152) float32."""
    mask: np.ndarray | None
    """(N, 256, 256) float32 logits, in the crop; None if the looker makes none."""

    def __len__(self) -> int:
        return len(self.regions)

    @property
    def next_regions(self) -> tuple[Region, ...]:
        """Where to look in the next frame, or again."""
        return tuple(region_from_circle(middle, rim) for middle, rim in self.circle_px)


def look(looker: Looker, images: Sequence[np.ndarray], regions: Sequence[Region]) -> Looks:
    """Look at one region each of N pictures, (H, W, 3) uint8 RGB; one may stand there often."""
    crops = [cut(image, region) for image, region in zip(images, regions, strict=True)]
    looked = looker(np.stack(crops) if crops else np.zeros((0, 1, 1, 3), np.uint8))
    return placed(looked, regions)


def placed(looked: Looked, regions: Sequence[Region]) -> Looks:
    """What was said of N crops, in the frames that they were cut from."""
    raw, world = looked.points.numpy(), looked.world[:, :NUM].numpy()
    each = zip(raw, world, regions, strict=True)
    points, metres = np.zeros((len(raw), raw.shape[1], 2)), np.zeros((len(raw), NUM, 3))
    for row, (in_crop, along_crop, region) in enumerate(each):
        points[row] = points_in_frame(in_crop[:, :2], region)
        metres[row] = turned_upright(along_crop, region)
    seen = looked.points[:, :NUM, 3:].sigmoid().numpy()
    landmarks = Landmarks(
        np.concatenate([points[:, :NUM], seen], axis=-1).astype(np.float32),
        metres.astype(np.float32),
        looked.score.numpy(),
    )
    return Looks(
        tuple(regions),
        landmarks,
        points[:, NUM : NUM + 2].astype(np.float32),
        looked.features.numpy(),
        None if looked.mask is None else looked.mask.numpy(),
    )

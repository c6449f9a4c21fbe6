"""What the landmark network sees of the athlete in each view, several times over.

For the truth, never for the fits: each frame is shown to both networks in several regions (two
sizes, turned a little, mirrored), so that what differs from look to look averages out. A guide,
the projected first truth, says where the athlete is: a look at somebody else is not believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from eftvideo.config import RunConfig
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, LIMB12, mirror_index, select
from eftvideo.landmarks.look import Looks as Seen
from eftvideo.landmarks.look import placed
from eftvideo.landmarks.looked import SIZE_PX
from eftvideo.landmarks.network import Kind
from eftvideo.landmarks.regions import Region, cut, region_from_keypoints
from eftvideo.landmarks.runtime import Looker
from eftvideo.video.reader import open_video
from multiview.observe import kept

log = logging.getLogger("multiview")
NETWORKS: tuple[Kind, ...] = ("heavy", "full")
ROUNDS = 2
"""Looks in which the network finds its own region, before those that count."""
VARIANTS = ((1.0, 0.0), (1.0, -12.0), (1.0, 12.0), (1.15, 0.0))
"""Size and turn (degrees) of the regions around the one found; each is also looked at mirrored."""
MAX_OFF = 0.08
"""A look whose limb joints are farther from the guide (median, share of the athlete's longer side)
is at somebody else, or wild."""
MIN_SCORE = 0.5
LIMBS33, LIMBS17 = select(LIMB12, LANDMARK33), select(LIMB12, COCO17)
MIRRORED = mirror_index(LANDMARK33)

Look = Callable[[Kind, np.ndarray, Sequence[Region], bool], Seen]
"""Network, picture, regions of it, mirrored or not; what a mirrored crop says is mirrored back."""


@dataclass(frozen=True)
class Looks:
    """K looks at T frames of one view."""

    points: np.ndarray
    """(K, T, 33, 4): x px, y px, visibility, presence; NaN and 0 where not believed."""
    world: np.ndarray
    """(K, T, 33, 3) the network's own 3D, metres from mid-hip, axes of the picture."""
    score: np.ndarray
    """(K, T) that a person is there; 0 where not believed."""
    regions: np.ndarray
    """(T, 4) the region found: centre x, y px, side px, angle rad."""

    @property
    def scored(self) -> np.ndarray:
        """(K, T, 33, 3) x px, y px, visible and present."""
        return np.concatenate(
            [self.points[..., :2], self.points[..., 2:3] * self.points[..., 3:4]], axis=-1
        )


def off_guide(points: np.ndarray, guide: np.ndarray) -> float:
    """Median distance of limb joints (33, 2+) from the guide (17, 2), over its longer side."""
    there = guide[LIMBS17]
    known = np.isfinite(there).all(axis=-1)
    if not known.any():
        return float("inf")
    extent = np.nanmax(guide, axis=0) - np.nanmin(guide, axis=0)
    far = np.linalg.norm(points[LIMBS33][known, :2] - there[known], axis=-1)
    return float(np.median(far) / max(extent.max(), 1.0))


def look_with(device: torch.device) -> Look:
    """Looks by the shipped networks, loaded when first asked for."""
    lookers: dict[Kind, Looker] = {}

    def look(kind: Kind, image: np.ndarray, regions: Sequence[Region], mirrored: bool) -> Seen:
        if kind not in lookers:
            lookers[kind] = Looker(kind, device)
        crops = np.stack([cut(image, region) for region in regions])
        looked = lookers[kind](np.ascontiguousarray(crops[:, :, ::-1]) if mirrored else crops)
        if mirrored:
            points, world = looked.points.clone(), looked.world.clone()
            points[..., 0] = SIZE_PX - points[..., 0]
            world[..., 0] *= -1.0
            points[:, :33], world[:, :33] = points[:, MIRRORED], world[:, MIRRORED]
            looked = replace(looked, points=points, world=world)
        return placed(looked, regions)

    return look


def looks_of(clip: Path, guide: np.ndarray, cfg: RunConfig, look: Look, work: Path) -> Looks:
    """All looks at the athlete of one clip; kept in `work`. guide: (T, 17, 2) px, NaN unknown."""

    def make() -> Looks:
        log.info("%s: looks of the landmark networks", clip.name)
        with open_video(clip, cfg.clip) as video:
            parts = [_frame(f.image, guide[t], look) for t, f in enumerate(video)]
        points, world, score, regions = (np.stack(p) for p in zip(*parts, strict=True))
        return Looks(points.swapaxes(0, 1), world.swapaxes(0, 1), score.swapaxes(0, 1), regions)

    key = f"{cfg.clip} {NETWORKS} {ROUNDS} {VARIANTS} {MAX_OFF}"
    return kept(work / f"{clip.stem}_looks.pkl", key, make)


def _frame(image: np.ndarray, guide: np.ndarray, look: Look) -> tuple[np.ndarray, ...]:
    """(K, 33, 4), (K, 33, 3), (K,), (4,) of one frame."""
    known = np.isfinite(guide).all(axis=-1)
    box = np.concatenate([np.nanmin(guide, axis=0), np.nanmax(guide, axis=0)])
    first = region_from_keypoints(np.column_stack([np.nan_to_num(guide), known]), box)
    region = first
    for _ in range(ROUNDS):
        seen = look(NETWORKS[0], image, [region], False)
        if not believed(seen, guide)[0]:
            break
        region = seen.next_regions[0]
    regions = [varied(region, *variant) for variant in VARIANTS] + [first]
    points, world, score = [], [], []
    for network in NETWORKS:
        for mirrored in (False, True):
            seen = look(network, image, regions, mirrored)
            good = believed(seen, guide)
            nothing = np.array([np.nan, np.nan, 0.0, 0.0])
            points.append(np.where(good[:, None, None], seen.landmarks.points2d, nothing))
            world.append(seen.landmarks.points3d)
            score.append(np.where(good, seen.landmarks.score, 0.0))
    place = np.array([*region.center_px, region.side_px, region.angle_rad])
    return np.concatenate(points), np.concatenate(world), np.concatenate(score), place


def believed(seen: Seen, guide: np.ndarray) -> np.ndarray:
    """(N,) looks at a person, at that of the guide (17, 2)."""
    near = [off_guide(points, guide) <= MAX_OFF for points in seen.landmarks.points2d]
    return (seen.landmarks.score >= MIN_SCORE) & np.array(near)


def varied(region: Region, scale: float, turn_deg: float) -> Region:
    """The region larger by `scale` and turned."""
    angle = region.angle_rad + float(np.radians(turn_deg))
    return replace(region, side_px=region.side_px * scale, angle_rad=angle)

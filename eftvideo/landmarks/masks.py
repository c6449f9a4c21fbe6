"""The network's person masks: kept small, and laid into a picture again with clean edges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from eftvideo.landmarks.looked import SIZE_PX
from eftvideo.landmarks.regions import Region
from eftvideo.types.masks import SIDE, Masks

_RIM_PX = 2.5
"""Width of a mask's soft edge in a picture, however large its cells are there."""
_PER_CELL = SIZE_PX // SIDE


def small_masks(logits: np.ndarray, regions: Sequence[Region]) -> Masks:
    """Masks (N, 256, 256) of crops, logits, as they are kept."""
    if not len(logits):
        return Masks.none(0, asked=True)
    shares = 1.0 / (1.0 + np.exp(-logits.clip(-30.0, 30.0)))
    cells = shares.reshape(len(logits), SIDE, _PER_CELL, SIDE, _PER_CELL).mean(axis=(2, 4))
    places = [(*r.center_px, r.side_px, r.angle_rad) for r in regions]
    return Masks.of(cells, np.array(places))


def laid(
    share: np.ndarray, region: np.ndarray, box: tuple[int, int, int, int], scale: float = 1.0
) -> np.ndarray:
    """How far each pixel of a part of a picture is the person's.

    Args:
        share: (64, 64) of `Masks.shares`. region: (4,), px of the frame.
        box: x0, y0, x1, y1 of the picture, whole px; x1 and y1 are outside.
        scale: the picture's size over the frame's.

    Returns:
        (h, w) float32 in 0..1; 0 outside the region.
    """
    to_cells = cells_of(region)
    to_cells[:, :2] /= scale
    to_cells[:, 2] += to_cells[:, :2] @ np.array(box[:2], float)
    # OpenCV's places are those of the middles of pixels and cells, ours of their corners.
    to_cells[:, 2] += to_cells[:, :2] @ [0.5, 0.5] - 0.5
    size = (box[2] - box[0], box[3] - box[1])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    soft = cv2.warpAffine(share, to_cells, size, flags=flags)
    cell_px = float(region[2]) * scale / SIDE
    return np.clip((soft - 0.5) * max(1.0, cell_px / _RIM_PX) + 0.5, 0.0, 1.0)


def cells_of(region: np.ndarray) -> np.ndarray:
    """(2, 3) affine from px of the frame to cells of a region (4,)."""
    x, y, side, angle = (float(v) for v in region)
    return Region((x, y), side, angle).to_crop / _PER_CELL


def near_cells(region: np.ndarray, points: np.ndarray, reach: int) -> np.ndarray:
    """(64, 64) bool: cells of a region (4,) in which points (K, 2), px of the frame, lie, and those
    up to `reach` cells from them."""
    at = _whole_cells(region, points)
    found = np.zeros((SIDE, SIDE), np.uint8)
    x, y = at[_inside(at)].T
    found[y, x] = 1
    size = 2 * reach + 1
    return cv2.dilate(found, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0


def shares_at(share: np.ndarray, region: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K,) of (64, 64) shares in the cells where points (K, 2), px of the frame, lie; else 0."""
    at = _whole_cells(region, points)
    inside = _inside(at)
    x, y = np.where(inside[:, None], at, 0).T
    return np.where(inside, share[y, x], np.float32(0.0))


def _whole_cells(region: np.ndarray, points: np.ndarray) -> np.ndarray:
    to_cells = cells_of(region)
    at = np.floor(points @ to_cells[:, :2].T + to_cells[:, 2])
    return at.clip(-1, SIDE).astype(np.int64)


def _inside(cells: np.ndarray) -> np.ndarray:
    return np.asarray(((cells >= 0) & (cells < SIDE)).all(axis=1))

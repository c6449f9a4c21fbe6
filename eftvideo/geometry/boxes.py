"""Boxes (x0, y0, x1, y1) in a picture: areas and what they share. Numpy."""

from __future__ import annotations

import numpy as np


def shared_area(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) px^2 that boxes `a` and `b`, (N, 4) or (1, 4), have in common."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    return area(np.concatenate([low, high], axis=1))


def inside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) share of the smaller of two boxes that lies in the larger."""
    return shared_area(a, b) / np.maximum(np.minimum(area(a), area(b)), 1e-6)


def area(xyxy: np.ndarray) -> np.ndarray:
    """(N,) px^2 of (N, 4) boxes; 0 for a box turned inside out."""
    return np.prod(np.clip(xyxy[:, 2:] - xyxy[:, :2], 0.0, None), axis=1)


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) intersection over union of a box (4,) with others (N, 4)."""
    shared = shared_area(box[None], others)
    return shared / np.maximum(area(box[None]) + area(others) - shared, 1e-6)


def longer_side(xyxy: np.ndarray, least: float = 0.0) -> np.ndarray:
    """(N,) the longer side of boxes (N, 4), at least so many px."""
    return np.maximum(xyxy[:, 2:] - xyxy[:, :2], least).max(axis=1)

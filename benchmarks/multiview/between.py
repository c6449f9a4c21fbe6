"""Where one network puts a joint, from where another has it: fitted to the pictures themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eftvideo.geometry.skeletons import COCO17, LANDMARK33, LIMB12
from multiview.geometry import View
from multiview.segments import joint_frames

SCALE_PX = 20.0
"""Geman-McClure's scale: a sighting this far off has a quarter of its weight."""
MOST_STEPS = 50
ENOUGH_M = 1e-5
STEP_M = 1e-4
STAY = 1e-3
"""Holds a direction that no view tells; next to nothing beside one sighting."""
PARTS: dict[str, tuple[str, ...]] = {
    part: (part,) if part == "nose" else (f"left_{part}", f"right_{part}")
    for part in dict.fromkeys(name.split("_")[-1] for name in (*LIMB12, *COCO17))
}
"""Joints by part of the body: both sides have one offset."""


def seen_offsets(
    views: Sequence[View], px: np.ndarray, weight: np.ndarray, landmarks: np.ndarray
) -> dict[str, np.ndarray]:
    """For each part the (3,) offset, metres, in the frames of `joint_frames`, that brings the
    landmarks' projections nearest to the sightings of COCO's points, by Geman-McClure's loss.

    No point is triangulated from the sightings, so wrong views do not bend it.

    Args:
        px: (V, K, T, 17, 2) sightings. weight: (V, K, T, 17). landmarks: (T, 33, 3) in the world.
    """
    frames = joint_frames(landmarks)
    out = {}
    for part, names in PARTS.items():
        coco = [COCO17.index(name) for name in names]
        points = landmarks[:, [LANDMARK33.index(name) for name in names]]
        axes = np.stack([frames[name] for name in names], axis=1)
        out[part] = fit_offset(views, px[..., coco, :], weight[..., coco], points, axes)
    return out


def fit_offset(
    views: Sequence[View], px: np.ndarray, weight: np.ndarray, points: np.ndarray, axes: np.ndarray
) -> np.ndarray:
    """(3,) metres along `axes` (T, N, 3, 3), the same for all N points (T, N, 3).

    Args:
        px: (V, K, T, N, 2). weight: (V, K, T, N); 0 means not seen.
    """
    seen = (weight > 0) & np.isfinite(px).all(axis=-1)
    px, weight = np.where(seen[..., None], px, 0.0), np.where(seen, weight, 0.0)
    offset = np.zeros(3)
    for _ in range(MOST_STEPS):
        moved = points + np.einsum("tnij,i->tnj", axes, offset)
        square, right = STAY * np.eye(3), np.zeros(3)
        for view, places, gain in zip(views, px, weight, strict=True):
            here = view.project(moved)
            ahead = [view.project(moved + STEP_M * axes[..., i, :]) - here for i in range(3)]
            jac = np.stack(ahead, axis=-1) / STEP_M  # (T, N, 2, 3)
            off = places - here
            far = np.linalg.norm(off, axis=-1) / SCALE_PX
            trust = gain / (1.0 + far**2) ** 2
            square += np.einsum("ktn,tnia,tnib->ab", trust, jac, jac, optimize=True)
            right += np.einsum("ktn,tnia,ktni->a", trust, jac, off, optimize=True)
        step = np.linalg.solve(square, right)
        offset = offset + step
        if np.abs(step).max() < ENOUGH_M:
            break
    return offset

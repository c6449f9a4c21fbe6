"""After smoothing: bodies put back onto their people in the picture.

Smoothing a fast fall leaves the body behind. Pose and depth stay; the pelvis moves across its ray
by what all keypoints together say, which is far better known than any one of them.
"""

from __future__ import annotations

import numpy as np
import torch

from eftvideo.config import EftConfig
from eftvideo.fit import losses
from eftvideo.fit.records import Rows
from eftvideo.geometry.crops import CROP_SIDE_PX
from eftvideo.refine.smoothing import smooth_slowly
from eftvideo.types import FILLED

DEAD_PX = 1.5
"""Bodies that are off by less stay, px of a 224 px crop: that much is the detector's own noise."""
BANDWIDTH_S = 0.03
"""The shift is smoothed a little, as it is the mean of noisy keypoints."""
_UNSEEN_WEIGHT = 1e-3


def settle_rows(
    rows: Rows, stretch: np.ndarray, image_size_px: tuple[int, int], weights: EftConfig
) -> Rows:
    """Rows with `transl` moved sideways where the body is off its keypoints as a whole.

    Args:
        rows: N rows; `keypoints3d` must be those of the pose, betas and transl.
        stretch: (N,) whatever is not of one number is not mixed.
        image_size_px: width and height. weights: which keypoints count.

    Returns:
        The rows with a new `transl`; what follows from it (`rows.refresh`) is not computed.
    """
    offset, known = _offset_px(rows, image_size_px, weights)
    unit = rows["crop_size_px"] / CROP_SIDE_PX
    transl = rows["transl"].copy()
    for number in np.unique(stretch):
        mine = np.flatnonzero(stretch == number)
        trust = torch.from_numpy(np.where(known[mine], 1.0, _UNSEEN_WEIGHT))
        values = torch.from_numpy(offset[mine] / unit[mine, None])
        time_s = torch.from_numpy(rows["time_s"][mine])
        shift = smooth_slowly(values, time_s, BANDWIDTH_S, trust).numpy()
        size = np.linalg.norm(shift, axis=1, keepdims=True)
        shift *= np.maximum(0.0, 1.0 - DEAD_PX / np.maximum(size, 1e-6))
        depth = rows["joints3d"][mine, 0, 2] / rows["focal_length_px"][mine]
        transl[mine, :2] += shift * (unit[mine] * depth)[:, None]
    return rows | {"transl": transl}


def _offset_px(
    rows: Rows, image_size_px: tuple[int, int], weights: EftConfig
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) from the body to its keypoints, weighted median, px; (N,) whether enough are seen."""
    points, focal = rows["keypoints3d"].astype(np.float64), rows["focal_length_px"]
    px = points[..., :2] / points[..., 2:] * focal[:, None, None] + np.array(image_size_px) / 2.0
    off = rows["keypoints2d"][..., :2] - px
    score = torch.from_numpy(np.ascontiguousarray(rows["keypoints2d"][..., 2], np.float32))
    weight = losses.joint_weights(score, weights)
    known = losses.enough_joints(weight, weights).numpy() & (rows["status"] != FILLED)
    each = torch.from_numpy(off).mT
    median = losses.weighted_median(each, weight.double()[:, None].expand_as(each)).numpy()
    return np.where(known[:, None], median, 0.0), known

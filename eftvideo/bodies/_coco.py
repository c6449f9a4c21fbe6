"""COCO keypoints, toes and heels of the licensed SMPL mesh (6890 vertices), as mixes of vertices.

A licensed file holds no regressor for them, so they are made from its own `J_regressor` and from
single vertices (numbers of smplx's `vertex_ids`, which hold for SMPL and SMPL-H alike). Limb
joints are SMPL's own. SMPL's hip joints are not where COCO annotators put the hips: they lie closer
together and lower. A learned regressor may not be shipped, so a hip is SMPL's hip joint moved along
two directions of the same body. The amounts are an approximation: with the published rest joints of
neutral SMPL (hips 0.137 m apart, thigh 0.377 m, shank 0.40 m) they give the proportions that the
COCO marks have on the free body, hips 0.49 shanks apart and a thigh of 1.01 shanks.
"""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.skeletons import COCO17, FEET6, SMPL24

NUM_VERTICES = 6890
KEYPOINT_NAMES: tuple[str, ...] = COCO17 + FEET6

_VERTEX: dict[str, int] = {
    "nose": 332,
    "left_eye": 2800,
    "right_eye": 6260,
    "left_ear": 583,
    "right_ear": 4071,
    "left_big_toe": 3216,
    "left_small_toe": 3226,
    "left_heel": 3387,
    "right_big_toe": 6617,
    "right_small_toe": 6624,
    "right_heel": 6787,
}
_HIP_OUT = 0.23
"""Way outwards, as a share of the distance between the two hip joints."""
_HIP_UP = 0.30
"""Way up, as a share of the way from the middle of the hip joints to the pelvis joint."""


def smpl_keypoint_regressor(j_regressor: np.ndarray) -> np.ndarray:
    """(24, 6890) joint regressor of a SMPL file to (23, 6890) rows for KEYPOINT_NAMES."""
    rows = [_row(name, j_regressor) for name in KEYPOINT_NAMES]
    return np.stack(rows)


def _row(name: str, j_regressor: np.ndarray) -> np.ndarray:
    if name in _VERTEX:
        row = np.zeros(j_regressor.shape[1])
        row[_VERTEX[name]] = 1.0
        return row
    joint = j_regressor[SMPL24.index(name)]
    if not name.endswith("_hip"):
        return joint
    other_name = name.replace("left", "?").replace("right", "left").replace("?", "right")
    other = j_regressor[SMPL24.index(other_name)]
    pelvis = j_regressor[SMPL24.index("pelvis")]
    return joint + _HIP_OUT * (joint - other) + _HIP_UP * (pelvis - (joint + other) / 2.0)

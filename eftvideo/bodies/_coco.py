"""Keypoints, feet and landmarks of the licensed SMPL mesh (6890 vertices), as mixes of vertices.

A licensed file holds no regressor for them, so they are made from its own `J_regressor` and from
single vertices (numbers of smplx's `vertex_ids`, which hold for SMPL and SMPL-H alike). Limb
joints are SMPL's own. SMPL's hip joints are not where COCO annotators put the hips: they lie closer
together and lower. A learned regressor may not be shipped, so a hip is SMPL's hip joint moved along
two directions of the same body. The amounts are an approximation: with the published rest joints of
neutral SMPL (hips 0.137 m apart, thigh 0.377 m, shank 0.40 m) they give the proportions that the
COCO marks have on the free body, hips 0.49 shanks apart and a thigh of 1.01 shanks.

The 33 landmarks are as rough: limbs are SMPL's joints (hips too), heel and toe are the vertices for
COCO's feet, and knuckles, corners of the eyes and of the mouth are mixes of the nearest points that
have a known vertex, by the shares that those points have on the free body.
"""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.skeletons import COCO17, FEET6, LANDMARK33, SMPL24

NUM_VERTICES = 6890
KEYPOINT_NAMES: tuple[str, ...] = (
    *COCO17,
    *FEET6,
    *(f"landmark_{name}" for name in LANDMARK33),
)

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
    "left_thumb_tip": 2746,
    "left_index_tip": 2319,
    "left_pinky_tip": 2673,
    "right_thumb_tip": 6191,
    "right_index_tip": 5782,
    "right_pinky_tip": 6133,
}
_LANDMARK: dict[str, dict[str, float]] = {
    "eye_inner": {"eye": 0.79, "other_eye": 0.21},
    "eye_outer": {"eye": 1.23, "other_eye": -0.23},
    "mouth": {"nose": 2.15, "eye": -0.77, "other_eye": -0.87, "ear": 0.38, "other_ear": 0.11},
    "pinky": {"wrist": 0.37, "pinky_tip": 0.63},
    "index": {"wrist": 0.41, "index_tip": 0.59},
    "thumb": {"wrist": 0.33, "thumb_tip": 0.67},
    "foot_index": {"big_toe": 1.0},
}
"""Mixes of other points of the same side; all other landmarks have a vertex or a joint."""
_HIP_OUT = 0.23
"""Way outwards, as a share of the distance between the two hip joints."""
_HIP_UP = 0.30
"""Way up, as a share of the way from the middle of the hip joints to the pelvis joint."""


def smpl_keypoint_regressor(j_regressor: np.ndarray) -> np.ndarray:
    """(24, 6890) joint regressor of a SMPL file to (56, 6890) rows for KEYPOINT_NAMES."""
    rows = [_coco_row(name, j_regressor) for name in COCO17 + FEET6]
    return np.stack(rows + [_landmark_row(name, j_regressor) for name in LANDMARK33])


def _coco_row(name: str, j_regressor: np.ndarray) -> np.ndarray:
    if not name.endswith("_hip"):
        return _point(name, j_regressor)
    joint, other = _point(name, j_regressor), _point(_other_side(name), j_regressor)
    pelvis = _point("pelvis", j_regressor)
    return joint + _HIP_OUT * (joint - other) + _HIP_UP * (pelvis - (joint + other) / 2.0)


def _landmark_row(name: str, j_regressor: np.ndarray) -> np.ndarray:
    side = "left" if "left" in name else "right"
    part = name.replace(f"{side}_", "").replace(f"_{side}", "")
    if part not in _LANDMARK:
        return _point(name, j_regressor)
    row = np.zeros(j_regressor.shape[1])
    for point, share in _LANDMARK[part].items():
        whole = point if point == "nose" else f"{side}_{point}"
        if point.startswith("other_"):
            whole = _other_side(f"{side}_{point.removeprefix('other_')}")
        row += share * _point(whole, j_regressor)
    return row


def _point(name: str, j_regressor: np.ndarray) -> np.ndarray:
    """Row of a single vertex, or of one of SMPL's joints."""
    if name not in _VERTEX:
        return j_regressor[SMPL24.index(name)]
    row = np.zeros(j_regressor.shape[1])
    row[_VERTEX[name]] = 1.0
    return row


def _other_side(name: str) -> str:
    return name.replace("left", "?").replace("right", "left").replace("?", "right")

"""Keypoint regressors and named vertices of the body."""

from __future__ import annotations

import numpy as np

from tools.body.source import Array, IntArray

COCO = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
FEET = [f"{s}_{p}" for s in ("left", "right") for p in ("big_toe", "small_toe", "heel")]
EXTENT = [
    "head_top",
    "left_fingertip",
    "right_fingertip",
    "chin",
    "chest_front",
    "left_buttock",
    "right_buttock",
    "belly_front",
]
KEYPOINT_NAMES = [*COCO, *FEET, *EXTENT]
MIN_SHARE = 1e-4  # smaller weights of the source's regressors are dropped


def extent_vertices(template: Array, joints: Array, mirror: IntArray) -> dict[str, list[int]]:
    """Vertices of the T-posed template that bound the body in a picture, by name."""
    x, y, z = template.T
    middle = np.abs(x) < 1e-6
    spine2, spine3, neck, head = joints[6, 1], joints[9, 1], joints[12, 1], joints[15]

    def pick(value: Array, region: Array) -> int:
        return int(np.flatnonzero(region)[np.argmax(value[region])])

    chin_zone = middle & (z > head[2]) & (np.abs(y - head[1] + 0.02) < 0.045)
    chest = pick(z, (x > 0.03) & (x < 0.14) & (y > spine3 - 0.05) & (y < neck - 0.1))
    belly = pick(z, middle & (y > joints[0, 1] - 0.05) & (y < spine2 + 0.05))
    buttock = pick(-z, (x > 0.03) & (y < joints[0, 1] + 0.02) & (y > joints[1, 1] - 0.12))
    tip = int(np.argmax(x))
    return {
        "head_top": [pick(y, middle)],
        "left_fingertip": [tip],
        "right_fingertip": [int(mirror[tip])],
        "chin": [pick(z - y, chin_zone)],
        "chest_front": [chest, int(mirror[chest])],
        "left_buttock": [buttock],
        "right_buttock": [int(mirror[buttock])],
        "belly_front": [belly],
    }


def keypoint_regressor(
    source: dict[str, Array], carry: Array, extents: dict[str, list[int]], mirror: IntArray
) -> Array:
    """(K, V) rows that sum to 1; `carry` (V, V0) moves weights from the source vertices."""
    rows = []
    for name in KEYPOINT_NAMES:
        if name in extents:
            row = np.zeros(len(mirror))
            row[extents[name]] = 1 / len(extents[name])
        else:
            other = source[_other(name)]
            row = 0.5 * (carry @ source[name] + (carry @ other)[mirror])
            row[row < MIN_SHARE * row.max()] = 0
        rows.append(row / row.sum())
    return np.stack(rows)


def _other(name: str) -> str:
    if name.startswith("left"):
        return name.replace("left", "right", 1)
    return name.replace("right", "left", 1)


def named_vertices(
    template: Array, regressor: Array, finger_weights: Array, mirror: IntArray
) -> dict[str, int]:
    """Single vertices under the names that smplx's joint selector wants.

    `finger_weights` (V, 5): skinning weight of the left thumb's to little finger's last bone.
    """
    points = dict(zip(KEYPOINT_NAMES, regressor @ template, strict=True))
    pairs = {
        "eye": "eye",
        "ear": "ear",
        "BigToe": "big_toe",
        "SmallToe": "small_toe",
        "Heel": "heel",
    }
    ids = {"nose": int(np.argmin(np.linalg.norm(template - points["nose"], axis=1)))}
    left: dict[str, int] = {}
    for key, name in pairs.items():
        left[key] = int(np.argmin(np.linalg.norm(template - points[f"left_{name}"], axis=1)))
    for k, name in enumerate(("thumb", "index", "middle", "ring", "pinky")):
        along = np.array([0.4, 0.0, 1.0]) if name == "thumb" else np.array([1.0, 0.0, 0.0])
        left[name] = int(np.argmax(np.where(finger_weights[:, k] > 0.6, template @ along, -9)))
    for key, vertex in left.items():
        upper = key[0].isupper()
        ids[("L" if upper else "l") + key] = vertex
        ids[("R" if upper else "r") + key] = int(mirror[vertex])
    return ids

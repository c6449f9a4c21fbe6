"""SMPL's skeleton: joint order, parents, sides and rest bone directions.

The directions come from published joint positions of the neutral model in its T-pose
(x to the person's left, y up, z forward); lengths are the source bodies' own.
"""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.skeletons import SMPL24, SMPL24_PARENTS
from tools.body.source import MIRROR, Array

PARENTS = SMPL24_PARENTS
JOINT_NAMES = list(SMPL24)
JOINT_MIRROR = np.array(
    [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
)
PELVIS = np.array([0.0, -0.2233, 0.0282])

#: Unit vectors from the parent to the joint in SMPL's T-pose, left side.
DIRECTIONS = {
    1: (0.601, -0.797, -0.049),
    4: (0.095, -0.995, -0.018),
    7: (-0.037, -0.994, -0.107),
    10: (0.192, -0.387, 0.902),
    3: (0.0, 0.971, -0.238),
    6: (0.0, 1.0, 0.008),
    9: (0.0, 0.901, 0.433),
    12: (0.0, 0.980, -0.196),
    15: (0.0, 0.784, 0.619),
    13: (0.538, 0.808, -0.244),
    16: (0.944, 0.318, -0.091),
    18: (0.994, -0.051, -0.095),
    20: (0.999, 0.033, -0.013),
    22: (0.985, -0.084, -0.148),
}


def direction(joint: int) -> Array:
    """Unit vector from the parent of `joint` to it in the T-pose, (3,)."""
    left = DIRECTIONS.get(joint)
    vector = np.array(left) if left else np.array(DIRECTIONS[int(JOINT_MIRROR[joint])]) * MIRROR
    return vector / np.linalg.norm(vector)

"""Rare postures that the pose library lacks: lying, crawling, kneeling, floor sitting, handstand.

Angles are radians about the body frame's axes (x left, y up, z forward). Hips flex about -x, knees
about +x; the left arm goes down about -z and forward about -y, the right arm the other way round.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from eftvideo.geometry.rotations import about_axis, axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.train.synthetic.motions import Motion

_Q = math.pi / 2
_ARMS_DOWN = {"left_shoulder": (0, 0, -1.2), "right_shoulder": (0, 0, 1.2)}
_ARMS_FORWARD = {"left_shoulder": (0, -_Q, 0), "right_shoulder": (0, _Q, 0)}
_ARMS_OVERHEAD = {"left_shoulder": (0, 0, 1.4), "right_shoulder": (0, 0, -1.4)}


def _legs(hip: float, knee: float, ankle: float = 0.0, out: float = 0.0) -> dict[str, tuple]:
    return {
        "left_hip": (hip, out, 0.5 * out),
        "right_hip": (hip, -out, -0.5 * out),
        "left_knee": (knee, 0, 0),
        "right_knee": (knee, 0, 0),
        "left_ankle": (ankle, 0, 0),
        "right_ankle": (ankle, 0, 0),
    }


POSTURES: dict[str, tuple[tuple[float, float, float], dict[str, tuple]]] = {
    "supine": ((-_Q, 0, 0), _ARMS_DOWN | _legs(-0.2, 0.3)),
    "supine_knees_up": ((-_Q, 0, 0), _ARMS_DOWN | _legs(-0.9, 1.6)),
    "prone": ((_Q, 0, 0), _ARMS_DOWN | _legs(0.0, 0.1, 0.6)),
    "side": ((0, 0, _Q), _ARMS_DOWN | _legs(-0.7, 0.9)),
    "crawl": ((_Q, 0, 0), _ARMS_FORWARD | _legs(-_Q, _Q, 0.5) | {"neck": (-0.5, 0, 0)}),
    "plank": ((1.25, 0, 0), _ARMS_FORWARD | _legs(0.0, 0.0, -0.3) | {"neck": (-0.3, 0, 0)}),
    "down_dog": ((2.2, 0, 0), _ARMS_OVERHEAD | _legs(-1.4, 0.1, -0.3)),
    "floor_sit": ((-0.2, 0, 0), _ARMS_DOWN | _legs(-1.4, 0.2)),
    "cross_legged": ((0, 0, 0), _ARMS_DOWN | _legs(-1.3, 2.0, 0.0, 0.7)),
    "kneel": ((0, 0, 0), _ARMS_DOWN | _legs(-0.1, 1.7, 0.6)),
    "sit_on_heels": ((0.1, 0, 0), _ARMS_DOWN | _legs(-1.1, 2.4, 0.6)),
    "deep_squat": ((0.3, 0, 0), _ARMS_FORWARD | _legs(-2.0, 2.2, -0.4, 0.3)),
    "chair": ((0, 0, 0), _ARMS_DOWN | _legs(-1.5, 1.5)),
    "toe_touch": ((0, 0, 0), _ARMS_FORWARD | _legs(0, 0.1) | {"spine1": (1.0, 0, 0)}),
    "handstand": ((math.pi, 0, 0), _ARMS_OVERHEAD | _legs(0.0, 0.1, 0.4)),
    "arms_up": ((0, 0, 0), _ARMS_OVERHEAD | _legs(0.0, 0.0)),
}
"""Name: turn of the body frame in the world, and rotation vectors of some joints."""


def _prototypes() -> tuple[Tensor, Tensor]:
    root = torch.tensor([turn for turn, _ in POSTURES.values()])
    joints = torch.zeros(len(POSTURES), 24, 3)
    for i, (_, angles) in enumerate(POSTURES.values()):
        for name, vector in angles.items():
            joints[i, SMPL24.index(name)] = torch.tensor(vector)
    return root, joints


def make_up(
    motion: Motion,
    chosen: Tensor,
    generator: torch.Generator,
    *,
    spread_rad: float = 0.3,
    wobble: float = 0.4,
) -> Motion:
    """Replace the `chosen` (N,) windows by made-up postures.

    The posture stays while the library's own motion goes on in it, reduced to the share `wobble`;
    every joint gets a constant random turn of about `spread_rad`.
    """
    rows = chosen.nonzero().squeeze(1)
    if not len(rows):
        return motion
    root, joints = _prototypes()
    pick = torch.randint(len(root), (len(rows),), generator=generator)
    spread = spread_rad * torch.randn(len(rows), 24, 3, generator=generator)
    spread[:, 0] *= 0.6
    base = axis_angle_to_matrix(joints[pick]) @ axis_angle_to_matrix(spread)
    own = motion.rotations[rows]
    center = own[:, own.shape[1] // 2]
    change = matrix_to_axis_angle(center[:, None].mT @ own) * wobble
    made = base[:, None] @ axis_angle_to_matrix(change)
    roll = about_axis(2, 0.2 * torch.randn(len(rows), generator=generator))
    made[:, :, 0] = (roll @ axis_angle_to_matrix(root[pick]))[:, None] @ made[:, :, 0]
    rotations, pelvis = motion.rotations.clone(), motion.pelvis.clone()
    rotations[rows] = made
    pelvis[rows] = motion.pelvis[rows] * 0.3
    return Motion(rotations, pelvis)

"""BVH, one person a file: a skeleton and its Euler angles, for animation programs.

Each joint's rotation is R = Rz Rx Ry (columns Zrotation Xrotation Yrotation, degrees); only the
pelvis has a position. Lengths are centimetres, or metres on request. In the rest pose the person
stands in a T, facing +z, with y up (or facing -y, with z up).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from eftvideo.bodies import BodyModel
from eftvideo.exporters import Scene
from eftvideo.exporters._motion import Up
from eftvideo.files import write_whole
from eftvideo.geometry.skeletons import SMPL24, SMPL24_PARENTS
from eftvideo.types import SmplParams

CHILDREN = [
    [c for c, parent in enumerate(SMPL24_PARENTS) if parent == j] for j in range(len(SMPL24))
]
_STAND_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""The body's own y-up axes to z-up ones."""
_ROTATION = "Zrotation Xrotation Yrotation"


class Model:
    """The 24 joints of SMPL by name."""

    suffix: ClassVar[str] = ".bvh"
    tag: ClassVar[str] = ""
    one_person_a_file: ClassVar[bool] = True
    ups: ClassVar[tuple[Up | None, ...]] = ("y", "z")
    no_fps: ClassVar[str] = ""

    def rate(self, clip_fps: float, wanted: float | None) -> float:
        """The clip's usual rate, if nothing is wanted: a BVH has one rate."""
        return clip_fps if wanted is None else wanted

    def save(self, path: Path, scene: Scene) -> None:
        """Write hierarchy and motion.

        Raises:
            VideoWriteError: it cannot be written.
        """
        motion, scale = scene.people[0], 1.0 if scene.metres else 100.0
        basis = _STAND_UP if scene.up == "z" else np.eye(3)
        offsets = motion.rest_offsets_m @ basis.T * scale
        tips = leaf_tips(scene.body, motion.betas) @ basis.T * scale
        # The joints' own axes stand upright with the file's, so that a T-pose has angles of zero.
        rotations = basis @ motion.rotations @ basis.T
        rotations[:, 0] = motion.rotations[:, 0] @ basis.T
        order = _depth_first(0)
        angles = np.stack([euler_zxy_deg(rotations[:, j]) for j in order], axis=1)
        values = np.concatenate([motion.pelvis_m * scale, angles.reshape(len(motion), -1)], axis=1)
        lines = ["HIERARCHY", *_hierarchy(0, offsets, tips, "")]
        lines += [
            "MOTION",
            f"Frames: {len(motion)}",
            f"Frame Time: {1.0 / (scene.fps or 30.0):.9f}",
        ]
        lines += [" ".join(f"{v:.6f}" for v in row) for row in values]
        write_whole(path, ("\n".join(lines) + "\n").encode("ascii"))


def euler_zxy_deg(matrices: np.ndarray) -> np.ndarray:
    """(F, 3, 3) to (F, 3) degrees z, x, y with R = Rz(z) Rx(x) Ry(y), without jumps in time.

    Of the two triples of a rotation the one nearer to the sample before is taken, and full turns
    are added, so that a program that interpolates the numbers does not spin the joint.
    """
    x = np.arcsin(np.clip(matrices[:, 2, 1], -1.0, 1.0))
    z = np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1])
    y = np.arctan2(-matrices[:, 2, 0], matrices[:, 2, 2])
    locked = np.abs(matrices[:, 2, 1]) > 1.0 - 1e-12
    z = np.where(locked, np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]), z)
    angles = np.stack([z, x, np.where(locked, 0.0, y)], axis=1)
    other = np.stack([z + np.pi, np.pi - x, angles[:, 2] + np.pi], axis=1)
    for i in range(1, len(angles)):
        choices = np.stack([angles[i], other[i]])
        choices -= 2.0 * np.pi * np.round((choices - angles[i - 1]) / (2.0 * np.pi))
        angles[i] = choices[np.abs(choices - angles[i - 1]).sum(1).argmin()]
    return np.degrees(angles)


@torch.no_grad()
def leaf_tips(body: BodyModel, betas: np.ndarray) -> np.ndarray:
    """(24, 3) metres: for joints without children, the farthest vertex of that part; else zeros.

    So end sites are at toes, crown and finger tips.
    """
    shape = torch.from_numpy(betas.astype(np.float32))[None]
    eye = torch.eye(3).expand(1, 24, 3, 3)
    params = SmplParams(eye[:, 0], eye[:, 1:], shape)
    mesh = body.vertices(params, torch.zeros(1, 3))[0].numpy()
    joints = body.joints_and_keypoints(params)[0][0].numpy()
    owner, tips = body.skin_weights.argmax(1), np.zeros((24, 3))
    for joint, children in enumerate(CHILDREN):
        if not children:
            away = mesh[owner == joint] - joints[joint]
            tips[joint] = away[np.linalg.norm(away, axis=1).argmax()] if len(away) else 0.0
    return tips


def _depth_first(joint: int) -> list[int]:
    return [joint, *(j for child in CHILDREN[joint] for j in _depth_first(child))]


def _hierarchy(joint: int, offsets: np.ndarray, tips: np.ndarray, pad: str) -> Iterator[str]:
    def offset(values: np.ndarray) -> str:
        return "OFFSET " + " ".join(f"{v:.6f}" for v in values)

    root = joint == 0
    yield f"{pad}{'ROOT' if root else 'JOINT'} {SMPL24[joint]}"
    yield pad + "{"
    yield f"{pad}  {offset(offsets[joint])}"
    position = "6 Xposition Yposition Zposition" if root else "3"
    yield f"{pad}  CHANNELS {position} {_ROTATION}"
    for child in CHILDREN[joint]:
        yield from _hierarchy(child, offsets, tips, pad + "  ")
    if not CHILDREN[joint]:
        yield from (f"{pad}  End Site", pad + "  {", f"{pad}    {offset(tips[joint])}", pad + "  }")
    yield pad + "}"

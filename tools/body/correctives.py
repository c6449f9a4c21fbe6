"""Pose correctives: what linear blend skinning with SMPL's 207 pose features lacks.

The target keeps volume: a mix of dual quaternion skinning and linear blend skinning of the
source model's surface, corrected at the shoulders and elbows by the source's own modelled
rest pose (arms down). Each vertex gets only the features of the joints between the bones
that move it, by ridge regression over random joint rotations; no motion capture is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tools.body.skeleton import JOINT_MIRROR, PARENTS
from tools.body.source import MIRROR, Array, IntArray
from tools.body.tpose import shortest_turn

DUAL_SHARE = 0.8
NUM_POSES = 900
IDENTITY_SHARE = 0.35
MIN_WEIGHT = 0.01
RIDGE = 0.05
SHOULDER_REACH_M = (0.10, 0.22)  # the rest pose counts fully within, not at all beyond
GRID_M = 1e-5  # correctives are rounded to this, so that the file stays small

#: Joint ranges of the left side in degrees about x (person's left), y (up), z (front).
RANGES = {
    1: ((-130, 40), (-50, 50), (-30, 60)),
    4: ((-5, 145), (-15, 15), (-8, 8)),
    7: ((-35, 50), (-25, 25), (-25, 25)),
    10: ((-50, 20), (-5, 5), (-5, 5)),
    3: ((-20, 45), (-30, 30), (-25, 25)),
    6: ((-20, 45), (-30, 30), (-25, 25)),
    9: ((-20, 45), (-30, 30), (-25, 25)),
    12: ((-40, 40), (-50, 50), (-35, 35)),
    15: ((-40, 40), (-50, 50), (-35, 35)),
    13: ((-15, 15), (-30, 20), (-25, 35)),
    16: ((-90, 90), (-120, 45), (-90, 90)),
    18: ((-90, 90), (-150, 5), (-10, 10)),
    20: ((-60, 60), (-35, 35), (-75, 75)),
    22: ((-10, 10), (-20, 20), (-45, 25)),
}


@dataclass(frozen=True)
class Skinned:
    """A body that can be posed: template (V, 3), joints (24, 3), weights (V, 24)."""

    template: Array
    joints: Array
    weights: Array


def random_poses(num: int, seed: int) -> Array:
    """(num, 24, 3, 3) local joint rotations within anatomical ranges, pelvis fixed."""
    rng = np.random.default_rng(seed)
    poses = np.broadcast_to(np.eye(3), (num, 24, 3, 3)).copy()
    for joint in range(1, 24):
        left = joint in RANGES
        limits = np.array(RANGES[joint if left else int(JOINT_MIRROR[joint])], dtype=float)
        angle = np.deg2rad(rng.uniform(limits[:, 0], limits[:, 1], (num, 3)))
        if not left:
            angle = angle * np.array([1.0, -1.0, -1.0])
        swing = Rotation.from_rotvec(angle * np.array([0.0, 1.0, 1.0]))
        twist = Rotation.from_rotvec(angle * np.array([1.0, 0.0, 0.0]))
        turned = (swing * twist).as_matrix()
        still = rng.uniform(size=num) < IDENTITY_SHARE
        poses[~still, joint] = turned[~still]
    return poses


def multiply(a: Array, b: Array) -> Array:
    """Products of quaternions (..., 4), scalar first."""
    real = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdims=True)
    rest = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate([real, rest], -1)


def global_motion(body: Skinned, pose: Array) -> tuple[Array, Array, Array]:
    """Global rotations (24, 3, 3), shifts (24, 3) with x -> R x + t, quaternions (24, 4).

    Quaternions follow the chain, so that neighbours never differ by the long way round.
    """
    local = Rotation.from_matrix(pose).as_quat(scalar_first=True)
    local = np.where(local[:, :1] < 0, -local, local)
    turn, quaternion, place = pose.copy(), local.copy(), body.joints.copy()
    for joint in range(1, 24):
        parent = PARENTS[joint]
        turn[joint] = turn[parent] @ pose[joint]
        quaternion[joint] = multiply(quaternion[parent], local[joint])
        offset = body.joints[joint] - body.joints[parent]
        place[joint] = place[parent] + turn[parent] @ offset
    return turn, place - np.einsum("jab,jb->ja", turn, body.joints), quaternion


def skin_linear(body: Skinned, turn: Array, shift: Array, points: Array) -> tuple[Array, Array]:
    """Linear blend skinning of `points` (V, 3); also the blended matrices (V, 3, 3)."""
    blend = np.einsum("vj,jab->vab", body.weights, turn)
    return np.einsum("vab,vb->va", blend, points) + body.weights @ shift, blend


def skin_dual(body: Skinned, quaternion: Array, shift: Array, points: Array) -> Array:
    """Dual quaternion skinning of `points` (V, 3)."""
    moved = np.concatenate([np.zeros((24, 1)), shift], 1)
    dual = 0.5 * multiply(moved, quaternion)
    real, dual = body.weights @ quaternion, body.weights @ dual
    length = np.linalg.norm(real, axis=1, keepdims=True)
    real, dual = real / length, dual / length
    offset = 2 * multiply(dual, real * np.array([1.0, -1.0, -1.0, -1.0]))[:, 1:]
    return Rotation.from_quat(real, scalar_first=True).apply(points) + offset


def support(weights: Array) -> NDArray[np.bool_]:
    """(V, 24) True where a joint's rotation can bend the surface at the vertex.

    These are the joints on the way between any two that move it, without the topmost.
    """
    chains = np.zeros((24, 24), dtype=bool)  # [joint, ancestor or self]
    for joint in range(24):
        step = joint
        while step >= 0:
            chains[joint, step] = True
            step = PARENTS[step]
    movers = weights > MIN_WEIGHT
    some = (movers[:, :, None] & chains[None]).any(1)
    every = (~movers[:, :, None] | chains[None]).all(1)
    return some & ~every


def fit(body: Skinned, rest_offset: RestOffset | None, mirror: IntArray, seed: int) -> Array:
    """(V, 3, 207) correctives of the body, mirror-symmetric."""
    poses = random_poses(NUM_POSES, seed)
    count = len(body.template)
    todo = support(body.weights)[:, 1:] & (body.template[:, :1] > -1e-6)
    bending = np.flatnonzero(todo.any(1))
    blends, errors = _samples(body, rest_offset, poses, bending)
    features = (poses[:, 1:] - np.eye(3)).reshape(NUM_POSES, 23, 9)
    posedirs = np.zeros((count, 3, 23, 9))
    for joints in np.unique(todo[bending], axis=0):
        which = np.flatnonzero((todo[bending] == joints).all(1))
        part = _solve(features[:, joints].reshape(NUM_POSES, -1), blends[which], errors[which])
        posedirs[np.ix_(bending[which], range(3), np.flatnonzero(joints))] = part.reshape(
            len(which), 3, -1, 9
        )
    seen = _mirrored(posedirs, mirror)
    left = (body.template[:, 0] > 1e-6)[:, None, None, None]
    middle = (mirror == np.arange(count))[:, None, None, None]
    posedirs = np.where(middle, 0.5 * (posedirs + seen), np.where(left, posedirs, seen))
    return (np.round(posedirs / GRID_M) * GRID_M).reshape(count, 3, 207)


def _samples(
    body: Skinned, rest_offset: RestOffset | None, poses: Array, which: IntArray
) -> tuple[Array, Array]:
    """Blended matrices (G, N, 3, 3) and what plain skinning lacks (G, N, 3) at G vertices."""
    part = Skinned(body.template[which], body.joints, body.weights[which])
    blends = np.empty((len(which), len(poses), 3, 3))
    errors = np.empty((len(which), len(poses), 3))
    for n, pose in enumerate(poses):
        turn, shift, quaternion = global_motion(part, pose)
        linear, blends[:, n] = skin_linear(part, turn, shift, part.template)
        offset = 0.0 if rest_offset is None else rest_offset.at(pose)[which]
        dual = skin_dual(part, quaternion, shift, part.template + offset)
        plain = linear + np.einsum("vab,vb->va", blends[:, n], np.zeros_like(linear) + offset)
        errors[:, n] = DUAL_SHARE * dual + (1 - DUAL_SHARE) * plain - linear
    return blends, errors


def _solve(features: Array, blend: Array, error: Array) -> Array:
    """(G, 3, K) with blend (G, N, 3, 3) @ (P @ features (N, K)) nearest to error (G, N, 3)."""
    num, size = features.shape
    group = len(error)
    metric = np.swapaxes(blend, 2, 3) @ blend
    squares = (features[:, :, None] * features[:, None]).reshape(num, -1)
    normal = metric.transpose(0, 2, 3, 1).reshape(-1, num) @ squares
    normal = normal.reshape(group, 3, 3, size, size).transpose(0, 1, 3, 2, 4)
    pulled = (np.swapaxes(blend, 2, 3) @ error[..., None])[..., 0]
    right = (pulled.transpose(0, 2, 1).reshape(-1, num) @ features).reshape(group, 3 * size, 1)
    system = normal.reshape(group, 3 * size, 3 * size) + RIDGE**2 * num * np.eye(3 * size)
    return np.linalg.solve(system, right).reshape(group, 3, size)


def _mirrored(posedirs: Array, mirror: IntArray) -> Array:
    """The same correctives (V, 3, 23, 9) seen in the mirror."""
    swap = JOINT_MIRROR[1:] - 1
    signs = np.outer(MIRROR, MIRROR).reshape(9)
    return posedirs[mirror][:, :, swap] * signs * MIRROR[None, :, None, None]


def rest_offset(
    body: Skinned, rest: Array, turns: dict[int, Array], shoulder: Array, mirror: IntArray
) -> RestOffset:
    """Offset of the source's rest pose `rest` (V, 3) near the left shoulder.

    `turns`: global rotations from rest to T-pose of the left collar, shoulder, elbow and
    wrist; `shoulder` (3,): the joint in the rest pose. Trunks of `rest` and body coincide.
    """
    pose = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    pose[13] = shortest_turn(body.joints[16] - body.joints[13], shoulder - body.joints[13])
    pose[16] = pose[13].T @ turns[16].T
    pose[18] = turns[16] @ turns[18].T
    pose[20] = turns[18] @ turns[20].T
    turn, shift, quaternion = global_motion(body, pose)
    linear, blend = skin_linear(body, turn, shift, body.template)
    dual = skin_dual(body, quaternion, shift, body.template)
    missing = rest - (DUAL_SHARE * dual + (1 - DUAL_SHARE) * linear)
    offset = np.linalg.solve(blend, missing[:, :, None])[:, :, 0]
    far = np.linalg.norm(body.template - body.joints[16], axis=1)
    near = np.clip((SHOULDER_REACH_M[1] - far) / (SHOULDER_REACH_M[1] - SHOULDER_REACH_M[0]), 0, 1)
    smooth = near * near * (3 - 2 * near)
    arm = turn[16] @ np.array([1.0, 0.0, 0.0])
    return RestOffset(smooth[:, None] * offset, mirror, -float(np.arcsin(arm[1])))


@dataclass(frozen=True)
class RestOffset:
    """How the source's modelled rest pose differs from the skinned T-pose near the arms.

    `left` (V, 3): offset in T-pose space at full strength, `mirror` as elsewhere. The
    strength grows with how far the upper arm hangs below level: 1 at `angle_rad`.
    """

    left: Array
    mirror: IntArray
    angle_rad: float

    def at(self, pose: Array) -> Array:
        """Offset (V, 3) for local rotations (24, 3, 3)."""
        right = self.left[self.mirror] * MIRROR
        strengths = []
        for collar, shoulder, sign in ((13, 16, 1.0), (14, 17, -1.0)):
            arm = pose[collar] @ pose[shoulder] @ np.array([sign, 0.0, 0.0])
            drop = -np.arcsin(np.clip(arm[1], -1, 1)) / self.angle_rad
            strengths.append(np.clip(drop, 0.0, 1.5))
        return strengths[0] * self.left + strengths[1] * right

"""Shape space, joint regressor and keypoint regressors fitted to the T-posed population."""

from __future__ import annotations

import numpy as np

from tools.body.skeleton import JOINT_MIRROR, PELVIS
from tools.body.source import MIRROR, Array, IntArray

NUM_BETAS = 10
JOINT_WEIGHT = 3.0  # more loses girths (4.4 mm of surface at 4), less loses forearms (0.63 at 1)
CANDIDATES_PER_OCTANT = 60
RIDGE = 2e-4


def shape_space(
    vertices: Array, joints: Array, num_adults: int
) -> tuple[Array, Array, Array, Array]:
    """Mean and 10 unit-variance directions of vertices and, by the same sums, of joints.

    `vertices` (N, V, 3), `joints` (N, 24, 3), pelvis at one place in all of them. The mean
    is the adults' (the first `num_adults`), the variance everybody's about it. Joints count
    `JOINT_WEIGHT` times in the choice of the ten, so that lengths are kept before girths; among
    the ten, the one that moves the surface most comes first. Returns template (V, 3), shapedirs
    (V, 3, 10), mean joints (24, 3), joint directions (24, 3, 10).
    """
    template, mean_joints = vertices[:num_adults].mean(0), joints[:num_adults].mean(0)
    moved, moved_joints = vertices - template, joints - mean_joints
    seen = _products(moved)
    _, scores = np.linalg.eigh(seen + JOINT_WEIGHT**2 * _products(moved_joints))
    scores = scores[:, -NUM_BETAS:]
    _, turn = np.linalg.eigh(scores.T @ seen @ scores)
    scores = scores @ turn[:, ::-1]
    height = np.ptp(vertices[:, :, 1], axis=1)
    signs = np.where((scores * (height - height.mean())[:, None]).sum(0) < 0, -1.0, 1.0)
    combine = scores * signs / np.sqrt(len(vertices))
    shapedirs = np.einsum("nvc,nk->vck", moved, combine)
    return template, shapedirs, mean_joints, np.einsum("njc,nk->jck", moved_joints, combine)


def _products(moved: Array) -> Array:
    """(N, N) scalar products of displacements (N, P, 3), mean over the points."""
    flat = moved.reshape(len(moved), -1)
    return flat @ flat.T / moved.shape[1]


#: Trunk joints are placed from hips and shoulders, so vertices there help to find them.
ANCHORS = {
    0: (1, 2), 3: (1, 2, 16, 17), 6: (1, 2, 16, 17), 9: (1, 2, 16, 17), 12: (9, 16, 17),
    13: (16,), 15: (12,), 4: (1,), 1: (2,),
}  # fmt: skip


def _candidates(template: Array, joints: Array, which: int, mirror: IntArray) -> IntArray:
    """Vertices in every octant around the joint and its anchors, so that it is interpolated."""
    around = [_around(template, joints[j]) for j in (which, *ANCHORS.get(which, ()))]
    chosen = np.unique(np.concatenate(around))
    if JOINT_MIRROR[which] == which:
        chosen = np.unique(np.concatenate([chosen, mirror[chosen]]))
    return chosen


def _around(template: Array, joint: Array) -> IntArray:
    offset = template - joint
    octant = (offset > 0) @ np.array([1, 2, 4])
    distance = np.linalg.norm(offset, axis=1)
    picked = []
    for which in range(8):
        members = np.flatnonzero(octant == which)
        near = members[np.argsort(distance[members])]
        near = near[: max(CANDIDATES_PER_OCTANT, len(near) // 3)]
        spread = np.linspace(0, 1, CANDIDATES_PER_OCTANT) ** 2 * (len(near) - 1)
        picked.append(near[np.unique(np.round(spread).astype(int))])
    return np.concatenate(picked)


def fit_joint_regressor(
    vertices: Array,
    joints: Array,
    space: tuple[Array, Array, Array, Array],
    mirror: IntArray,
) -> Array:
    """(24, V) rows that sum to 1 and give the joints of T-posed bodies.

    Exact on the template and every shape direction (so bone directions stay SMPL's for all
    betas), least squares with a ridge on the population itself.
    """
    template, shapedirs, mean_joints, jointdirs = space
    regressor = np.zeros((24, len(template)))
    for joint in range(24):
        other = int(JOINT_MIRROR[joint])
        if other < joint:
            regressor[joint] = regressor[other][mirror]
            continue
        near = _candidates(template, mean_joints, joint, mirror)
        data = np.moveaxis(vertices[:, near] - mean_joints[joint], 1, 2).reshape(-1, len(near))
        goal = (joints[:, joint] - mean_joints[joint]).ravel()
        origin = template[near] - mean_joints[joint]
        exact = np.concatenate(
            [np.ones((1, len(near))), origin.T, *shapedirs[near].transpose(2, 1, 0)]
        )
        target = np.concatenate([[1.0], np.zeros(3), jointdirs[joint].T.ravel()])
        system = data.T @ data / len(vertices) + RIDGE**2 * np.eye(len(near))
        zeros = np.zeros((len(target), len(target)))
        kkt = np.block([[system, exact.T], [exact, zeros]])
        right = np.concatenate([data.T @ goal / len(vertices), target])
        regressor[joint, near] = np.linalg.lstsq(kkt, right, rcond=1e-12)[0][: len(near)]
    return regressor


def centre_on_pelvis(template: Array, shapedirs: Array, regressor: Array) -> tuple[Array, Array]:
    """Template and directions moved so that the regressed pelvis never leaves its place."""
    template = template + (PELVIS - regressor[0] @ template)
    shift = np.einsum("v,vck->ck", regressor[0], shapedirs)
    return template, shapedirs - shift


def symmetric_part(vectors: Array, mirror: IntArray) -> Array:
    """(V, 3, ...) averaged with its mirror image."""
    sign = MIRROR.reshape(1, 3, *([1] * (vectors.ndim - 2)))
    return 0.5 * (vectors + vectors[mirror] * sign)

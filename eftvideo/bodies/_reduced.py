"""Joints and keypoints of a skinned body without its vertices; exact, and cheap to differentiate.

A keypoint is a fixed mix of skinned vertices (R: K x V mixes, W: V x 24 skinning weights):

    k(theta, beta) = sum_v R[k, v] sum_j W[v, j] (G_j (x_v - J_j) + p_j),
    x_v = template_v + shapedirs_v beta + posedirs_v f,

G_j being joint j's rotation in the body frame, J_j its rest and p_j its posed position, and f the
207 pose features (rotation - identity of joints 1..23). p_j is itself a sum of rotated bones:
p_j = J_0 + sum over the joints i on the path 1..j of G_parent(i) (J_i - J_parent(i)). Collecting
what each G_j multiplies gives, for keypoints and joints alike,

    point_q = J_0(beta) + sum_j G_j L_qj(beta, f),   L affine in beta and in f,

so one forward pass is the kinematic chain and three small matrix products. The sums over the
vertices are done once, in float64. The formulas are those of SMPL (Loper et al. 2015, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from eftvideo.geometry.skeletons import SMPL24, SMPL24_PARENTS

NUM_JOINTS = len(SMPL24)
_LEVELS = (3, 3, 3, 2, 3, 3, 2, 2, 2)
"""Joints per level of the tree below the pelvis: hips and spine1, knees and spine2, ankles and
spine3, feet, neck and collars, head and shoulders, elbows, wrists, hands."""
_DROP_M = 1e-7
"""Coordinates of L that pose features can move by no more than this are not computed."""


@dataclass(frozen=True)
class BodyTables:
    """What the reduction needs of a body; numpy arrays, B betas, V vertices."""

    v_template: np.ndarray
    """(V, 3) metres."""
    shapedirs: np.ndarray
    """(V, 3, B) metres per unit of beta."""
    posedirs: np.ndarray
    """(V, 3, 207) metres per unit of rotation matrix entry."""
    j_regressor: np.ndarray
    """(24, V)."""
    skin_weights: np.ndarray
    """(V, 24)."""


class ReducedBody(nn.Module):
    """24 joints and K mixes of vertices, for SMPL's kinematic tree."""

    shape_map: Tensor
    pose_map: Tensor
    pose_columns: Tensor
    bone_map: Tensor
    eye: Tensor

    def __init__(self, tables: BodyTables, regressor: np.ndarray) -> None:
        """Sum over the vertices once.

        Args:
            tables: the body.
            regressor: (K, V), rows that sum to 1.
        """
        super().__init__()
        self.num_points = NUM_JOINTS + len(regressor)
        shape_map, pose_map = _contract(tables, regressor)
        moved = np.flatnonzero(2.0 * np.abs(pose_map).sum(0) > _DROP_M)
        _buffer(self, "shape_map", shape_map)
        _buffer(self, "pose_map", pose_map[:, moved])
        rest = shape_map[:, 3:].reshape(len(shape_map), NUM_JOINTS, 3, self.num_points).sum(1)
        children = [child for child, parent in enumerate(SMPL24_PARENTS) if parent >= 0]
        bones = rest[..., children] - rest[..., [SMPL24_PARENTS[child] for child in children]]
        _buffer(self, "bone_map", bones.reshape(len(shape_map), -1))
        self.register_buffer("pose_columns", torch.from_numpy(moved), persistent=False)
        self.register_buffer("eye", torch.eye(3), persistent=False)

    def forward(self, global_orient: Tensor, body_pose: Tensor, betas: Tensor) -> Tensor:
        """Pose the points.

        Args:
            global_orient: (N, 3, 3). body_pose: (N, 23, 3, 3). betas: (N, B).

        Returns:
            (N, 24 + K, 3) metres: joints, then the regressor's rows; no translation added.
        """
        shaped = torch.addmm(self.shape_map[0], betas, self.shape_map[1:])
        pelvis, local = shaped[:, :3, None], shaped[:, 3:]
        if len(self.pose_columns):
            feature = (body_pose - self.eye).flatten(1)
            local = local.index_add(1, self.pose_columns, feature @ self.pose_map)
        local = local.unflatten(1, (NUM_JOINTS * 3, self.num_points))
        turned = global_rotations(global_orient, body_pose)
        rows = turned.permute(1, 2, 0, 3).flatten(2)
        return torch.baddbmm(pelvis, rows, local).transpose(1, 2)

    def rest_pelvis(self, betas: Tensor) -> Tensor:
        """(N, B) to (N, 3): the pelvis joint in the zero pose, metres."""
        return torch.addmm(self.shape_map[0, :3], betas, self.shape_map[1:, :3])

    def mean_bone(self, betas: Tensor) -> Tensor:
        """(N, B) to (N,): mean distance of a joint from its parent in the zero pose, metres."""
        bones = torch.addmm(self.bone_map[0], betas, self.bone_map[1:])
        return bones.unflatten(1, (3, -1)).norm(dim=1).mean(dim=1)


def _buffer(module: nn.Module, name: str, value: np.ndarray) -> None:
    module.register_buffer(name, torch.from_numpy(value.astype(np.float32)), persistent=False)


def global_rotations(global_orient: Tensor, body_pose: Tensor) -> Tensor:
    """Rotations along SMPL's tree: (N, 3, 3) and (N, 23, 3, 3) to (24, N, 3, 3).

    Works level by level: in SMPL's order the joints of one depth stand together, after their
    parents' level. With the joints first, a level is one contiguous batch: half the time of
    slicing (N, 24, 3, 3), forward and backward.
    """
    n = len(global_orient)
    levels = body_pose.transpose(0, 1).reshape(-1, 3, 3).split([n * size for size in _LEVELS])
    hips, knees, ankles, feet, upper, shoulders, elbows, wrists, hands = levels
    level1 = torch.bmm(global_orient.repeat(3, 1, 1), hips)
    level2 = torch.bmm(level1, knees)
    level3 = torch.bmm(level2, ankles)
    legs, spine3 = level3.split([2 * n, n])
    level4_feet = torch.bmm(legs, feet)
    level4_upper = torch.bmm(spine3.repeat(3, 1, 1), upper)
    level5 = torch.bmm(level4_upper, shoulders)
    level6 = torch.bmm(level5[n:], elbows)
    level7 = torch.bmm(level6, wrists)
    level8 = torch.bmm(level7, hands)
    upper_levels = (level4_upper, level5, level6, level7, level8)
    turned = torch.cat([global_orient, level1, level2, level3, level4_feet, *upper_levels])
    return turned.unflatten(0, (NUM_JOINTS, n))


def _contract(tables: BodyTables, regressor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum over the vertices.

    Returns:
        shape_map (1 + B, 3 + 72 Q): row 0 constant, then per beta; columns: the pelvis (3), then
        L as (joint, coordinate, point). pose_map (207, 72 Q), the same columns without the pelvis.
    """
    num_points = NUM_JOINTS + len(regressor)
    joints = _rest_joints(tables)
    shape, pose, share = _keypoint_sums(tables, regressor, joints)
    num_terms = joints.shape[-1]
    local = np.zeros((num_points, NUM_JOINTS, 3, num_terms))
    local[NUM_JOINTS:] = shape
    for child, parent in enumerate(SMPL24_PARENTS):
        if parent < 0:
            continue
        below = np.concatenate([_is_below(child), share @ _is_below(child)])
        local[:, parent] += below[:, None, None] * (joints[child] - joints[parent])
    pelvis = joints[0].T
    # Every point hangs on the pelvis whole, for rows and skinning weights sum to one.
    flat = local.transpose(3, 1, 2, 0).reshape(num_terms, -1)
    pose_full = np.zeros((pose.shape[-1], NUM_JOINTS, 3, num_points))
    pose_full[..., NUM_JOINTS:] = pose.transpose(3, 1, 2, 0)
    return np.concatenate([pelvis, flat], axis=1), pose_full.reshape(pose.shape[-1], -1)


def _rest_joints(tables: BodyTables) -> np.ndarray:
    """(24, 3, 1 + B): rest positions, constant and per beta."""
    affine = np.concatenate([tables.v_template[..., None], tables.shapedirs], axis=2)
    return _mix(tables.j_regressor.T.astype(np.float64), affine)


def _keypoint_sums(
    tables: BodyTables, regressor: np.ndarray, joints: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per keypoint and joint: offsets from the joint (K, 24, 3, 1+B), pose part (K, 24, 3, 207).

    The third value is the share (K, 24) that each joint has in each keypoint.
    """
    shapes, poses, shares = [], [], []
    for row in regressor.astype(np.float64):
        used = np.flatnonzero(row)
        mix = row[used, None] * tables.skin_weights[used].astype(np.float64)
        affine = np.concatenate([tables.v_template[used, :, None], tables.shapedirs[used]], axis=2)
        share = mix.sum(0)
        shapes.append(_mix(mix, affine) - share[:, None, None] * joints)
        poses.append(_mix(mix, tables.posedirs[used]))
        shares.append(share)
    return np.stack(shapes), np.stack(poses), np.stack(shares)


def _mix(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(v, 24) and (v, 3, T) to (24, 3, T), in float64."""
    return np.tensordot(weights, values.astype(np.float64), axes=(0, 0))


def _is_below(joint: int) -> np.ndarray:
    """(24,) 1.0 for `joint` and all that hang on it."""
    below = np.zeros(NUM_JOINTS)
    below[joint] = 1.0
    for child, parent in enumerate(SMPL24_PARENTS):
        if parent >= 0 and below[parent]:
            below[child] = 1.0
    return below

"""Rotations: axis-angle on disk, matrices in memory, 6D inside networks. Over `roma`."""

from __future__ import annotations

from typing import cast

import roma
import torch
from torch import Tensor


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """(..., 3) rotation vectors in radians to (..., 3, 3) matrices."""
    return roma.rotvec_to_rotmat(axis_angle)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """(..., 3, 3) matrices to (..., 3) rotation vectors, angle in 0..pi radians."""
    return roma.rotmat_to_rotvec(matrix)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """(..., 3, 3) matrices to (..., 4) unit quaternions x, y, z, w."""
    return roma.rotmat_to_unitquat(matrix)


def six_d_to_matrix(six_d: Tensor) -> Tensor:
    """(..., 6) to (..., 3, 3): two columns, made orthonormal by Gram-Schmidt.

    The six numbers are read as (3, 2), column by column pair: Zhou et al., "On the Continuity of
    Rotation Representations in Neural Networks", CVPR 2019, section 4.
    """
    return roma.special_gramschmidt(six_d.unflatten(-1, (3, 2)))


def matrix_to_six_d(matrix: Tensor) -> Tensor:
    """(..., 3, 3) to (..., 6): the first two columns, as `six_d_to_matrix` reads them."""
    return matrix[..., :2].flatten(-2)


def nearest_rotation(matrix: Tensor) -> Tensor:
    """(..., 3, 3) any matrices to the rotations nearest to them in the Frobenius norm."""
    return cast(Tensor, roma.special_procrustes(matrix))


def rotation_angle(a: Tensor, b: Tensor) -> Tensor:
    """Angle between rotations in radians: (..., 3, 3) and (..., 3, 3) to (...), 0..pi."""
    return roma.rotmat_geodesic_distance(a, b)


def about_axis(axis: int, angle_rad: Tensor) -> Tensor:
    """(...) angles to (..., 3, 3) rotations about x (0), y (1) or z (2)."""
    vector = torch.zeros(*angle_rad.shape, 3, dtype=angle_rad.dtype, device=angle_rad.device)
    vector[..., axis] = angle_rad
    return axis_angle_to_matrix(vector)

"""Rotations: group laws, round trips near 0 and pi, and agreement with scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from eftvideo.geometry.rotations import (
    about_axis,
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_six_d,
    rotation_angle,
    six_d_to_matrix,
)


def random_vectors(num=200, seed=0, largest=math.pi - 0.01):
    g = torch.Generator().manual_seed(seed)
    axis = torch.nn.functional.normalize(torch.randn(num, 3, generator=g).double(), dim=1)
    return axis * largest * torch.rand(num, 1, generator=g).double()


def test_matrices_are_scipys():
    vectors = random_vectors(largest=3 * math.pi)
    ours = axis_angle_to_matrix(vectors)
    np.testing.assert_allclose(ours, Rotation.from_rotvec(vectors.numpy()).as_matrix(), atol=1e-12)


@pytest.mark.parametrize("largest", [1e-7, 1e-3, 1.0, math.pi - 1e-3])
def test_axis_angle_comes_back(largest):
    vectors = random_vectors(largest=largest)
    torch.testing.assert_close(
        matrix_to_axis_angle(axis_angle_to_matrix(vectors)), vectors, atol=1e-7, rtol=0
    )


def test_half_turns_come_back_as_the_same_rotation():
    matrices = axis_angle_to_matrix(math.pi * torch.eye(3).double())
    vectors = matrix_to_axis_angle(matrices)
    torch.testing.assert_close(vectors.norm(dim=1), torch.full((3,), math.pi).double())
    torch.testing.assert_close(axis_angle_to_matrix(vectors), matrices, atol=1e-7, rtol=0)


def test_six_d_comes_back_and_is_always_a_rotation():
    matrices = axis_angle_to_matrix(random_vectors())
    torch.testing.assert_close(six_d_to_matrix(matrix_to_six_d(matrices)), matrices)
    anything = torch.randn(100, 6, generator=torch.Generator().manual_seed(1)).double()
    made = six_d_to_matrix(anything)
    eye = torch.eye(3).double().expand(100, 3, 3)
    torch.testing.assert_close(made @ made.mT, eye, atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.det(made), torch.ones(100).double())


def test_six_d_reads_columns():
    """The first column keeps its direction, the second turns within the plane of both."""
    six_d = torch.tensor([[2.0, 1.0, 0.0, 3.0, 0.0, 0.0]])
    want = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    torch.testing.assert_close(six_d_to_matrix(six_d), want)


def test_angle_between():
    start = axis_angle_to_matrix(random_vectors(seed=2))
    turn = random_vectors(seed=3)
    got = rotation_angle(start, start @ axis_angle_to_matrix(turn))
    torch.testing.assert_close(got, turn.norm(dim=1), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        rotation_angle(start, start), torch.zeros(200).double(), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("axis", "moved", "to"),
    [(0, [0, 1, 0], [0, 0, 1]), (1, [0, 0, 1], [1, 0, 0]), (2, [1, 0, 0], [0, 1, 0])],
)
def test_about_axis_turns_right_handed(axis, moved, to):
    turn = about_axis(axis, torch.tensor(math.pi / 2))
    torch.testing.assert_close(turn @ torch.tensor(moved).float(), torch.tensor(to).float())


def test_shapes_and_gradients():
    vectors = random_vectors(24).reshape(2, 3, 4, 3)
    matrices = axis_angle_to_matrix(vectors)
    assert matrices.shape == (2, 3, 4, 3, 3)
    assert matrix_to_axis_angle(matrices).shape == vectors.shape
    assert six_d_to_matrix(matrix_to_six_d(matrices)).shape == matrices.shape
    six_d = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(six_d_to_matrix, six_d)

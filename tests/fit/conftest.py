"""Likely poses, seen without errors, for the tests of SMPLify."""

import pytest
import torch

from eftvideo.fit.smplify.pose_prior import NUM_ANGLES, load_pose_prior
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.types import SmplParams
from tests.fit.smplify_case import FACING, crops_of


@pytest.fixture(scope="module")
def prior():
    return load_pose_prior()


@pytest.fixture(scope="module")
def scene(body, prior):
    """Four likely poses, turned in different ways; crops, true parameters, translations."""
    g = torch.Generator().manual_seed(3)
    pose = prior.mean[:4] + 0.05 * torch.randn(4, NUM_ANGLES, generator=g)
    heading = torch.zeros(4, 3)
    heading[:, 1] = torch.tensor([0.3, -1.0, 2.6, 0.0])
    params = SmplParams(
        FACING @ axis_angle_to_matrix(heading),
        axis_angle_to_matrix(pose.unflatten(1, (23, 3))),
        torch.zeros(4, 10),
    )
    transl = torch.tensor([[0.3, 0.1, 4.0], [-0.5, 0.2, 5.0], [0.0, 0.0, 4.5], [0.9, 0.1, 4.0]])
    return crops_of(body, params, transl), params, transl

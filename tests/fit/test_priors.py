"""The pose prior that is shipped, the limits of joints, and what the torso alone tells."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eftvideo.bodies import load_body
from eftvideo.errors import WeightsCorruptError
from eftvideo.fit.smplify.first_guess import fitting_camera, torso_orient
from eftvideo.fit.smplify.pose_prior import NUM_ANGLES, PosePrior, load_pose_prior, wrong_bend
from eftvideo.geometry.rotations import axis_angle_to_matrix, rotation_angle
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.types import SmplParams

FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def prior():
    return load_pose_prior()


def test_torso_tells_heading_and_roll(body):
    rest = SmplParams(torch.eye(3)[None], torch.eye(3).expand(1, 23, 3, 3), torch.zeros(1, 10))
    points = body.joints_and_keypoints(rest)[1]
    for yaw in (0.0, 0.7, -1.2, 2.5, 3.1):
        for roll in (0.0, 1.0, -2.8):
            turn = torch.tensor([[[0.0, yaw, 0.0], [0.0, 0.0, roll]]])
            spin, tilt = axis_angle_to_matrix(turn)[0]
            true = tilt @ FACING @ spin
            seen = (points @ true.T)[..., :2]
            ways = torso_orient(seen, points)[0]
            assert min(rotation_angle(w, true).item() for w in ways) < 0.15


def test_camera_lays_points_onto_keypoints():
    g = torch.Generator().manual_seed(0)
    points = torch.randn(2, 6, 3, generator=g)
    cam = torch.tensor([[0.8, 0.1, -0.2], [1.3, -0.4, 0.3]])
    target = cam[:, :1, None] * (points[..., :2] + cam[:, None, 1:])
    target[:, 5] = 9.0
    weight = torch.tensor([[1.0, 1, 1, 1, 1, 0]]).expand(2, 6)
    assert torch.allclose(fitting_camera(points, target, weight), cam, atol=1e-5)


def test_prior_is_the_mixtures_log_likelihood(prior):
    """With one Gaussian only, the penalty is its negative log density but for a constant."""
    g = torch.Generator().manual_seed(0)
    near = torch.distributions.MultivariateNormal(
        prior.mean[0].double(), precision_matrix=(prior.whiten[0].mT @ prior.whiten[0]).double()
    )
    poses = prior.mean[0] + 0.02 * torch.randn(5, NUM_ANGLES, generator=g)
    only = PosePrior(*(getattr(prior, n)[:1] for n in ("log_weight", "mean", "whiten", "offset")))
    difference = only.penalty(poses).double() + near.log_prob(poses.double())
    assert torch.allclose(difference, difference[:1].expand(5), atol=1e-2)


def test_prior_likes_what_people_do(prior):
    zero = torch.zeros(1, NUM_ANGLES)
    # A thousand poses drawn from the mixture itself: what is usual for it.
    g = torch.Generator().manual_seed(0)
    pick = torch.multinomial(prior.log_weight.exp(), 1000, replacement=True, generator=g)
    noise = torch.randn(1000, NUM_ANGLES, 1, generator=g)
    usual = prior.mean[pick] + torch.linalg.solve_triangular(
        prior.whiten[pick], noise, upper=False
    ).squeeze(-1)
    twisted = prior.mean[:1].clone()
    twisted[0, 3 * (SMPL24.index("left_knee") - 1)] -= 1.5  # a knee bent forwards
    assert prior.penalty(twisted) > prior.penalty(prior.mean[:1]) + 20.0
    assert prior.penalty(twisted) > 0.0
    assert prior.penalty(10.0 * zero + 1.0) > prior.penalty(usual).quantile(0.99)
    assert prior.penalty(usual).median() < 0.5 * NUM_ANGLES + 15.0


def test_elbows_and_knees_that_bend_backwards_cost():
    straight = torch.zeros(1, NUM_ANGLES)
    assert wrong_bend(straight).item() == pytest.approx(4.0)
    for joint, axis, right_way in (
        ("left_elbow", 1, -1),
        ("right_elbow", 1, 1),
        ("left_knee", 0, 1),
        ("right_knee", 0, 1),
    ):
        pose = straight.clone()
        pose[0, 3 * (SMPL24.index(joint) - 1) + axis] = right_way * 0.5
        assert wrong_bend(pose).item() == pytest.approx(3.0 + np.exp(-1.0), rel=1e-4)


def test_a_file_that_is_no_prior_is_refused(tmp_path):
    path = tmp_path / "prior.safetensors"
    save_file({"mean": torch.zeros(8, 69)}, str(path))
    with pytest.raises(WeightsCorruptError, match="not a pose prior"):
        load_pose_prior(path)
    bad = {
        "log_weight": torch.zeros(1),
        "mean": torch.zeros(1, NUM_ANGLES),
        "covariance": torch.zeros(1, NUM_ANGLES, NUM_ANGLES),
    }
    save_file(bad, str(path))
    with pytest.raises(WeightsCorruptError, match="positive definite"):
        load_pose_prior(path)

"""Error measures: invariances, and values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from eftvideo.evaluate import metrics
from eftvideo.geometry.rotations import axis_angle_to_matrix


@pytest.fixture
def points():
    return torch.randn(6, 14, 3, generator=torch.Generator().manual_seed(0))


def moved(points, scale, seed=1):
    g = torch.Generator().manual_seed(seed)
    turn = axis_angle_to_matrix(torch.randn(len(points), 3, generator=g))
    return scale * points @ turn.mT + torch.randn(len(points), 1, 3, generator=g)


def test_mpjpe_by_hand(points):
    assert metrics.mpjpe(points, points).tolist() == [0.0] * 6
    off = points.clone()
    off[:, 3] += torch.tensor([0.0, 3.0, 4.0])
    torch.testing.assert_close(metrics.mpjpe(off, points), torch.full((6,), 5.0 / 14))
    torch.testing.assert_close(
        metrics.mpjpe(points + 1.0, points), torch.zeros(6), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        metrics.mpjpe(points + 1.0, points, root=None), torch.full((6,), math.sqrt(3.0))
    )


@pytest.mark.parametrize("scale", [0.3, 1.0, 40.0])
def test_procrustes_undoes_a_similarity(points, scale):
    torch.testing.assert_close(
        metrics.pa_mpjpe(moved(points, scale), points), torch.zeros(6), atol=1e-5, rtol=0
    )


def test_procrustes_is_never_worse_and_does_not_mirror(points):
    other = torch.randn(6, 14, 3, generator=torch.Generator().manual_seed(2))
    aligned = (metrics.similarity_align(other, points) - points).square().sum((1, 2))
    assert (aligned < (other - points).square().sum((1, 2))).all()
    mirrored = points * torch.tensor([-1.0, 1.0, 1.0])
    assert (metrics.pa_mpjpe(mirrored, points) > 0.1).all()


def test_procrustes_is_the_best_similarity(points):
    """No small further turn, scale or shift lowers the squared error."""
    noisy = points + 0.3 * torch.randn(6, 14, 3, generator=torch.Generator().manual_seed(3))
    best = metrics.similarity_align(noisy, points).double()
    error = (best - points).square().sum((1, 2))
    for seed in range(20):
        g = torch.Generator().manual_seed(seed)
        turn = axis_angle_to_matrix(0.02 * torch.randn(6, 3, generator=g).double())
        scale = 1.0 + 0.02 * torch.randn(6, 1, 1, generator=g)
        shift = 0.02 * torch.randn(6, 1, 3, generator=g)
        other = scale * best @ turn.mT + shift
        assert ((other - points).square().sum((1, 2)) > error - 1e-6).all()


def test_acceleration_by_hand():
    t = torch.arange(10) / 10.0
    truth = torch.zeros(10, 2, 3)
    falling = truth.clone()
    falling[..., 1] = (0.5 * 9.81 * t**2)[:, None]
    got = metrics.acceleration_error(falling, truth, fps=10.0)
    torch.testing.assert_close(got, torch.full((8,), 9.81), atol=1e-3, rtol=0)
    moving = truth + 3.0 * t[:, None, None]
    torch.testing.assert_close(
        metrics.acceleration_error(moving, truth, 10.0), torch.zeros(8), atol=1e-3, rtol=0
    )


def test_rms_px_by_hand():
    truth = torch.zeros(2, 3, 2)
    pred = torch.tensor([[[3.0, 4.0], [0.0, 0.0], [99.0, 0.0]], [[1.0, 0.0]] * 3])
    weight = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(
        metrics.rms_px(pred, truth, weight), torch.tensor([math.sqrt(12.5), 0.0])
    )


def test_a_reflected_pose_does_not_score_zero():
    """By hand: a unit tetrahedron's corner and its mirror image; no turn maps one to the other."""
    corner = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    mirrored = corner * torch.tensor([-1.0, 1.0, 1.0])
    assert metrics.pa_mpjpe(mirrored, corner).item() > 0.2
    assert metrics.pa_mpjpe(corner.flip(-1)[..., [2, 1, 0]], corner).item() < 1e-6


@pytest.mark.parametrize("how", ["weight", "nan in truth", "nan in pred"])
def test_missing_joints_are_left_out(points, how):
    pred, truth = moved(points, 2.0), points.clone()
    weight = torch.ones(6, 14)
    pred[:, 5] += 100.0
    if how == "weight":
        weight[:, 5] = 0.0
    else:
        (truth if how == "nan in truth" else pred)[:, 5] = torch.nan
    got = metrics.pa_mpjpe(pred, truth, weight)
    torch.testing.assert_close(got, torch.zeros(6), atol=1e-5, rtol=0)
    off = truth.clone()
    off[:, 5] += 100.0
    off[:, 3] += torch.tensor([0.0, 3.0, 4.0])
    got = metrics.mpjpe(off, truth, weight=weight)
    expected = 5.0 / 13 if how == "weight" else 5.0 / (13 if how == "nan in truth" else 14)
    if how == "nan in pred":
        expected += 100.0 * math.sqrt(3.0) / 14
    torch.testing.assert_close(got, torch.full((6,), expected), atol=1e-4, rtol=0)


def test_nothing_known_is_nan_not_zero(points):
    none = torch.zeros(6, 14)
    assert metrics.mpjpe(points, points, weight=none).isnan().all()
    two = none.clone()
    two[:, :2] = 1.0
    assert metrics.pa_mpjpe(points, points, two).isnan().all()
    assert metrics.mpjpe(points, points, weight=two).tolist() == [0.0] * 6


def test_pck_and_auc_by_hand():
    error = torch.tensor([[0.0, 150.0, 150.1, 1e9], [75.0, 75.0, 75.0, 75.0]])
    use = torch.tensor([[True, True, True, False], [True] * 4])
    torch.testing.assert_close(metrics.pck(error, use), torch.tensor([2 / 3, 1.0]))
    # 31 thresholds 0, 5, ... 150: error 0 passes all, 150 only the last, 75 the last 16.
    expected = torch.tensor([(31 + 1 + 0) / 3 / 31, 16 / 31])
    torch.testing.assert_close(metrics.auc(error, use), expected)


def test_acceleration_holds_at_uneven_times():
    t = torch.tensor([0.0, 0.1, 0.15, 0.4, 0.41], dtype=torch.float64)
    points = (4.9 * t**2 + 3.0 * t - 7.0)[:, None, None].expand(-1, 2, 3)
    got = metrics.acceleration(points, t)
    torch.testing.assert_close(got, torch.full((3, 2, 3), 9.8, dtype=torch.float64))

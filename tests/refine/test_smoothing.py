"""Smoothing: what it must remove, and what it must leave alone."""

from dataclasses import replace

import pytest
import torch

from eftvideo.config import SmoothConfig
from eftvideo.geometry.rotations import axis_angle_to_matrix, rotation_angle
from eftvideo.refine.smoothing import smooth_track

ELBOW = 18


def turning(angle):
    """(T, 24, 3, 3): at rest, but for an elbow that bends by `angle` (T,)."""
    vectors = torch.zeros(len(angle), 24, 3, dtype=torch.float64)
    vectors[:, ELBOW, 1] = angle
    return axis_angle_to_matrix(vectors)


def noisy(rotations, size, seed=0):
    g = torch.Generator().manual_seed(seed)
    shake = torch.randn(*rotations.shape[:2], 3, generator=g, dtype=torch.float64) * size
    return rotations @ axis_angle_to_matrix(shake)


def walk(num, fps=30.0):
    time = torch.arange(num, dtype=torch.float64) / fps
    pelvis = torch.stack([0.3 * time, 0.1 + 0 * time, 5.0 - 0.5 * time], dim=1)
    return time, turning(0.8 * time), pelvis


def shaking(x):
    return (x[2:] - 2 * x[1:-1] + x[:-2]).norm(dim=-1).mean()


def test_even_motion_is_left_alone():
    time, rotations, pelvis = walk(60)
    new, moved = smooth_track(rotations, pelvis, time)
    assert rotation_angle(new, rotations).max() < 2e-3
    assert (moved - pelvis).norm(dim=-1).max() < 2e-3


@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_noise_goes_and_the_motion_stays(fps):
    time, truth, pelvis = walk(90, fps)
    g = torch.Generator().manual_seed(1)
    shaken = pelvis + torch.randn(pelvis.shape, generator=g, dtype=torch.float64) * 0.02
    seen = noisy(truth, 0.05)
    new, moved = smooth_track(seen, shaken, time)
    before, after = rotation_angle(seen, truth).mean(), rotation_angle(new, truth).mean()
    assert after < 0.65 * before
    assert shaking(moved) < shaking(shaken) / 5
    assert (moved - pelvis).norm(dim=-1).mean() < (shaken - pelvis).norm(dim=-1).mean()


def test_rotations_stay_rotations_across_half_a_turn():
    time = torch.arange(80, dtype=torch.float64) / 30
    truth = turning(4.0 * time)  # past pi: axis-angle would jump
    new, _ = smooth_track(noisy(truth, 0.03), torch.ones(80, 3), time)
    eye = torch.eye(3, dtype=torch.float64)
    assert (new @ new.mT - eye).abs().max() < 1e-6
    assert torch.linalg.det(new).min() > 0.999
    assert rotation_angle(new, truth)[:, ELBOW].max() < 0.1


def test_a_swing_keeps_its_extent_where_an_even_filter_flattens_it():
    time = torch.arange(90, dtype=torch.float64) / 30
    swing = 2.0 * torch.exp(-0.5 * ((time - 1.5) / 0.08) ** 2)
    truth, pelvis = turning(swing), torch.tensor([[0.0, 0.0, 5.0]]).expand(90, 3)
    seen = noisy(truth, 0.02)
    cfg = SmoothConfig()
    ours, _ = smooth_track(seen, pelvis, time, cfg)
    even, _ = smooth_track(seen, pelvis, time, replace(cfg, bandwidths_s=(0.1,)))

    def reach(rotations):
        return rotation_angle(rotations[45:46, ELBOW], rotations[:1, ELBOW])

    assert reach(ours) > 1.85
    assert reach(even) < 1.7
    # And far from the swing it is as smooth as ever.
    assert rotation_angle(ours, truth)[:30].mean() < 0.6 * rotation_angle(seen, truth)[:30].mean()


def test_nothing_is_mixed_across_breaks():
    time, rotations, pelvis = walk(40)
    rotations[20:] = turning(torch.full((20,), 2.0, dtype=torch.float64))
    pelvis = pelvis.clone()
    pelvis[20:, 2] += 4.0
    starts = torch.zeros(40, dtype=torch.bool)
    starts[[0, 20]] = True
    new, moved = smooth_track(rotations, pelvis, time, starts=starts)
    parts = [smooth_track(rotations[p], pelvis[p], time[p]) for p in (slice(0, 20), slice(20, 40))]
    # Only the noise is judged over the whole track.
    assert rotation_angle(new, torch.cat([r for r, _ in parts])).max() < 1e-3
    assert (moved - torch.cat([m for _, m in parts])).norm(dim=-1).max() < 5e-3
    assert rotation_angle(new, rotations).max() < 5e-3


def test_uneven_times_are_honoured():
    g = torch.Generator().manual_seed(3)
    time = torch.sort(torch.rand(70, generator=g, dtype=torch.float64) * 2.5).values
    pelvis = torch.stack([0.4 * time, -0.2 * time, 4.0 * torch.exp(0.1 * time)], dim=1)
    ray = pelvis[:, :2] / pelvis[:, 2:]
    rotations = turning(0.7 * time)
    new, moved = smooth_track(rotations, pelvis, time)
    assert rotation_angle(new, rotations).max() < 5e-3
    assert (moved[:, :2] / moved[:, 2:] - ray).norm(dim=-1).max() < 2e-3


def test_depth_is_smoothed_along_the_ray():
    time, rotations, _ = walk(60)
    g = torch.Generator().manual_seed(4)
    depth = 5.0 + 0.1 * torch.randn(60, 1, generator=g, dtype=torch.float64)
    pelvis = torch.tensor([[0.3, -0.1, 1.0]], dtype=torch.float64) * depth
    _, moved = smooth_track(rotations, pelvis, time)
    assert (moved[:, :2] / moved[:, 2:] - torch.tensor([0.3, -0.1])).abs().max() < 1e-6
    assert shaking(moved) < shaking(pelvis) / 20


def test_little_trusted_frames_count_little():
    time, rotations, pelvis = walk(30)
    wrong = rotations.clone()
    wrong[15] = turning(torch.tensor([2.5], dtype=torch.float64))[0]
    weight = torch.ones(30)
    weight[15] = 1e-3
    new, _ = smooth_track(wrong, pelvis, time, weight=weight)
    assert rotation_angle(new[15, ELBOW], rotations[15, ELBOW]) < 0.2


def test_off_and_short_tracks():
    time, rotations, pelvis = walk(30)
    seen = noisy(rotations, 0.1)
    off, place = smooth_track(seen, pelvis, time, SmoothConfig(strength=0.0))
    assert torch.equal(off, seen)
    assert torch.equal(place, pelvis)
    for num in (0, 1, 2, 3):
        new, moved = smooth_track(seen[:num], pelvis[:num], time[:num])
        assert new.shape == (num, 24, 3, 3)
        assert torch.isfinite(moved).all()


def test_more_strength_is_smoother():
    time, rotations, pelvis = walk(90)
    seen = noisy(rotations, 0.05)
    shakes = [
        shaking(smooth_track(seen, pelvis, time, SmoothConfig(strength=s))[0].flatten(1))
        for s in (0.5, 1.0, 2.0)
    ]
    assert shakes[0] > shakes[1] > shakes[2]

"""Bodies before cameras: fields of view, heights, distances and placements of Internet clips."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from eftvideo.geometry.rotations import about_axis, axis_angle_to_matrix
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.train.synthetic.motions import Motion
from eftvideo.train.synthetic.postures import make_up

ASPECTS = ((1280, 720), (1280, 720), (720, 1280), (960, 720), (1080, 1080))
"""Widths and heights of pictures, px; landscape counts double. Only ratios matter."""

CLOSE_UP = (1.0, 3.5)
"""Standing heights of `close_up` people over the picture's shorter side: from somebody who fills it
to head and shoulders."""
CLOSEST_M = 0.8


@dataclass(frozen=True)
class SceneConfig:
    """How scenes are drawn by lot; angles in degrees."""

    fov_deg: tuple[float, float] = (25.0, 90.0)
    """Field of view across the picture's longer side."""
    pitch_mean_deg: float = 8.0
    pitch_std_deg: float = 12.0
    steep: float = 0.0
    """Share of cameras of any pitch within `steep_deg`: from the floor, from a stand."""
    steep_deg: tuple[float, float] = (-20.0, 40.0)
    roll_std_deg: float = 5.0
    wild_tilt: float = 0.05
    """Share of windows whose whole person is turned at random."""
    person_size: tuple[float, float] = (0.08, 1.5)
    """Standing height over the picture's shorter side, log-uniform."""
    pose_noise_rad: float = 0.06
    """Constant random turn of every joint of a window."""
    collar_noise_rad: float = 0.12
    """The same for the collars, which the library hardly moves."""
    made_up: float = 0.08
    """Share of windows with a made-up posture."""
    mixed: float = 0.25
    """Share of windows whose arms and head come from another window."""
    betas_std: float = 1.0
    wide_betas: float = 0.05
    """Share of people with betas of twice that spread (children, very heavy people)."""
    fast_turn: float = 0.1
    """Share of training windows in which the person spins or turns over (turns.py)."""
    close_up: float = 0.16
    """Share of training windows that show a part of somebody larger than the picture."""


@dataclass(frozen=True)
class Scenes:
    """N windows of T frames with exact truth in the camera frame (x right, y down, z forward)."""

    rotations: Tensor
    """(N, T, 24, 3, 3); joint 0 turns the body frame into the camera frame."""
    betas: Tensor
    """(N, 10)"""
    pelvis: Tensor
    """(N, T, 3) pelvis position, metres, camera frame."""
    focal_length_px: Tensor
    """(N,)"""
    image_size_px: Tensor
    """(N, 2) width, height."""
    pan_px: Tensor | None = None
    """(N, T, 2) px by which a camera that turns moves everything in the picture."""


_UPPER = [
    SMPL24.index(f"{s}_{p}")
    for s in ("left", "right")
    for p in ("collar", "shoulder", "elbow", "wrist", "hand")
] + [SMPL24.index("neck"), SMPL24.index("head")]
_COLLARS = [SMPL24.index("left_collar"), SMPL24.index("right_collar")]


def vary_motion(motion: Motion, cfg: SceneConfig, g: torch.Generator) -> Motion:
    """Mixed upper bodies, made-up postures, wild turns and a constant noise on every joint."""
    n = len(motion.pelvis)
    rotations = motion.rotations.clone()
    mixed = (torch.rand(n, generator=g) < cfg.mixed).nonzero().squeeze(1)
    donor = torch.randint(n, (len(mixed),), generator=g)
    upper = torch.tensor(_UPPER)
    rotations[mixed[:, None], :, upper] = motion.rotations[donor[:, None], :, upper]
    chosen = torch.rand(n, generator=g) < cfg.made_up
    motion = make_up(Motion(rotations, motion.pelvis), chosen, g)
    noise = cfg.pose_noise_rad * torch.randn(n, 24, 3, generator=g)
    noise[:, _COLLARS] *= cfg.collar_noise_rad / cfg.pose_noise_rad
    noise[:, 0] *= 0.0
    rotations = motion.rotations @ axis_angle_to_matrix(noise)[:, None]
    wild = torch.rand(n, generator=g) < cfg.wild_tilt
    turn = axis_angle_to_matrix(torch.randn(n, 3, generator=g) * 1.2 * wild[:, None])
    rotations[:, :, 0] = turn[:, None] @ rotations[:, :, 0]
    return Motion(rotations, motion.pelvis)


def world_to_camera(cfg: SceneConfig, num: int, g: torch.Generator) -> Tensor:
    """(N, 3, 3) rotations from the y-up world to camera frames of random heading, pitch, roll."""
    degree = math.pi / 180.0
    heading = about_axis(1, torch.rand(num, generator=g) * 2 * math.pi)
    pitch = cfg.pitch_mean_deg + cfg.pitch_std_deg * torch.randn(num, generator=g)
    if cfg.steep:
        low, high = cfg.steep_deg
        any_pitch = low + (high - low) * torch.rand(num, generator=g)
        pitch = torch.where(torch.rand(num, generator=g) < cfg.steep, any_pitch, pitch)
    roll = cfg.roll_std_deg * torch.randn(num, generator=g)
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    return about_axis(2, roll * degree) @ about_axis(0, pitch * degree) @ flip @ heading


def draw_betas(num: int, cfg: SceneConfig, g: torch.Generator) -> Tensor:
    """(N, 10) bodies of the population."""
    wide = 1.0 + (torch.rand(num, 1, generator=g) < cfg.wide_betas).float()
    return (torch.randn(num, 10, generator=g) * cfg.betas_std * wide).clamp(-5.0, 5.0)


def draw_scenes(
    motion: Motion,
    cfg: SceneConfig,
    g: torch.Generator,
    *,
    betas: Tensor | None = None,
    close_up: float = 0.0,
) -> Scenes:
    """Put each window's person before a camera of its own.

    Args:
        motion: N windows.
        cfg: how cameras and places are drawn.
        g: source of chance.
        betas: (N, 10); drawn from the population where not given.
        close_up: share of people larger than the picture, of whom any part is shown.
    """
    n, num_frames = motion.pelvis.shape[:2]
    betas = draw_betas(n, cfg, g) if betas is None else betas
    size = torch.tensor(ASPECTS, dtype=torch.float32)
    image_size = size[torch.randint(len(size), (n,), generator=g)]
    low, high = cfg.fov_deg
    fov = torch.deg2rad(low + (high - low) * torch.rand(n, generator=g))
    focal = image_size.amax(dim=1) / (2.0 * torch.tan(fov / 2.0))
    share = log_uniform(cfg.person_size, torch.rand(n, generator=g))
    is_near = torch.zeros(n, dtype=torch.bool)
    if close_up:
        near = log_uniform(CLOSE_UP, torch.rand(n, generator=g))
        is_near = torch.rand(n, generator=g) < close_up
        share = torch.where(is_near, near, share)
    closest = torch.where(is_near, CLOSEST_M, 1.0)
    depth = (focal * 1.7 / (share * image_size.amin(dim=1))).maximum(closest)
    place = (torch.rand(n, 2, generator=g) - 0.5) * image_size * 0.9
    if close_up:
        height = focal * 1.7 / depth
        reach = torch.maximum(height, 0.9 * image_size[:, 1])
        shown = (torch.rand(n, generator=g) - 0.5) * reach
        place[:, 1] = torch.where(is_near, shown, place[:, 1])
    root = torch.cat([place / focal[:, None] * depth[:, None], depth[:, None]], dim=1)
    view = world_to_camera(cfg, n, g)
    center = motion.pelvis[:, num_frames // 2]
    path = (view[:, None] @ (motion.pelvis - center[:, None])[..., None]).squeeze(-1)
    pelvis = root[:, None] + path
    rotations = motion.rotations.clone()
    rotations[:, :, 0] = view[:, None] @ rotations[:, :, 0]
    pelvis[..., 2] = pelvis[..., 2].clamp(min=0.6)
    return Scenes(rotations, betas, pelvis, focal, image_size)


def log_uniform(limits: tuple[float, float], at: Tensor) -> Tensor:
    """Log-uniform numbers."""
    low, high = math.log(limits[0]), math.log(limits[1])
    return torch.exp(low + (high - low) * at)

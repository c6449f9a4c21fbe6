"""Training examples: windows of motion as a detector would report them, with their truth."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import CropConfig
from eftvideo.geometry import camera
from eftvideo.geometry.crops import crop_people
from eftvideo.train.synthetic.motions import Motion, MotionLibrary
from eftvideo.train.synthetic.observer import NoiseConfig, Observation, observe, self_hidden
from eftvideo.train.synthetic.scenes import (
    SceneConfig,
    Scenes,
    draw_betas,
    draw_scenes,
    vary_motion,
)
from eftvideo.train.synthetic.turns import add_turns
from eftvideo.types import Crops, SmplParams

MIN_VISIBLE = 4
"""Windows whose centre frame shows fewer keypoints teach nothing and get weight 0."""
GROSS = 0.08
"""Errors beyond, in longer sides of the box, are what outliers.py looks for."""
HIDDEN_GROSS, HIDDEN_OTHER = 0.7, 0.01
"""Shares of them, and of all other keypoints, that are hidden in a window of the doubted."""


@dataclass(frozen=True)
class Truth:
    """Exact answers for the centre frames of N windows, camera frame, metres."""

    rotations: Tensor
    """(N, 24, 3, 3); joint 0 turns the body frame into the camera frame."""
    betas: Tensor
    """(N, 10)"""
    pelvis: Tensor
    """(N, 3)"""
    points: Tensor
    """(N, 24 + K, 3): joints, then the body's keypoints."""
    weight: Tensor
    """(N,) 1, or 0 for a window that cannot be learnt from."""

    def select(self, index: Tensor) -> Truth:
        """The windows at `index`."""
        return Truth(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True)
class Sampling:
    """What windows are like: times of the frames, playback speed, moving cameras."""

    offsets_s: tuple[float, ...]
    """Ascending, with 0 for the centre frame."""
    speed: tuple[float, float] = (0.75, 1.35)
    pan: float = 0.4
    """Share of windows in which the camera pans; its speed is about 0.5 box sides a second."""
    repeats: int = 1
    """How often each posed body is seen, by other cameras with other errors: posing is dear."""
    single: float = 0.1
    """Share of windows of which only the centre frame is known (photographs, very short tracks)."""
    one_sided: float = 0.0
    """Share of windows that end, or begin, somewhere: a clip's ends, a cut, somebody new."""
    doubted: float = 0.0
    """Share of windows of which gross errors were hidden, as outliers.py does, and some others."""

    @property
    def center(self) -> int:
        """Index of the centre frame."""
        return self.offsets_s.index(0.0)


def body_points(body: BodyModel, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    """Joints (N, T, 24, 3) and keypoints (N, T, K, 3) from the pelvis, in the body's own frame.

    Args:
        body: the body. rotations: (N, T, 24, 3, 3), of which joint 0 is left out. betas: (N, 10).
    """
    n, t = rotations.shape[:2]
    turns = rotations.flatten(0, 1)
    upright = torch.eye(3, dtype=turns.dtype).expand(n * t, 3, 3)
    params = SmplParams(upright, turns[:, 1:], betas.repeat_interleave(t, dim=0))
    joints, keypoints = body.joints_and_keypoints(params, which="all")
    pelvis = joints[:, :1]
    return (joints - pelvis).unflatten(0, (n, t)), (keypoints - pelvis).unflatten(0, (n, t))


def place_points(scenes: Scenes, points: Tensor) -> Tensor:
    """`body_points` (N, T, K, 3) in the camera frame, metres."""
    return points @ scenes.rotations[:, :, 0].mT + scenes.pelvis[:, :, None]


def posed_points(body: BodyModel, scenes: Scenes) -> tuple[Tensor, Tensor]:
    """All joints (N, T, 24, 3) and keypoints (N, T, K, 3) in the camera frame, metres."""
    joints, keypoints = body_points(body, scenes.rotations, scenes.betas)
    return place_points(scenes, joints), place_points(scenes, keypoints)


def observe_scenes(
    scenes: Scenes,
    joints: Tensor,
    keypoints: Tensor,
    time_s: Tensor,
    noise: NoiseConfig,
    g: torch.Generator,
    pan_px: Tensor | None = None,
) -> tuple[Observation, Tensor]:
    """Project everything, find what the body hides, and let the detector err.

    Returns:
        The observation and the true COCO keypoints (N, T, 17, 2) in px.
    """
    n, t = time_s.shape
    focal = scenes.focal_length_px.repeat_interleave(t)
    size = scenes.image_size_px.repeat_interleave(t, dim=0)
    every = torch.cat([keypoints, joints], dim=2).flatten(0, 1)
    pixels = camera.project(every, focal, size).unflatten(0, (n, t))
    if pan_px is not None:
        pixels = pixels + pan_px[:, :, None]
    probe = sorted({0, t // 2, t - 1}) if t <= 16 else list(range(t))
    hidden = torch.stack([self_hidden(joints[:, i], keypoints[:, i, :17]) for i in probe], dim=1)
    nearest = torch.tensor(probe)
    nearest = (torch.arange(t)[:, None] - nearest).abs().argmin(dim=1)
    truth_px = pixels[:, :, :17]
    seen = observe(truth_px, pixels, hidden[:, nearest], scenes.image_size_px, time_s, noise, g)
    return seen, truth_px


def make_examples(
    library: MotionLibrary,
    body: BodyModel,
    num: int,
    sampling: Sampling,
    scene_cfg: SceneConfig,
    noise: NoiseConfig,
    g: torch.Generator,
    *,
    vary: bool = True,
) -> tuple[Crops, Truth]:
    """Draw N windows by lot.

    Args:
        vary: also make up poses (training); False shows the library's own motion (testing).
    """
    offsets = torch.tensor(sampling.offsets_s)
    low, high = sampling.speed if vary else (1.0, 1.0)
    speed = low + (high - low) * torch.rand(num, 1, generator=g)
    speed = speed[: num // sampling.repeats]
    motion, inside = library.sample(len(speed), offsets * speed * library.fps, g)
    if vary:
        motion = vary_motion(motion, scene_cfg, g)
        motion = add_turns(motion, offsets.expand(len(speed), -1), scene_cfg.fast_turn, g)
    betas = draw_betas(len(speed), scene_cfg, g)
    points = body_points(body, motion.rotations, betas)
    parts = (motion.rotations, motion.pelvis, betas, inside, *points)
    rotations, pelvis, betas, inside, joints, keypoints = (
        v.repeat_interleave(sampling.repeats, dim=0) for v in parts
    )
    close_up = scene_cfg.close_up if vary else 0.0
    scenes = draw_scenes(Motion(rotations, pelvis), scene_cfg, g, betas=betas, close_up=close_up)
    joints, keypoints = place_points(scenes, joints), place_points(scenes, keypoints)
    num = len(inside)
    time_s = offsets.expand(num, -1)
    seen, truth_px = observe_scenes(
        scenes, joints, keypoints, time_s, noise, g, _pan(scenes, joints, time_s, sampling, g)
    )
    alone = torch.rand(num, 1, generator=g) < sampling.single
    found = seen.found & inside & ~alone & _within(time_s, sampling, g)
    seen = _doubt(seen, truth_px, sampling, g)
    return _crops(scenes, seen, found, sampling.center), _truth(
        scenes, seen, joints, keypoints, sampling.center
    )


def _pan(
    scenes: Scenes, joints: Tensor, time_s: Tensor, sampling: Sampling, g: torch.Generator
) -> Tensor:
    """(N, T, 2) px that a panning camera moves everything, 0 at time 0."""
    num = len(time_s)
    moving = (torch.rand(num, 1, generator=g) < sampling.pan).float()
    depth = joints[:, sampling.center, 0, 2].clamp(min=0.5)
    box_px = scenes.focal_length_px * 1.7 / depth
    velocity = 0.5 * torch.randn(num, 2, generator=g) * box_px[:, None] * moving
    return velocity[:, None] * time_s[..., None]


def _within(time_s: Tensor, sampling: Sampling, g: torch.Generator) -> Tensor:
    """(N, T) bool: the frames up to an end that one-sided windows have on one side."""
    lot = torch.rand(3, len(time_s), 1, generator=g)
    end, before = lot[1] * time_s.abs().amax(dim=1, keepdim=True), lot[2] < 0.5
    return (torch.where(before, -time_s, time_s) <= end) | (lot[0] >= sampling.one_sided)


def _doubt(
    seen: Observation, truth_px: Tensor, sampling: Sampling, g: torch.Generator
) -> Observation:
    """Hide most gross errors, and a few others, in a share of the windows."""
    side = (seen.xyxy[..., 2:] - seen.xyxy[..., :2]).amax(-1, keepdim=True)
    gross = (seen.keypoints[..., :2] - truth_px).norm(dim=-1) > GROSS * side
    doubted = torch.rand(len(side), 1, 1, generator=g) < sampling.doubted
    hide = doubted & (
        torch.rand(gross.shape, generator=g) < torch.where(gross, HIDDEN_GROSS, HIDDEN_OTHER)
    )
    return replace(seen, keypoints=seen.keypoints * ~hide[..., None])


def _crops(scenes: Scenes, seen: Observation, found: Tensor, center: int) -> Crops:
    others = [i for i in range(seen.found.shape[1]) if i != center]
    context = seen.keypoints[:, others].clone()
    context[..., 2] *= found[:, others, None]
    return crop_people(
        seen.xyxy[:, center],
        seen.keypoints[:, center],
        scenes.focal_length_px,
        scenes.image_size_px,
        CropConfig(),
        context if others else None,
    )


def _truth(
    scenes: Scenes, seen: Observation, joints: Tensor, keypoints: Tensor, center: int
) -> Truth:
    points = torch.cat([joints[:, center], keypoints[:, center]], dim=1)
    visible = (seen.keypoints[:, center, :, 2] >= 0.3).sum(-1)
    usable = (visible >= MIN_VISIBLE) & (points[..., 2].amin(-1) > 0.25)
    return Truth(
        scenes.rotations[:, center],
        scenes.betas,
        scenes.pelvis[:, center],
        points,
        usable.float(),
    )


__all__ = [
    "Sampling",
    "Truth",
    "make_examples",
    "observe_scenes",
    "posed_points",
]

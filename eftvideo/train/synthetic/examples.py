"""Training examples: windows of motion as a detector would report them, with their truth."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import CropConfig
from eftvideo.geometry.crops import crop_people, to_crop
from eftvideo.train.synthetic.landmark_noise import LandmarkNoise
from eftvideo.train.synthetic.motions import Motion, MotionLibrary
from eftvideo.train.synthetic.observer import NoiseConfig, Observation
from eftvideo.train.synthetic.scenes import (
    SceneConfig,
    Scenes,
    draw_betas,
    draw_scenes,
    vary_motion,
)
from eftvideo.train.synthetic.sightings import (
    body_points,
    landmark_rows,
    look_at_scenes,
    observe_scenes,
    place_points,
    posed_points,
)
from eftvideo.train.synthetic.turns import add_turns
from eftvideo.types import Crops

MIN_VISIBLE = 4
"""Windows whose centre frame shows fewer keypoints, and fewer than twice that of the landmarks,
teach nothing and get weight 0."""
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
    blind: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shares of windows without any of the detector's keypoints, of the landmarks in the picture,
    of the landmarks in metres."""

    @property
    def center(self) -> int:
        """Index of the centre frame."""
        return self.offsets_s.index(0.0)


@dataclass(frozen=True)
class ErrorConfig:
    """What the witnesses get wrong."""

    detector: NoiseConfig = field(default_factory=NoiseConfig)
    network: LandmarkNoise | None = field(default_factory=LandmarkNoise)
    """None: nobody asks the landmark network."""


def make_examples(
    library: MotionLibrary,
    body: BodyModel,
    num: int,
    sampling: Sampling,
    scene_cfg: SceneConfig,
    noise: ErrorConfig,
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
    local = motion.rotations[:, sampling.center]
    parts = (local, motion.rotations[:, :, :1], motion.pelvis, betas, inside, *points)
    local, rotations, pelvis, betas, inside, joints, keypoints = (
        v.repeat_interleave(sampling.repeats, dim=0) for v in parts
    )
    close_up = scene_cfg.close_up if vary else 0.0
    scenes = draw_scenes(Motion(rotations, pelvis), scene_cfg, g, betas=betas, close_up=close_up)
    joints, keypoints = place_points(scenes, joints), place_points(scenes, keypoints)
    num = len(inside)
    time_s = offsets.expand(num, -1)
    scenes = replace(scenes, pan_px=_pan(scenes, joints, time_s, sampling, g))
    seen, truth_px = observe_scenes(scenes, joints, keypoints, time_s, noise.detector, g)
    alone = torch.rand(num, 1, generator=g) < sampling.single
    found = seen.found & inside & ~alone & _within(time_s, sampling, g)
    seen = _doubt(seen, truth_px, sampling, g)
    looks = None
    if noise.network:
        points = joints, keypoints[:, :, landmark_rows(body.keypoint_names)]
        looks = look_at_scenes(scenes, points, seen, time_s, (noise.network, body), g)
    crops = _crops(scenes, seen, looks, found, sampling.center)
    at_center = torch.cat([v[:, sampling.center] for v in (joints, keypoints)], dim=1)
    local[:, 0] = scenes.rotations[:, sampling.center, 0]
    truth = _truth(scenes, crops, local, at_center, sampling.center)
    return _blinded(crops, sampling, g), truth


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


def _crops(
    scenes: Scenes, seen: Observation, looks: Tensor | None, found: Tensor, center: int
) -> Crops:
    others = [i for i in range(seen.found.shape[1]) if i != center]
    context = seen.keypoints[:, others].clone()
    context[..., 2] *= found[:, others, None]
    crops = crop_people(
        seen.xyxy[:, center],
        seen.keypoints[:, center],
        scenes.focal_length_px,
        scenes.image_size_px,
        CropConfig(),
        context if others else None,
    )
    if looks is None:
        return crops
    looks = to_crop(looks[:, [center, *others]], crops.center_px, crops.size_px)
    there = (looks[..., 2:].abs().amax(dim=(2, 3)) > 0) & found[:, [center, *others]].index_fill(
        1, torch.tensor([0]), True
    )
    return replace(crops, landmarks=looks * there[..., None, None])


def _truth(scenes: Scenes, crops: Crops, rotations: Tensor, points: Tensor, center: int) -> Truth:
    enough = (crops.keypoints[..., 2] >= 0.3).sum(-1) >= MIN_VISIBLE
    if crops.landmarks is not None:
        enough |= (crops.landmarks[:, 0, :, 2:4] >= 0.5).all(-1).sum(-1) >= 2 * MIN_VISIBLE
    usable = enough & (points[..., 2].amin(-1) > 0.25)
    return Truth(rotations, scenes.betas, scenes.pelvis[:, center], points, usable.float())


def _blinded(crops: Crops, sampling: Sampling, g: torch.Generator) -> Crops:
    """One witness at most is silent in a window, the others as they were."""
    landmarks = crops.landmarks
    if landmarks is None or not any(sampling.blind):
        return crops
    lot, share = torch.rand(len(crops), generator=g), sampling.blind
    there = landmarks.abs().amax(dim=(1, 2, 3)) > 0
    no_keypoints = there & (lot < share[0])
    no_places = ~no_keypoints & (lot < share[0] + share[1])
    no_metres = ~no_keypoints & ~no_places & (lot < sum(share))
    return without(crops, no_keypoints, no_places, no_metres)


def without(crops: Crops, keypoints: Tensor, places: Tensor, metres: Tensor) -> Crops:
    """Crops of which some windows, (N,) bool each, lack the detector's keypoints, the landmarks in
    the picture, or those in metres."""
    heard = (~keypoints).to(crops.keypoints.dtype)
    context, landmarks = crops.context, crops.landmarks
    if landmarks is not None:
        keep = torch.stack([~places] * 4 + [~metres] * 3, dim=-1)
        landmarks = landmarks * keep[:, None, None]
    return replace(
        crops,
        keypoints=crops.keypoints * heard[:, None, None],
        context=None if context is None else context * heard[:, None, None, None],
        landmarks=landmarks,
    )


__all__ = [
    "ErrorConfig",
    "Sampling",
    "Truth",
    "look_at_scenes",
    "make_examples",
    "observe_scenes",
    "posed_points",
]

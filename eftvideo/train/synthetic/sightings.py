"""People before cameras as the detector and the landmark network see them."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.errors import ConfigError
from eftvideo.geometry import camera
from eftvideo.geometry.skeletons import LANDMARK33
from eftvideo.train.synthetic.landmark_noise import LandmarkNoise
from eftvideo.train.synthetic.landmarks import Sight, look
from eftvideo.train.synthetic.observer import (
    NoiseConfig,
    Observation,
    covered,
    observe,
    self_hidden,
)
from eftvideo.train.synthetic.scenes import Scenes
from eftvideo.types import SmplParams


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
) -> tuple[Observation, Tensor]:
    """Project everything, find what the body hides, and let the detector err.

    Returns:
        The observation and the true COCO keypoints (N, T, 17, 2) in px.
    """
    pixels = _project(scenes, torch.cat([keypoints, joints], dim=2))
    truth_px = pixels[:, :, :17]
    hidden = _hidden_by_body(joints, keypoints[:, :, :17])
    seen = observe(truth_px, pixels, hidden, scenes.image_size_px, time_s, noise, g)
    return seen, truth_px


def look_at_scenes(
    scenes: Scenes,
    points: tuple[Tensor, Tensor],
    seen: Observation,
    time_s: Tensor,
    noise: tuple[LandmarkNoise, BodyModel],
    g: torch.Generator,
) -> Tensor:
    """(N, T, 33, 7) what the landmark network says of the same people, px of the picture; zeros
    where it says nothing.

    Args:
        points: joints (N, T, 24, 3) and landmarks (N, T, 33, 3), camera frame.
        seen: by the detector.
        noise: the network's errors, and whose body has the size that it takes everybody for.
    """
    (cfg, body), (joints, landmarks) = noise, points
    pixels = _project(scenes, landmarks)
    hidden = _hidden_by_body(joints, landmarks) | covered(seen.cover, pixels)
    size = body.mean_bone(scenes.betas) / body.mean_bone(torch.zeros(1, 10))
    view = (scenes.focal_length_px, scenes.image_size_px)
    return look(Sight(landmarks, pixels, hidden, seen.xyxy, *view, size), time_s, cfg, g)


def landmark_rows(names: tuple[str, ...]) -> list[int]:
    """Where a body's keypoints `names` have the network's 33.

    Raises:
        ConfigError: the body lacks them.
    """
    missing = [n for n in LANDMARK33 if f"landmark_{n}" not in names]
    if missing:
        raise ConfigError(f"the body has no points for {', '.join(missing)}; use the shipped one")
    return [names.index(f"landmark_{n}") for n in LANDMARK33]


def _project(scenes: Scenes, points: Tensor) -> Tensor:
    n, t = points.shape[:2]
    focal = scenes.focal_length_px.repeat_interleave(t)
    size = scenes.image_size_px.repeat_interleave(t, dim=0)
    pixels = camera.project(points.flatten(0, 1), focal, size).unflatten(0, (n, t))
    return pixels if scenes.pan_px is None else pixels + scenes.pan_px[:, :, None]


def _hidden_by_body(joints: Tensor, points: Tensor) -> Tensor:
    """(N, T, K) bool; of long windows only three frames are looked at."""
    t = joints.shape[1]
    probe = sorted({0, t // 2, t - 1}) if t <= 16 else list(range(t))
    hidden = torch.stack([self_hidden(joints[:, i], points[:, i]) for i in probe], dim=1)
    nearest = (torch.arange(t)[:, None] - torch.tensor(probe)).abs().argmin(dim=1)
    return hidden[:, nearest]

"""Held-out motion as detector and landmark network would report it, with exact truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import CropConfig
from eftvideo.geometry.crops import crop_people, to_crop
from eftvideo.geometry.skeletons import LIMB12, SMPL24, select
from eftvideo.train.synthetic.examples import (
    ErrorConfig,
    look_at_scenes,
    observe_scenes,
    posed_points,
)
from eftvideo.train.synthetic.motions import Motion, MotionLibrary
from eftvideo.train.synthetic.observer import Observation
from eftvideo.train.synthetic.scenes import SceneConfig, draw_scenes
from eftvideo.train.synthetic.sightings import landmark_rows
from eftvideo.types import Crops

FPS = 30
NUM_FRAMES = 60
"""Two seconds: the regressor looks a second ahead and back."""
LIMBS = select(LIMB12, SMPL24)


@dataclass(frozen=True)
class Sequences:
    """N people, each in a clip and before a camera of its own, over T frames."""

    seen: Observation
    looks: Tensor | None
    """(N, T, 33, 7) what the landmark network says, as `Crops.landmarks` but px; None: unasked."""
    truth_px: Tensor
    """(N, T, 17, 2) true keypoints, px."""
    joints: Tensor
    """(N, T, 24, 3) true joints, metres, camera frame."""
    focal_length_px: Tensor
    image_size_px: Tensor
    names: list[str]

    @property
    def num_frames(self) -> int:
        return self.joints.shape[1]

    def present(self, t: int) -> Tensor:
        """Indices of the people found in frame t with at least five usable keypoints."""
        usable = (self.seen.keypoints[:, t, :, 2] >= 0.3).sum(-1) >= 5
        return (self.seen.found[:, t] & usable).nonzero().squeeze(1)

    def crops(self, t: int, rows: Tensor, offsets_s: tuple[float, ...]) -> Crops:
        """Crops of some people in frame t, with context from the frames around."""
        at = torch.tensor([round(t + o * FPS) for o in offsets_s], dtype=torch.long)
        inside = (at >= 0) & (at < self.num_frames)
        at = at.clamp(0, self.num_frames - 1)
        known = (self.seen.found[rows][:, at] & inside)[..., None]
        context = None
        if offsets_s:
            context = self.seen.keypoints[rows][:, at].clone()
            context[..., 2] *= known
        crops = crop_people(
            self.seen.xyxy[rows, t],
            self.seen.keypoints[rows, t],
            self.focal_length_px[rows],
            self.image_size_px[rows],
            CropConfig(),
            context,
        )
        if self.looks is None:
            return crops
        around = self.looks[rows][:, at] * known[..., None]
        looks = torch.cat([self.looks[rows, t][:, None], around], dim=1)
        return replace(crops, landmarks=to_crop(looks, crops.center_px, crops.size_px))


def draw_sequences(
    poses: Path,
    body: BodyModel,
    *,
    num_frames: int,
    per_clip: int,
    seed: int = 0,
    noise: ErrorConfig | None = None,
    scene: SceneConfig | None = None,
) -> Sequences:
    """Windows of `num_frames` frames of every held-out clip that is long enough."""
    library = MotionLibrary(poses, held_out=True)
    g = torch.Generator().manual_seed(seed)
    motions, names = [], []
    for i, (_, length) in enumerate(library.clips):
        if length < num_frames:
            continue
        for _ in range(per_clip):
            start = int(torch.randint(length - num_frames + 1, (1,), generator=g))
            motions.append(library.sequence(i, start, num_frames))
            names.append(library.clip_names[i])
    motion = Motion(
        torch.cat([m.rotations for m in motions]), torch.cat([m.pelvis for m in motions])
    )
    scenes = draw_scenes(motion, scene or SceneConfig(), g)
    joints, keypoints = posed_points(body, scenes)
    time_s = (torch.arange(num_frames) / FPS).expand(len(names), -1)
    noise = noise or ErrorConfig()
    seen, truth_px = observe_scenes(scenes, joints, keypoints, time_s, noise.detector, g)
    looks = None
    if noise.network:
        points = joints, keypoints[:, :, landmark_rows(body.keypoint_names)]
        looks = look_at_scenes(scenes, points, seen, time_s, (noise.network, body), g)
    view = scenes.focal_length_px, scenes.image_size_px
    return Sequences(seen, looks, truth_px, joints, *view, names)

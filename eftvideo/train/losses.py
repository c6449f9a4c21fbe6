"""What networks are trained for: terms of the loss, and the figures of its curve."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.evaluate import metrics
from eftvideo.geometry.skeletons import LIMB12, SMPL24, select
from eftvideo.regressors import landmark_hmr
from eftvideo.regressors.lifter import Model
from eftvideo.train.synthetic.examples import Truth, without
from eftvideo.types import Crops, Prediction

SOME = 1024
"""Windows on which witnesses are left out."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of `losses`."""

    points: float = 6.0
    aligned: float = 12.0
    rotation: float = 0.3
    image: float = 1.0
    depth: float = 0.3
    betas: float = 0.06


def losses(
    model: Model | landmark_hmr.Model,
    body: BodyModel,
    prediction: Prediction,
    crops: Crops,
    truth: Truth,
) -> dict[str, Tensor]:
    """Terms of the loss, each a mean over the examples that count.

    points: distance of joints and keypoints from the truth, both from the pelvis, metres.
    aligned: the same of the 12 limb joints after the similarity that fits them best.
    rotation: squared distance of local and global rotation matrices. betas: squared.
    image: distance in the crop, clamped. depth: error of the logarithm of the pelvis' depth.
    """
    params = prediction.params
    joints, keypoints = body.joints_and_keypoints(params, which="all")
    points = torch.cat([joints, keypoints], dim=1)
    root = joints[:, :1]
    weight = truth.weight / truth.weight.sum().clamp(min=1.0)
    error = (points - root) - (truth.points - truth.points[:, :1])
    distance = (error.square().sum(-1) + 1e-6).sqrt().mean(dim=1)
    limbs = select(LIMB12, SMPL24)
    pose, true_pose = joints[:, limbs], truth.points[:, limbs]
    aligned = metrics.similarity_align(true_pose, pose.detach()) - pose
    aligned = (aligned.square().sum(-1) + 1e-6).sqrt().mean(dim=1)
    local = torch.cat([params.global_orient[:, None], params.body_pose], dim=1)
    rotation = (local - truth.rotations).square().sum(dim=(2, 3)).mean(dim=1)
    pelvis = model.pelvis(prediction, crops)
    seen = pelvis[:, None] + points - root
    half = (crops.size_px / 2.0)[:, None]
    image = _slope(seen) - _slope(truth.points)
    image = (image.norm(dim=-1) * crops.focal_length_px[:, None] / half).clamp(max=0.5).mean(dim=1)
    depth = (pelvis[:, 2].clamp(min=0.1).log() - truth.pelvis[:, 2].log()).abs().clamp(max=1.0)
    betas = (params.betas - truth.betas).square().mean(dim=1)
    terms = {
        "points": distance,
        "aligned": aligned,
        "rotation": rotation,
        "image": image,
        "depth": depth,
    }
    return {k: (v * weight).sum() for k, v in (terms | {"betas": betas}).items()}


def _slope(points: Tensor) -> Tensor:
    return points[..., :2] / points[..., 2:].clamp(min=0.2)


@torch.no_grad()
def evaluate(model: Model, body: BodyModel, crops: Crops, truth: Truth) -> dict[str, float]:
    """MPJPE and PA-MPJPE (mm, 12 limb joints), and 2D error (rms px of a 224 crop)."""
    keep = truth.weight > 0
    crops, truth = crops.select(keep), truth.select(keep)
    prediction = model.decode(model(model.encode(crops)), crops)
    joints, _ = body.joints_and_keypoints(prediction.params)
    limbs = select(LIMB12, SMPL24)
    root = joints[:, :1]
    true_joints = truth.points[:, :24]
    absolute = metrics.mpjpe(
        (joints - root)[:, limbs], (true_joints - true_joints[:, :1])[:, limbs], root=None
    )
    aligned = metrics.pa_mpjpe(joints[:, limbs], true_joints[:, limbs])
    return {"mpjpe_mm": 1e3 * absolute.mean().item(), "pa_mpjpe_mm": 1e3 * aligned.mean().item()}


def evaluate_witnesses(
    model: Model, body: BodyModel, crops: Crops, truth: Truth
) -> dict[str, float]:
    """`evaluate`, and PA-MPJPE with witnesses left out, of the first SOME windows: the detector's
    keypoints alone, the landmarks alone, without the landmarks' places, without their metres."""
    figures = evaluate(model, body, crops, truth)
    if crops.landmarks is None or not model.cfg.landmarks:
        return figures
    first = torch.arange(min(SOME, len(crops)), device=crops.size_px.device)
    crops, truth = crops.select(first), truth.select(first)
    every = torch.ones(len(crops), dtype=torch.bool, device=crops.size_px.device)
    some = {
        "keypoints": replace(crops, landmarks=None),
        "landmarks": without(crops, every, ~every, ~every),
        "no_places": without(crops, ~every, every, ~every),
        "no_metres": without(crops, ~every, ~every, every),
    }
    for name, heard in some.items():
        figures[f"pa_{name}_mm"] = evaluate(model, body, heard, truth)["pa_mpjpe_mm"]
    return figures

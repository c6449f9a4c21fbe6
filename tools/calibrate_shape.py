"""Fit how the lifter's mean answer about a person's shape over a track tells the true one.

python tools/calibrate_shape.py --poses POSES.npz [--weights FILE] [--out FILE]

Windows of the training motion with detector-like errors, on bodies of the population; the line from
the robust mean of the regressor's betas to the true ones, by ridge regression, goes into the
weights file (`Model.track_betas`). Prints the errors on held-out motion before and after.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import CropConfig, ShapeConfig
from eftvideo.geometry.crops import crop_people, to_crop
from eftvideo.geometry.robust import robust_mean
from eftvideo.regressors.lifter import Model
from eftvideo.train.synthetic.landmark_noise import LandmarkNoise
from eftvideo.train.synthetic.motions import Motion, MotionLibrary
from eftvideo.train.synthetic.observer import NoiseConfig
from eftvideo.train.synthetic.scenes import SceneConfig, draw_scenes
from eftvideo.train.synthetic.sightings import (
    landmark_rows,
    look_at_scenes,
    observe_scenes,
    posed_points,
)
from eftvideo.weights.locate import resolve

FPS = 30
FRAMES = 45
RIDGE = 3.0
SHARE = 0.5
"""How far to go from the mean answer to the line. The whole line makes size right on average, and
MPJPE 1.3 mm worse: the poses are those of the small people that the network sees."""
MIN_USABLE = 5


@torch.no_grad()
def told_and_true(
    poses: Path, body: BodyModel, model: Model, *, held_out: bool, rounds: int, seed: int
) -> tuple[Tensor, Tensor]:
    """(N, 10) robust mean of the answers of N people, and (N, 10) their betas."""
    library = MotionLibrary(poses, held_out=held_out)
    told, true = [], []
    for draw in range(rounds):
        g = torch.Generator().manual_seed(seed + draw)
        windows = [
            library.sequence(i, int(torch.randint(n - FRAMES + 1, (1,), generator=g)), FRAMES)
            for i, (_, n) in enumerate(library.clips)
            if n >= FRAMES
        ]
        motion = Motion(
            torch.cat([w.rotations for w in windows]), torch.cat([w.pelvis for w in windows])
        )
        scenes = draw_scenes(motion, SceneConfig(), g)
        joints, keypoints = posed_points(body, scenes)
        time_s = (torch.arange(FRAMES) / FPS).expand(len(windows), -1)
        seen, _ = observe_scenes(scenes, joints, keypoints, time_s, NoiseConfig(), g)
        points = joints, keypoints[:, :, landmark_rows(body.keypoint_names)]
        looks = look_at_scenes(scenes, points, seen, time_s, (LandmarkNoise(), body), g)
        usable = (seen.keypoints[..., 2] >= 0.3).sum(-1) >= MIN_USABLE
        there = seen.found & usable
        answers = torch.zeros(len(windows), FRAMES, 10)
        at = torch.tensor([round(o * FPS) for o in model.context_offsets_s])
        for t in range(FRAMES):
            rows = there[:, t].nonzero().squeeze(1)
            inside = (t + at >= 0) & (t + at < FRAMES)
            near = (t + at).clamp(0, FRAMES - 1)
            context = seen.keypoints[rows][:, near].clone()
            context[..., 2] *= (there[rows][:, near] & inside)[..., None]
            crops = crop_people(
                seen.xyxy[rows, t],
                seen.keypoints[rows, t],
                scenes.focal_length_px[rows],
                scenes.image_size_px[rows],
                CropConfig(),
                context,
            )
            times = torch.cat([torch.tensor([t]), near])
            told_by = (
                looks[rows][:, times]
                * (there[rows][:, times] & torch.cat([torch.tensor([True]), inside]))[
                    ..., None, None
                ]
            )
            placed = to_crop(told_by, crops.center_px, crops.size_px) * (told_by != 0)
            crops = replace(crops, landmarks=placed)
            raw = model.forward(model.encode(crops))
            answers[rows, t] = model.decode(raw, crops).params.betas
        trust = seen.keypoints[..., 2].mean(-1) * there
        for i in range(len(windows)):
            best = trust[i].argsort(descending=True)
            best = best[: max(1, round(ShapeConfig().good_share * int(there[i].sum())))]
            if bool(there[i].any()):
                told.append(robust_mean(answers[i, best], trust[i, best].square()))
                true.append(scenes.betas[i])
    return torch.stack(told), torch.stack(true)


def ridge(told: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """(10, 10) gain and (10,) offset of `told @ gain.T + offset`."""
    x = torch.cat([told, told.new_ones(len(told), 1)], dim=1).double()
    penalty = RIDGE * torch.eye(11, dtype=torch.float64)
    penalty[10, 10] = 0.0
    line = torch.linalg.solve(x.T @ x + penalty, x.T @ true.double()).float()
    return line[:10].T.contiguous(), line[10].contiguous()


def report(name: str, body: BodyModel, betas: Tensor, true: Tensor) -> None:
    """Print how far the mean bone is off, and the betas."""
    off = 100.0 * (body.mean_bone(betas) / body.mean_bone(true) - 1.0)
    rms = (betas - true).square().mean().sqrt()
    print(f"{name:18} size off by {off.abs().mean():.2f} % (mean {off.mean():+.2f} %), ", end="")
    print(f"betas rms {rms:.3f}, first {(betas - true)[:, 0].square().mean().sqrt():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--weights", help="lifter weights; default: the shipped ones")
    parser.add_argument("--out", type=Path, help="write the weights with the line in them here")
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    body, path = load_body(), resolve(Model.spec, args.weights)
    model = Model.from_weights(path)
    data = {"held_out": False, "rounds": args.rounds, "seed": 1}
    gain, offset = ridge(*told_and_true(args.poses, body, model, **data))
    told, true = told_and_true(args.poses, body, model, held_out=True, rounds=6, seed=100)
    report("nothing known", body, torch.zeros_like(true), true)
    report("mean answer", body, told, true)
    report("by the line", body, told @ gain.T + offset, true)
    gain, offset = torch.lerp(torch.eye(10), gain, SHARE), SHARE * offset
    report(f"{SHARE:g} of the way", body, told @ gain.T + offset, true)
    if args.out:
        tensors = load_file(path) | {"shape_gain": gain, "shape_offset": offset}
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        save_file(tensors, args.out, metadata)


if __name__ == "__main__":
    main()

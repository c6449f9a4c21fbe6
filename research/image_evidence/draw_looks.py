"""Drawn people as the landmark network looks at them, with exact SMPL truth, for `landmark_hmr`.

python -m research.image_evidence.draw_looks --poses POSES.npz --out FOLDER --split train
    [--num 12288] [--photos CLIP ...]

Draws people as render_pictures.py does, in crops as wide as `landmark_hmr` has them, and looks at
each once: where the true points say, moved, grown and turned by lot as regions of real people are.
`--split test` takes the motion trials that are held out everywhere, looks twice to find the region
as the program does, and keeps the landmarks of the last look for other regressors. A shard is an
npz of 128 people; shards that are there are kept, so the command may be stopped and run again.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel, load_body
from eftvideo.geometry import camera
from eftvideo.geometry.crops import to_crop
from eftvideo.landmarks.look import look
from eftvideo.landmarks.regions import region_from_keypoints
from eftvideo.landmarks.runtime import Looker
from eftvideo.regressors._upright import cut_regions, regions_of
from eftvideo.regressors.landmark_hmr import IMAGE_SCALE, Model
from eftvideo.train.landmark_hmr import varied
from eftvideo.train.lifter import SCENES
from eftvideo.train.looked import People
from eftvideo.train.synthetic.examples import ErrorConfig, Sampling, Truth, make_examples
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.train.synthetic.sightings import landmark_rows
from eftvideo.types import Crops
from research.image_evidence.picture_scenery import photographs
from research.image_evidence.render_pictures import Studio

SHARD = 128
SIDE_PX = Model.crop_size_px

log = logging.getLogger("draw_looks")


def people(
    library: MotionLibrary, body: BodyModel, num: int, seed: int, *, vary: bool
) -> tuple[Crops, Truth]:
    """`num` people worth learning from, one frame each."""
    g = torch.Generator().manual_seed(seed)
    errors, parts = ErrorConfig(network=None), []
    while sum(len(c) for c, _ in parts) < num:
        crops, truth = make_examples(
            library, body, num, Sampling((0.0,)), SCENES, errors, g, vary=vary
        )
        use = truth.weight > 0
        parts.append((crops.select(use), truth.select(use)))
    first = torch.arange(num)
    truths = [t for _, t in parts]
    joined = Truth(*(torch.cat([getattr(t, f.name) for t in truths]) for f in fields(Truth)))
    return Crops.cat([c for c, _ in parts]).select(first), joined.select(first)


def told(crops: Crops, truth: Truth, rows: list[int]) -> Crops:
    """With the body's own 33 points in the place of landmarks."""
    points = truth.points[:, 24:][:, rows]
    px = camera.project(points, crops.focal_length_px, crops.image_size_px)
    metres = points - points[:, 23:25].mean(dim=1, keepdim=True)
    landmarks = torch.cat([px, torch.ones_like(px), metres], dim=2)[:, None]
    return replace(crops, landmarks=to_crop(landmarks, crops.center_px, crops.size_px))


def landmarks_of(wide: Crops, images: np.ndarray, truth: Truth, looker: Looker) -> Tensor:
    """(N, 1, 33, 7) as the program finds them: first where the true keypoints say, then again."""
    scale = (wide.size_px / SIDE_PX)[:, None, None]
    corner = (wide.center_px - wide.size_px[:, None] / 2)[:, None]
    px = camera.project(truth.points[:, 24:41], wide.focal_length_px, wide.image_size_px)
    known = torch.nn.functional.pad((px - corner) / scale, (0, 1), value=1.0)
    whole = np.array([0.0, 0.0, SIDE_PX, SIDE_PX])
    regions = [region_from_keypoints(k.numpy(), whole) for k in known]
    pictures = list(images)
    seen = look(looker, pictures, look(looker, pictures, regions).next_regions).landmarks
    flat = torch.from_numpy(seen.points2d)
    flat = torch.cat([flat[..., :2] * scale + corner, flat[..., 2:]], dim=-1)
    return torch.cat([flat, torch.from_numpy(seen.points3d)], dim=-1)[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--split", choices=("train", "test"), required=True)
    parser.add_argument("--num", type=int, default=12288, help="people, rounded up to shards")
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="clips for backgrounds")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    held_out = args.split == "test"
    library, body = MotionLibrary(args.poses, held_out=held_out), load_body()
    rows = landmark_rows(body.keypoint_names)
    studio = Studio(body, photographs(args.photos), SIDE_PX)
    looker = Looker("heavy", torch.device("cpu"))
    for k in range(-(-args.num // SHARD)):
        path = args.out / f"{args.split}_{k:04d}.npz"
        if path.exists():
            continue
        began, seed = time.perf_counter(), 5 + 2 * k + held_out
        rng = np.random.default_rng(seed)
        crops, truth = people(library, body, SHARD, seed, vary=not held_out)
        wide = replace(crops, size_px=crops.size_px * IMAGE_SCALE)
        images = studio.pictures(wide, truth, rng)[0]
        if held_out:
            landmarks = landmarks_of(wide, images, truth, looker)
            crops = replace(crops, landmarks=to_crop(landmarks, crops.center_px, crops.size_px))
            regions = regions_of(crops)
            kept = path.with_name(f"seen_{k:04d}.pt")
            torch.save({"crops": vars(crops), "images": images[:8]}, kept)
        else:
            g = torch.Generator().manual_seed(seed)
            regions = varied(regions_of(told(crops, truth, rows)), g)
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        cut = cut_regions(pixels, (wide.center_px, wide.size_px), regions)
        looked = looker(cut.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
        picture = (crops.focal_length_px, crops.image_size_px)
        People(looked.features, regions, *picture, truth).write(path)
        log.info("%s: %.0f a minute", path.name, 60 * SHARD / (time.perf_counter() - began))
    studio.close()


if __name__ == "__main__":
    main()

"""Pictures of clothed bodies with exact SMPL truth, to train and test regressors that look.

python -m research.image_evidence.render_pictures --poses POSES.npz --out FOLDER --split train
    [--num 20000] [--photos CLIP ...]

People, cameras and detector errors are those of the lifter's training (eftvideo/train/synthetic);
each picture is the square crop that the program would cut out of the full frame. Clothes, light,
background, occluders and other people come by lot; backgrounds are windows of the clips' frames,
or clouds of colour. `--split test` takes the motion trials that are held out everywhere; give it
other clips for backgrounds. A shard is an npz of 256 pictures; shards that are there are kept, so
the command may be stopped and run again.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from eftvideo.bodies import BodyModel, load_body
from eftvideo.regressors.lifter import LifterConfig
from eftvideo.train.synthetic.examples import ErrorConfig, Sampling, Truth, make_examples
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.train.synthetic.scenes import SceneConfig
from eftvideo.types import Crops, SmplParams
from research.image_evidence.picture_data import STORED_PX as SIDE_PX
from research.image_evidence.picture_looks import Wardrobe
from research.image_evidence.picture_painter import PicturePainter, any_light
from research.image_evidence.picture_scenery import background, occluder, photographed, photographs

SHARD = 256
OCCLUDER_SHARE = 0.2
BEHIND_SHARE = 0.12
"""Share of pictures with somebody else behind the person."""
BEFORE_SHARE = 0.04
CROP_FIELDS = ("keypoints", "context", "center_px", "size_px", "focal_length_px", "image_size_px")

log = logging.getLogger("render_pictures")


def draw_people(
    library: MotionLibrary, body: BodyModel, num: int, seed: int, *, vary: bool
) -> tuple[Crops, Truth]:
    """`num` people worth learning from."""
    offsets = tuple(sorted((*LifterConfig().context_offsets_s, 0.0)))
    g = torch.Generator().manual_seed(seed)
    kept: list[tuple[Crops, Truth]] = []
    while sum(len(c) for c, _ in kept) < num:
        crops, truth = make_examples(
            *(library, body, num, Sampling(offsets), SceneConfig(), ErrorConfig(network=None), g),
            vary=vary,
        )
        use = truth.weight > 0
        kept.append((crops.select(use), truth.select(use)))
    first = torch.arange(num)
    truths = [t for _, t in kept]
    joined = Truth(*(torch.cat([getattr(t, f.name) for t in truths]) for f in fields(Truth)))
    return Crops.cat([c for c, _ in kept]).select(first), joined.select(first)


class Studio:
    """Draws pictures of people over backgrounds."""

    def __init__(self, body: BodyModel, photos: list[np.ndarray], side_px: int) -> None:
        self._body, self._photos, self._side = body, photos, side_px
        self._wardrobe = Wardrobe(body)
        self._painter = PicturePainter(body.faces, body.num_vertices, side_px)
        self._others: list[np.ndarray] = []

    def pictures(
        self, crops: Crops, truth: Truth, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, S, S, 3) uint8 pictures and (N, S, S) uint8 masks, 255 where not background."""
        r = truth.rotations
        params = SmplParams(r[:, 0], r[:, 1:], truth.betas)
        vertices = self._body.vertices(params, truth.pelvis - self._body.rest_pelvis(truth.betas))
        slope = (crops.center_px - crops.image_size_px / 2) / crops.focal_length_px[:, None]
        half = crops.size_px / crops.focal_length_px / 2
        windows = torch.cat([slope, half[:, None]], dim=1).tolist()
        images, masks = [], []
        for i, window in enumerate(windows):
            look = self._wardrobe.dress(rng)
            person = self._painter.draw(
                vertices[i].numpy(), look.offset_m, look.colours, tuple(window), any_light(rng)
            )
            image, mask = self._compose(person, rng)
            image = photographed(image, float(crops.size_px[i]), rng)
            outside = _outside(crops, i, self._side)
            image[outside], mask[outside] = 0, 255
            images.append(image)
            masks.append(mask)
        return np.stack(images), np.stack(masks)

    def _compose(
        self, person: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        image = background(self._photos, self._side, rng).astype(np.float32)
        if rng.random() < BEHIND_SHARE:
            _lay(image, self._somebody(rng, 0.2))
        _lay(image, person)
        mask = person[..., 3].copy()
        if rng.random() < BEFORE_SHARE:
            other = self._somebody(rng, 0.45)
            _lay(image, other)
            mask = np.maximum(mask, other[..., 3])
        if rng.random() < OCCLUDER_SHARE:
            shape = occluder(self._side, rng)
            image[shape] = background(self._photos, self._side, rng)[shape]
            mask[shape] = 255
        self._others = [*self._others[-31:], person]
        return np.clip(image, 0, 255).astype(np.uint8), mask

    def _somebody(self, rng: np.random.Generator, least: float) -> np.ndarray:
        """A person drawn before, moved sideways by at least the share `least` of the picture."""
        if not self._others:
            return np.zeros((self._side, self._side, 4), np.uint8)
        other = self._others[rng.integers(len(self._others))]
        move = int(rng.choice([-1, 1]) * rng.uniform(least, 0.7) * self._side)
        out = np.zeros_like(other)
        if move > 0:
            out[:, move:] = other[:, :-move]
        else:
            out[:, :move] = other[:, -move:]
        return out

    def close(self) -> None:
        """Gives the OpenGL context back."""
        self._painter.close()


def _lay(image: np.ndarray, person: np.ndarray) -> None:
    """Put (S, S, 4) with colours times alpha over a float picture."""
    image *= 1.0 - person[..., 3:] / np.float32(255.0)
    image += person[..., :3]


def _outside(crops: Crops, i: int, side: int) -> np.ndarray:
    """(S, S) bool: pixels of the crop that are not in the full frame."""
    at = (np.arange(side) + 0.5) / side - 0.5
    center, size = crops.center_px[i].numpy(), float(crops.size_px[i])
    x, y = (center[k] + at * size for k in (0, 1))
    width, height = crops.image_size_px[i].tolist()
    return ((y < 0) | (y > height))[:, None] | ((x < 0) | (x > width))[None]


def write_shard(
    path: Path, crops: Crops, truth: Truth, images: np.ndarray, masks: np.ndarray
) -> None:
    """One npz; it has its name only when it is whole."""
    arrays = {name: getattr(crops, name).numpy() for name in CROP_FIELDS}
    arrays |= {f.name: getattr(truth, f.name).numpy() for f in fields(Truth)}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, image=images, mask=masks, **arrays)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--split", choices=("train", "test"), required=True)
    parser.add_argument("--num", type=int, default=2048, help="pictures, rounded up to shards")
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="clips for backgrounds")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    held_out = args.split == "test"
    library = MotionLibrary(args.poses, held_out=held_out)
    body = load_body()
    studio = Studio(body, photographs(args.photos), SIDE_PX)
    for k in range(-(-args.num // SHARD)):
        path = args.out / f"{args.split}_{k:04d}.npz"
        if path.exists():
            continue
        began = time.perf_counter()
        seed = 1_000_003 * args.seed + 2 * k + held_out
        crops, truth = draw_people(library, body, SHARD, seed, vary=not held_out)
        images, masks = studio.pictures(crops, truth, np.random.default_rng(seed))
        write_shard(path, crops, truth, images, masks)
        log.info("%s: %.0f pictures a minute", path, 60 * SHARD / (time.perf_counter() - began))
    studio.close()


if __name__ == "__main__":
    main()

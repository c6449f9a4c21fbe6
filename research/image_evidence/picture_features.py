"""What the YOLO pose network sees in rendered pictures: keypoints, and features at them.

python -m research.image_evidence.picture_features --pictures FOLDER

For every shard of render_pictures.py an npz beside it: the person's keypoints as the program's own
detector finds them, and the network's three feature maps (strides 8, 16, 32; what its heads read,
frozen) sampled at these keypoints. In `eftvideo run` both come from one pass over
the whole frame; here the pass is over the crop, enlarged to 256 px. Files that are there are kept.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eftvideo.config import DetectConfig
from eftvideo.detect.yolo_pose import Model
from eftvideo.types import Detections

SIDE_PX = 256
MAX_CENTER_ERROR = 0.15
"""A detection whose keypoints are farther away from the true ones, on average, as a share of the
crop, is somebody else."""
MIN_FOUND = 3
BATCH = 16

log = logging.getLogger("picture_features")


class Eye:
    """The program's detector, with its feature maps."""

    def __init__(self) -> None:
        self._detector = Model(DetectConfig(image_size=SIDE_PX, batch_size=BATCH), "cpu")
        self._maps: list[Tensor] = []
        head = _head(self._detector)
        head.register_forward_pre_hook(lambda _, inputs: self._keep(inputs[0]))

    def look(self, images: np.ndarray) -> tuple[list[Detections], list[Tensor]]:
        """Everybody in (N, S, S, 3) uint8 pictures, px of SIDE_PX, and the maps (N, C, H, W)."""
        size = (SIDE_PX, SIDE_PX)
        large = [cv2.resize(im, size, interpolation=cv2.INTER_LINEAR) for im in images]
        return self._detector.detect(large), self._maps

    def _keep(self, maps: list[Tensor]) -> None:
        self._maps = [m.detach().float().clone() for m in maps]


def _head(detector: Model) -> torch.nn.Module:
    network: Any = detector._predictor.model
    while hasattr(network, "model"):
        network = network.model
    return network[-1]


def at_keypoints(maps: list[Tensor], keypoints: Tensor) -> Tensor:
    """(N, 17, C) features at (N, 17, 2) crop coordinates, bilinear, edges repeated."""
    grid = keypoints.clamp(-1.0, 1.0)[:, :, None]
    parts = [
        F.grid_sample(m, grid, align_corners=False, padding_mode="border")[..., 0].mT for m in maps
    ]
    return torch.cat(parts, dim=2)


def own_person(people: Detections, truth: np.ndarray) -> np.ndarray | None:
    """(17, 3) detected keypoints, crop coordinates, of the person whose true ones (17, 2) are."""
    best, least = None, 2.0 * MAX_CENTER_ERROR
    for keypoints in people.keypoints:
        points = keypoints.copy()
        points[:, :2] = points[:, :2] / (SIDE_PX / 2) - 1.0
        seen = points[:, 2] >= 0.3
        if seen.sum() < MIN_FOUND:
            continue
        far = np.median(np.linalg.norm(points[seen, :2] - truth[seen], axis=1))
        if far < least:
            best, least = points, far
    return best


def true_keypoints(shard: Any) -> np.ndarray:
    """(N, 17, 2) crop coordinates of a shard's true COCO keypoints."""
    points = shard["points"][:, 24 : 24 + 17]
    focal, size = shard["focal_length_px"][:, None, None], shard["size_px"][:, None, None]
    px = points[..., :2] / points[..., 2:] * focal + shard["image_size_px"][:, None] / 2
    return (px - shard["center_px"][:, None]) / (size / 2)


def describe(path: Path, eye: Eye) -> dict[str, Any]:
    """`found` (N,), `keypoints` (N, 17, 3) and `features` (N, 17, C) float16 of a shard."""
    with np.load(path) as shard:
        images, truth = shard["image"], true_keypoints(shard)
    keypoints = np.zeros((len(images), 17, 3), np.float32)
    found = np.zeros(len(images), bool)
    features = []
    for start in range(0, len(images), BATCH):
        batch = slice(start, start + BATCH)
        people, maps = eye.look(images[batch])
        for i, everybody in enumerate(people, start):
            own = own_person(everybody, truth[i])
            if own is not None:
                keypoints[i], found[i] = own, True
        features.append(at_keypoints(maps, torch.from_numpy(keypoints[batch, :, :2])))
    return {
        "found": found,
        "keypoints": keypoints,
        "features": torch.cat(features).numpy().astype(np.float16),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the shards")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    eye = Eye()
    for path in sorted(args.pictures.glob("t*_[0-9][0-9][0-9][0-9].npz")):
        out = path.with_name(f"{path.stem}_yolo.npz")
        if out.exists():
            continue
        began = time.perf_counter()
        arrays = describe(path, eye)
        part = out.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, **arrays)
        part.replace(out)
        rate = 60 * len(arrays["found"]) / (time.perf_counter() - began)
        log.info("%s: found %.3f, %.0f a minute", out, arrays["found"].mean(), rate)


if __name__ == "__main__":
    main()

"""What the frozen trunk of the image regressor sees in rendered pictures, computed once.

python -m research.image_evidence.trunk_features --pictures FOLDER --out FOLDER
    [--split train] [--copies 5]

FOLDER of pictures: render_pictures.py. A copy is every picture once: copy 0 as it was drawn,
the others varied (picture_variety.py: other windows, mirrored, other colours and backgrounds). A
file is one shard of one copy, float16, with its crops and truth; files that are there are kept.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eftvideo.bodies import load_body
from eftvideo.config import DetectConfig
from eftvideo.detect.yolo_pose import Model as Detector
from eftvideo.train.synthetic.examples import Truth
from eftvideo.types import Crops
from research.image_evidence.picture_data import CROP_FIELDS, STORED_PX, Pictures, read_pictures
from research.image_evidence.picture_variety import plain, varied
from research.image_evidence.yolo_hmr import ENCODE_ROWS
from research.image_evidence.yolo_hmr import Model as YoloHmr
from research.image_evidence.yolo_trunk import YoloTrunk

log = logging.getLogger("trunk_features")


@dataclass(frozen=True)
class Seen:
    """N people, and what the trunk saw of them."""

    looks: Tensor
    """(N, E) float16, as `yolo_hmr.Model.look` gives it."""
    crops: Crops
    truth: Truth


def detector_network() -> Any:
    """The detector's network as ultralytics builds it, BatchNorm folded: its layers in order."""
    network: Any = Detector(DetectConfig(), "cpu")._predictor.model
    while hasattr(network, "model"):
        network = network.model
    return network


def fill_trunk(trunk: YoloTrunk) -> None:
    """Give the trunk the weights of the program's own detector."""
    tensors = detector_network().state_dict()
    own = {name: tensors[name.removeprefix("layers.")] for name in trunk.state_dict()}
    trunk.load_state_dict(own)


@torch.no_grad()
def look(model: YoloHmr, image: Tensor) -> Tensor:
    """(N, E) float16 of (N, 3, S, S) uint8 crops."""
    return torch.cat([model.look(part).half() for part in image.split(ENCODE_ROWS)])


def copy_of(data: Pictures, copy: int, seed: int, side_px: int) -> tuple[Crops, Truth]:
    """The pictures as they are in a copy, with pixels."""
    rows = torch.arange(len(data))
    if copy == 0:
        return plain(data, rows, side_px), data.truth
    g = torch.Generator().manual_seed(1000 * copy + seed)
    return varied(data, rows, side_px, load_body().keypoint_names, g)


def write(path: Path, looks: Tensor, crops: Crops, truth: Truth) -> None:
    """One npz; it has its name only when it is whole."""
    arrays: dict[str, Any] = {"looks": looks.numpy()}
    names = [n for n in CROP_FIELDS if n != "context"]
    arrays |= {name: getattr(crops, name).numpy() for name in (*names, "keypoints")}
    arrays |= {f.name: getattr(truth, f.name).numpy() for f in fields(Truth)}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
    part.replace(path)


def read(folder: Path, split: str, copy: int, limit: int | None = None) -> Seen:
    """All shards of a copy, or `limit` of them.

    Raises:
        FileNotFoundError: there are none.
    """
    paths = sorted(folder.glob(f"{split}_*_copy{copy}.npz"))[:limit]
    if not paths:
        raise FileNotFoundError(f"no copy {copy} of {split} in {folder}: run this program for it")
    columns: dict[str, list[np.ndarray]] = {}
    for path in paths:
        with np.load(path) as arrays:
            for name in arrays.files:
                columns.setdefault(name, []).append(arrays[name])
    data = {name: torch.from_numpy(np.concatenate(columns.pop(name))) for name in list(columns)}
    names = [n for n in CROP_FIELDS if n != "context"]
    crops = Crops(keypoints=data["keypoints"], **{name: data[name] for name in names})
    return Seen(data["looks"], crops, Truth(*(data[f.name] for f in fields(Truth))))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument("--copies", type=int, default=5)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    model = YoloHmr().eval()
    fill_trunk(model.trunk)
    nn.Module.requires_grad_(model, False)
    num = len(list(args.pictures.glob(f"{args.split}_[0-9][0-9][0-9][0-9].npz")))
    for copy in range(args.copies):
        for shard in range(num):
            path = args.out / f"{args.split}_{shard:04d}_copy{copy}.npz"
            if path.exists():
                continue
            began = time.perf_counter()
            data = read_pictures(
                *(args.pictures, args.split),
                **{"start": shard, "limit": 1, "detected": False, "side_px": STORED_PX},
            )
            crops, truth = copy_of(data, copy, shard, model.crop_size_px)
            assert crops.image is not None
            write(path, look(model, crops.image), crops, truth)
            rate = 60 * len(data) / (time.perf_counter() - began)
            log.info("%s: %.0f pictures a minute", path.name, rate)


if __name__ == "__main__":
    main()

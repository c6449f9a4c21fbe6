"""Reads the shards of render_pictures.py and picture_features.py."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from eftvideo.train.synthetic.examples import Truth
from eftvideo.types import Crops

STORED_PX = 192
"""Side of the pictures in a shard."""
CROP_FIELDS = ("context", "center_px", "size_px", "focal_length_px", "image_size_px")


@dataclass(frozen=True)
class Pictures:
    """N people in pictures."""

    crops: Crops
    truth: Truth
    features: Tensor | None = None
    """(N, 17, C) float16: the detector's frozen features at the keypoints."""
    images: Tensor | None = None
    """(N, S, S, 3) uint8 RGB."""
    masks: Tensor | None = None
    """(N, S, S) uint8, 255 where not background."""

    def __len__(self) -> int:
        return len(self.crops)


def read_pictures(
    folder: Path,
    split: str,
    *,
    start: int = 0,
    limit: int | None = None,
    detected: bool = True,
    features: bool = False,
    side_px: int | None = None,
) -> Pictures:
    """Shards of a split; all of them if nothing else is said.

    Args:
        folder: where the shards are.
        split: "train" or "test".
        start: the first shard. limit: at most so many shards.
        detected: only people whom the detector found, with the keypoints that it found; False:
            everybody, with made-up keypoints.
        features: read the detector's features too.
        side_px: read pictures and masks too, shrunk to this side.

    Raises:
        FileNotFoundError: there are none.
    """
    pattern = f"{split}_*_yolo.npz" if detected else f"{split}_[0-9][0-9][0-9][0-9].npz"
    paths = sorted(folder.glob(pattern))[start:][:limit]
    if not paths:
        raise FileNotFoundError(
            f"no pictures of the {split} split in {folder}: run "
            "render_pictures.py, then picture_features.py"
        )
    columns: dict[str, list[np.ndarray]] = {}
    for path in paths:
        for name, value in _shard(path, detected, features, side_px).items():
            columns.setdefault(name, []).append(value)
    data = {name: torch.from_numpy(np.concatenate(v)) for name, v in columns.items()}
    return Pictures(
        Crops(keypoints=data["keypoints"], **{name: data[name] for name in CROP_FIELDS}),
        Truth(*(data[f.name] for f in fields(Truth))),
        data.get("features"),
        data.get("image"),
        data.get("mask"),
    )


def _shard(
    path: Path, detected: bool, features: bool, side_px: int | None
) -> dict[str, np.ndarray]:
    out, rows = {}, slice(None)
    if detected:
        with np.load(path) as seen:
            rows = seen["found"]
            for name in ("keypoints", *(("features",) if features else ())):
                out[name] = seen[name][rows]
    with np.load(path.with_name(path.name.replace("_yolo", ""))) as drawn:
        names = (*CROP_FIELDS, *(f.name for f in fields(Truth)), "keypoints")
        out = {name: drawn[name][rows] for name in names} | out
        if side_px is not None:
            for name in ("image", "mask"):
                out[name] = np.stack([_shrunk(im, side_px) for im in drawn[name][rows]])
    return out


def _shrunk(image: np.ndarray, side_px: int) -> np.ndarray:
    return cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)


def alone(crops: Crops) -> Crops:
    """The same people without the frames around."""
    if crops.context is None:
        return crops
    return replace(crops, context=torch.zeros_like(crops.context))

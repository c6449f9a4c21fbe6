"""What `train/landmark_hmr.py` learns from: looks at people whose SMPL is known, in shards."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eftvideo.errors import ConfigError
from eftvideo.regressors._upright import Regions
from eftvideo.train.synthetic.examples import Truth
from eftvideo.types import Crops

_REGION = ("center_px", "side_px", "angle_rad")
_PICTURE = ("focal_length_px", "image_size_px")


@dataclass(frozen=True)
class People:
    """N people whom the landmark network looked at, each in a region of a full frame."""

    features: Tensor
    """(N, 1152) float16"""
    regions: Regions
    focal_length_px: Tensor
    """(N,)"""
    image_size_px: Tensor
    """(N, 2)"""
    truth: Truth

    def __len__(self) -> int:
        return len(self.features)

    @property
    def crops(self) -> Crops:
        """The regions as crops that nothing more is known of."""
        num, r = len(self), self.regions
        nobody = r.center_px.new_zeros(num, 17, 3)
        return Crops(nobody, r.center_px, r.side_px, self.focal_length_px, self.image_size_px)

    def select(self, index: Tensor) -> People:
        """The people at `index`."""
        return People(
            self.features[index],
            self.regions.select(index),
            self.focal_length_px[index],
            self.image_size_px[index],
            self.truth.select(index),
        )

    def without_features(self) -> People:
        """The same people, of whom nothing is seen."""
        return replace(self, features=self.features[:, :0])

    def write(self, path: Path) -> None:
        """One npz; it has its name only when it is whole."""
        arrays = {name: getattr(self.regions, name).numpy() for name in _REGION}
        arrays |= {name: getattr(self, name).numpy() for name in _PICTURE}
        arrays |= {f.name: getattr(self.truth, f.name).numpy() for f in fields(Truth)}
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, features=self.features.half().numpy(), **arrays)
        part.replace(path)

    @classmethod
    def cat(cls, parts: list[People]) -> People:
        """Everybody of several."""

        def joined(values: list[Tensor]) -> Tensor:
            return torch.cat(values)

        return cls(
            joined([p.features for p in parts]),
            Regions(*(joined([getattr(p.regions, n) for p in parts]) for n in _REGION)),
            joined([p.focal_length_px for p in parts]),
            joined([p.image_size_px for p in parts]),
            Truth(*(joined([getattr(p.truth, f.name) for p in parts]) for f in fields(Truth))),
        )


def read_people(folder: Path, pattern: str) -> People:
    """Everybody of the shards of a folder whose names fit, in order of the names.

    Raises:
        ConfigError: there are none.
    """
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise ConfigError(
            f"{folder} has no {pattern}: python -m research.image_evidence.draw_looks"
        )
    return People.cat([_read(path) for path in paths])


def _read(path: Path) -> People:
    with np.load(path) as data:
        of = {name: torch.from_numpy(data[name]) for name in data.files}
    return People(
        of["features"],
        Regions(*(of[name] for name in _REGION)),
        of["focal_length_px"],
        of["image_size_px"],
        Truth(*(of[f.name] for f in fields(Truth))),
    )

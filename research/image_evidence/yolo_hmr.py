"""HMR on a trunk that knows real people: YOLO11n-pose, frozen, then a neck and HMR's head.

The trunk says where the keypoints of the person in the crop's middle are, and what its maps hold
there and over the whole crop. The neck brings that down to features, and HMR's head corrects a
mean answer by them. EFT may tune the head, or neck and head; the trunk is computed once per crop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo.config import CropConfig
from eftvideo.errors import CheckpointMismatchError, ConfigError
from eftvideo.regressors import RegressorModule
from eftvideo.regressors._hmr_head import HEAD, HmrHead, decode
from eftvideo.regressors._own_weights import Own, by_layer, linear, norm
from eftvideo.types import Crops, Prediction
from eftvideo.weights.checkpoints import load_exactly
from eftvideo.weights.locate import WeightSpec, load_safetensors
from research.image_evidence.yolo_trunk import NUM_KEYPOINTS, STRIDES, WIDTHS, YoloTrunk

ARCHITECTURE = "eftvideo.hmr_yolo"
ENCODE_ROWS = 16
"""Crops that go through the trunk at once."""
MIDDLE_SPREAD = 0.2
"""The middle of the person's keypoints is so far from the crop's; crop coordinates."""
SCORE_POWER = 4.0
"""How much more than others the cells count that are surer of the person."""
NUM_PLACE = 3
_MAX_COORDINATE = 3.0
_MAX_SPREAD = 5.0
"""Features farther than so many standard deviations from their mean are cut off."""


@dataclass(frozen=True)
class YoloHmrConfig:
    """The network's dimensions; in the metadata of its file."""

    crop_size_px: int = 256
    per_keypoint: int = 64
    """Numbers that the maps' features at each keypoint are brought down to."""
    per_cell: int = 16
    """The same for each cell of the coarsest map."""
    width: int = 512
    hidden: int = 1024
    """Of the neck's blocks."""
    num_blocks: int = 2
    head: int = 512
    num_iterations: int = 3

    def __post_init__(self) -> None:
        if self.crop_size_px % STRIDES[-1] or min(asdict(self).values()) < 1:
            raise ConfigError(f"no HMR network can be built of {asdict(self)}")


class Block(nn.Module):
    """x + MLP(LayerNorm(x))."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor, own: Own) -> Tensor:
        """(N, width) to (N, width)."""
        return x + linear(self.down, F.gelu(linear(self.up, norm(self.norm, x, own), own)), own)


class Model(HmrHead, RegressorModule):
    """See the module's text; `Regressor` is its interface."""

    needs: Literal["keypoints", "image"] = "image"
    context_offsets_s: tuple[float, ...] = ()
    crop = CropConfig()
    spec = WeightSpec("hmr_yolo.safetensors", None, "AGPL-3.0-or-later", "trained by eftvideo")
    betas_of: Literal["neutral", "smpl"] = "neutral"
    rates: Mapping[str, float] = {"head": 1e-4, "neck+head": 3e-5}
    mean: Tensor
    std: Tensor

    def __init__(self, cfg: YoloHmrConfig | None = None) -> None:
        super().__init__()
        self.cfg = cfg = cfg or YoloHmrConfig()
        self.crop_size_px = cfg.crop_size_px
        self.trunk = YoloTrunk()
        self._cells = (cfg.crop_size_px // STRIDES[-1]) ** 2
        self.register_buffer("mean", torch.zeros(sum(WIDTHS)))
        self.register_buffer("std", torch.ones(sum(WIDTHS)))
        self.hide, self.hide_whole = nn.Dropout(0.2), nn.Dropout1d(0.2)
        self.at_keypoint = nn.Linear(sum(WIDTHS), cfg.per_keypoint)
        self.at_cell = nn.Linear(WIDTHS[-1], cfg.per_cell)
        self.keypoint_bias = nn.Parameter(torch.zeros(NUM_KEYPOINTS, cfg.per_keypoint))
        told = 3 * NUM_KEYPOINTS + NUM_PLACE
        looked = NUM_KEYPOINTS * cfg.per_keypoint + self._cells * cfg.per_cell
        self.stem = nn.Linear(told + looked, cfg.width)
        blocks = (Block(cfg.width, cfg.hidden) for _ in range(cfg.num_blocks))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(cfg.width)
        self.add_head(cfg.width, cfg.head, cfg.num_iterations)

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """What `forward` begins with.

        Args:
            crops: with `image`.
            tune: what will be tuned: everything before it is computed here. None: nothing.

        Returns:
            "neck+head": (N, E) what the trunk saw; "head" or None: (N, width) features.

        Raises:
            ConfigError: unknown `tune`.
        """
        self._check(tune)
        assert crops.image is not None, "this regressor needs pixels"
        with torch.no_grad():
            seen = [self.look(part) for part in crops.image.split(ENCODE_ROWS)]
            evidence = torch.cat([torch.cat(seen), place_of(crops)], dim=1)
            return evidence if tune == "neck+head" else self.neck(evidence, {})

    def look(self, image: Tensor) -> Tensor:
        """The trunk: (N, 3, S, S) uint8 RGB to (N, E - 3).

        First x, y and sight of 17 keypoints, then the three maps' features at them, then the
        coarsest map, cell by cell.
        """
        maps = self.trunk(image.to(self.mean.dtype) / 255.0)
        scores, told = self.trunk.cells(maps)
        places = told[..., :2]
        middle = (places.amin(dim=2) + places.amax(dim=2)) / 2.0
        far = middle.square().sum(dim=2) / (2.0 * MIDDLE_SPREAD**2)
        share = torch.softmax(SCORE_POWER * (F.logsigmoid(scores) - far), dim=1)
        own = (share[..., None, None] * told).sum(dim=1)
        at = own[:, :, None, :2].clamp(-1.0, 1.0)
        features = [
            F.grid_sample(m, at, align_corners=False, padding_mode="border")[..., 0].mT
            for m in maps
        ]
        sight = own[..., 2:].sigmoid()
        place = own[..., :2].clamp(-_MAX_COORDINATE, _MAX_COORDINATE)
        told = torch.cat([place, sight], dim=2)
        parts = (told, torch.cat(features, dim=2), maps[-1].flatten(2).mT)
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def forward(self, encoded: Tensor) -> Tensor:
        """Any of what `encode` gives to (N, 157): 24 x 6D rotations, betas, camera."""
        return self._forward(encoded, {})

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` where each row has some parameters of its own: names to (N, *shape)."""
        return self._forward(encoded, by_layer(self, own))

    def _forward(self, x: Tensor, own: Own) -> Tensor:
        return self.correct(x if x.shape[1] == self.cfg.width else self.neck(x, own), own)

    def neck(self, evidence: Tensor, own: Own) -> Tensor:
        """(N, E) what the trunk saw to (N, width)."""
        at_points = NUM_KEYPOINTS * sum(WIDTHS)
        sizes = [3 * NUM_KEYPOINTS, at_points, self._cells * WIDTHS[-1], NUM_PLACE]
        told, points, cells, place = evidence.split(sizes, dim=1)
        points = points.unflatten(1, (NUM_KEYPOINTS, -1))
        looked = self.bring(points, cells.unflatten(1, (self._cells, -1)), own)
        return self.mix(torch.cat([told, place], dim=1), looked, own)

    def bring(self, points: Tensor, cells: Tensor, own: Own) -> Tensor:
        """Features at keypoints (N, 17, C) and of cells (N, L, C'), brought down to (N, B)."""
        points = self.hide_whole(self._unit(points, slice(None)))
        cells = self.hide_whole(self._unit(cells, slice(-WIDTHS[-1], None)))
        points = F.gelu(linear(self.at_keypoint, points, own) + self.keypoint_bias)
        cells = F.gelu(linear(self.at_cell, cells, own))
        return torch.cat([points.flatten(1), cells.flatten(1)], dim=1)

    def mix(self, told: Tensor, looked: Tensor, own: Own) -> Tensor:
        """Keypoints and the crop's place (N, 54), and what `bring` gives, to (N, width)."""
        x = linear(self.stem, torch.cat([told, self.hide(looked)], dim=1), own)
        for block in self.blocks:
            x = cast(Block, block)(x, own)
        return norm(self.norm, x, own)

    def _unit(self, features: Tensor, channels: slice) -> Tensor:
        unit = (features - self.mean[channels]) / self.std[channels]
        return unit.clamp(-_MAX_SPREAD, _MAX_SPREAD)

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """Raw numbers to SMPL in the camera frame."""
        return decode(raw, crops, "spin")

    def track_betas(self, mean: Tensor) -> Tensor:
        """The shape of N people, of whom `mean` (N, 10) is the mean of the answers over a track."""
        return mean

    def tunable(self, which: str) -> list[str]:
        """Parameter names: "head", or "neck+head"; the trunk's are in neither."""
        self._check(which)
        neck = ("at_keypoint", "at_cell", "stem", "blocks", "norm")
        starts = tuple(f"{n}." for n in (HEAD if which == "head" else (*neck, *HEAD)))
        return [n for n, _ in self.named_parameters() if n.startswith(starts)]

    def _check(self, which: str | None) -> None:
        if which is not None and which not in self.rates:
            raise ConfigError(f"tune must be one of {', '.join(self.rates)}, but got {which!r}")

    def metadata(self) -> dict[str, str]:
        """What a safetensors file of this network must hold beside the tensors."""
        return {"architecture": ARCHITECTURE, "config": json.dumps(asdict(self.cfg))}

    @classmethod
    def from_weights(cls, path: Path) -> Model:
        """Read a file of train_image_regressor.py.

        Raises:
            WeightsCorruptError: it is not a whole safetensors file.
            CheckpointMismatchError: it is for another network; missing or unexpected keys named.
        """
        tensors, metadata = load_safetensors(path)
        if metadata.get("architecture") != ARCHITECTURE:
            raise CheckpointMismatchError(
                f"{path} is not for HMR on YOLO11n-pose (its metadata says "
                f"{metadata.get('architecture', 'nothing')!r}): choose another --weights"
            )
        model = cls(YoloHmrConfig(**json.loads(metadata["config"])))
        load_exactly(model, tensors, path, "HMR on YOLO11n-pose")
        return model.eval().requires_grad_(False)


def place_of(crops: Crops) -> Tensor:
    """(N, 3): slope of the ray through the crop's middle, logarithm of the crop's angular size."""
    slope = (crops.center_px - crops.image_size_px / 2) / crops.focal_length_px[:, None]
    return torch.cat([slope, (crops.size_px / crops.focal_length_px).log()[:, None]], dim=1)

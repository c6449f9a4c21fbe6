"""HMR's head on the frozen landmark network: a crop's pixels to SMPL.

The landmark network (landmarks/network.py) knows real people. It looks at a square round the hips,
turned so that the body is upright; its 1152 features, and the points that are linear in them, go
through a neck into HMR's head, which corrects a mean answer. The answer is of a virtual camera that
looks straight at the square and is turned with it; it is turned back. EFT may tune the head, neck
and head, or the network's last block too; what comes before is computed once per crop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn

from eftvideo.config import CropConfig
from eftvideo.errors import CheckpointMismatchError, ConfigError
from eftvideo.geometry import camera
from eftvideo.geometry.rotations import six_d_to_matrix
from eftvideo.geometry.skeletons import LANDMARK33
from eftvideo.landmarks.looked import NUM_FEATURES, SIZE_PX
from eftvideo.landmarks.network import load
from eftvideo.landmarks.runtime import Looker
from eftvideo.regressors._hmr_head import HEAD, HmrHead
from eftvideo.regressors._own_weights import Own, by_layer, linear, norm
from eftvideo.regressors._protocol import RegressorModule
from eftvideo.regressors._raw import RAW_SIZES
from eftvideo.regressors._upright import Regions, cut_regions, regions_of
from eftvideo.regressors.lifter import PELVIS_REST_M, Block
from eftvideo.types import Crops, Prediction, SmplParams
from eftvideo.weights.checkpoints import load_exactly
from eftvideo.weights.locate import WeightSpec, load_safetensors

ARCHITECTURE = "eftvideo.landmark_hmr"
IMAGE_SCALE = 1.6
"""So that turned squares, which reach farther than boxes, lie in the pixels."""
NUM_LANDMARKS = len(LANDMARK33)
NUM_TOLD = NUM_LANDMARKS * 7
NUM_PLACE = 5
ENCODE_ROWS = 16
"""Crops that go through the frozen part at once."""
_NETWORK = "network."
_NECK = ("stem", "look", "blocks", "norm")
_MAX_COORDINATE, _MAX_METRES, _MAX_SPREAD = 2.0, 2.0, 5.0


@dataclass(frozen=True)
class LandmarkHmrConfig:
    """The dimensions of neck and head; in the metadata of the weights file."""

    width: int = 384
    hidden: int = 640
    """Of the neck's blocks."""
    num_blocks: int = 3
    head: int = 448
    num_iterations: int = 3

    def __post_init__(self) -> None:
        if min(asdict(self).values()) < 1:
            raise ConfigError(f"no network can be built of {asdict(self)}")


class Model(HmrHead, RegressorModule):
    """See the module's text; `Regressor` is its interface."""

    mean: Tensor
    std: Tensor
    needs: Literal["keypoints", "image"] = "image"
    crop_size_px = 384
    image_scale = IMAGE_SCALE
    context_offsets_s: tuple[float, ...] = ()
    crop = CropConfig()
    spec = WeightSpec(
        file="landmark_hmr.safetensors",
        sha256="ecb3d968e5c9e4d11a23b08dd6687d82f27b8064bdf931e0b348011f432a3e8e",
        licence="AGPL-3.0-or-later",
        origin="trained by eftvideo on drawn people and CMU mocap (weights/README.md)",
    )
    betas_of: Literal["neutral", "smpl"] = "neutral"
    rates: Mapping[str, float] = {"head": 1e-4, "neck+head": 3e-5, "last+head": 1e-4}

    def __init__(self, cfg: LandmarkHmrConfig | None = None) -> None:
        """Neck and head by lot, on the shipped landmark network.

        Raises:
            WeightsNotFoundError, WeightsCorruptError: the landmark network's file is not the one.
        """
        super().__init__()
        self.cfg = cfg = cfg or LandmarkHmrConfig()
        self.network = load("heavy")
        self._looker: Looker | None = None
        self.register_buffer("mean", torch.zeros(NUM_FEATURES))
        self.register_buffer("std", torch.ones(NUM_FEATURES))
        self.stem = nn.Linear(NUM_TOLD + NUM_PLACE, cfg.width)
        self.look = nn.Linear(NUM_FEATURES, cfg.width)
        self.blocks = nn.Sequential(*(Block(cfg.width, cfg.hidden) for _ in range(cfg.num_blocks)))
        self.norm = nn.LayerNorm(cfg.width)
        self.add_head(cfg.width, cfg.head, cfg.num_iterations)
        nn.init.zeros_(self.init_cam)

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """What `forward` begins with.

        Args:
            crops: with `image`, `image_scale` times as wide as the crops.
            tune: what will be tuned: everything before it is computed here. None: nothing.

        Returns:
            "head" or None: (N, width) features of the neck; "neck+head": (N, E) what the network
            sees, and where; "last+head": (N, 1, E) what its last block sees, and where.

        Raises:
            ConfigError: unknown `tune`.
        """
        self._check(tune)
        assert crops.image is not None, "this regressor needs pixels"
        regions, rows = regions_of(crops), torch.arange(len(crops), device=crops.size_px.device)
        with torch.no_grad():
            parts = [self._seen(crops, regions, part, tune) for part in rows.split(ENCODE_ROWS)]
            seen = torch.cat([torch.cat(parts), place_of(regions, crops)], dim=1)
            if tune == "last+head":
                return seen[:, None]
            return seen if tune == "neck+head" else self.neck(seen, {})

    def _seen(self, crops: Crops, regions: Regions, rows: Tensor, tune: str | None) -> Tensor:
        """(n, 1152) features of some crops, or what the last block makes them of."""
        part = crops.select(rows)
        assert part.image is not None
        shown = (part.center_px, self.image_scale * part.size_px)
        pixels = cut_regions(part.image, shown, regions.select(rows)).round()
        if tune == "last+head":
            return self.network.before_last(pixels / 255.0).flatten(1)
        if self._looker is None:
            self._looker = Looker("heavy", pixels.device)
        images = pixels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return self._looker(images).features.to(pixels.device)

    def forward(self, encoded: Tensor) -> Tensor:
        """Any of what `encode` gives to (N, 157): 24 x 6D rotations, betas, camera."""
        return self._forward(encoded, {})

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` where each row has some parameters of its own: names to (N, *shape)."""
        if any(name.startswith(_NETWORK) for name in own):
            return super().forward_each(own, encoded)
        return self._forward(encoded, by_layer(self, own))

    def _forward(self, x: Tensor, own: Own) -> Tensor:
        if x.dim() == 3:
            before, place = x[:, 0].split([NUM_FEATURES, NUM_PLACE], dim=1)
            features = self.network.last(before.unflatten(1, (-1, 2, 2))).flatten(1)
            x = torch.cat([features, place], dim=1)
        return self.correct(x if x.shape[1] == self.cfg.width else self.neck(x, own), own)

    def neck(self, seen: Tensor, own: Own) -> Tensor:
        """(N, 1157) features and place to (N, width)."""
        features, place = seen.split([NUM_FEATURES, NUM_PLACE], dim=1)
        return self.mixed(self.told(features), place, self.unit(features), own)

    def told(self, features: Tensor) -> Tensor:
        """(N, 231) the landmarks that are linear in features (N, 1152), as `flat_told` has them."""
        points, world = (v[:, :NUM_LANDMARKS] for v in self.network.linear(features))
        visible, present = points[..., 3:].sigmoid().unbind(-1)
        return flat_told(points[..., :2] * (2.0 / SIZE_PX) - 1.0, visible, present, world)

    def unit(self, features: Tensor) -> Tensor:
        """(N, 1152) with mean and spread taken out."""
        return ((features - self.mean) / self.std).clamp(-_MAX_SPREAD, _MAX_SPREAD)

    def mixed(self, told: Tensor, place: Tensor, unit: Tensor | None, own: Own) -> Tensor:
        """(N, width) of landmarks (N, 231), place (N, 5), and features (N, 1152) if any."""
        x = linear(self.stem, torch.cat([told, place], dim=1), own)
        if unit is not None:
            x = x + linear(self.look, unit, own)
        for block in cast("list[Block]", self.blocks):
            x = block.forward_each(x, own)
        return norm(self.norm, x, own)

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """Raw numbers to SMPL in the camera frame."""
        return self.placed(raw, regions_of(crops), crops)

    def placed(self, raw: Tensor, regions: Regions, crops: Crops) -> Prediction:
        """`decode`, of an answer that belongs to given regions."""
        six_d, betas, cam = raw.split(RAW_SIZES, dim=1)
        rotations = six_d_to_matrix(six_d.unflatten(1, (24, 6)))
        size, focal = crops.image_size_px, crops.focal_length_px
        straight = camera.crop_view_rotation(regions.center_px, size, focal)
        view = regions.roll @ straight
        per_metre = 2.0 * focal / (view[:, 2, 2] * regions.side_px)
        at_view = torch.cat([cam[:, 1:], (per_metre * torch.exp(-cam[:, 0]))[:, None]], dim=1)
        pelvis = (view.mT @ at_view[..., None]).squeeze(-1)
        transl = pelvis - raw.new_tensor(PELVIS_REST_M)
        params = SmplParams(view.mT @ rotations[:, 0], rotations[:, 1:], betas)
        return Prediction(params, camera.transl_to_pred_cam(transl, *crops.view))

    @staticmethod
    def pelvis(prediction: Prediction, crops: Crops) -> Tensor:
        """(N, 3) pelvis in the camera frame, metres, of an answer of this network."""
        transl = camera.pred_cam_to_transl(prediction.pred_cam, *crops.view)
        return transl + transl.new_tensor(PELVIS_REST_M)

    def tunable(self, which: str) -> list[str]:
        """Parameter names: "head"; "neck+head"; "last+head", the landmark network's last block."""
        self._check(which)
        last = f"{_NETWORK}coarse.1.{len(cast(nn.Sequential, self.network.coarse[1])) - 1}"
        more = {"head": (), "neck+head": _NECK, "last+head": (last,)}[which]
        starts = tuple(f"{n}." for n in (*more, *HEAD))
        return [n for n, _ in self.named_parameters() if n.startswith(starts)]

    def _check(self, which: str | None) -> None:
        if which is not None and which not in self.rates:
            raise ConfigError(f"tune must be one of {', '.join(self.rates)}, but got {which!r}")

    def own_state(self) -> dict[str, Tensor]:
        """What its weights file holds: all but the landmark network."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith(_NETWORK)}

    def metadata(self) -> dict[str, str]:
        """What its weights file must hold beside the tensors."""
        return {"architecture": ARCHITECTURE, "config": json.dumps(asdict(self.cfg))}

    @classmethod
    def from_weights(cls, path: Path) -> Model:
        """Read a file of the trainer (train/landmark_hmr.py).

        Raises:
            WeightsCorruptError: no safetensors file.
            CheckpointMismatchError: it is for another network; missing or unexpected keys named.
        """
        tensors, metadata = load_safetensors(path)
        if metadata.get("architecture") != ARCHITECTURE:
            raise CheckpointMismatchError(
                f"{path} is not for landmark_hmr (its metadata says "
                f"{metadata.get('architecture', 'nothing')!r}): choose another --weights"
            )
        model = cls(LandmarkHmrConfig(**json.loads(metadata["config"])))
        theirs = {f"{_NETWORK}{k}": v for k, v in model.network.state_dict().items()}
        load_exactly(model, {**tensors, **theirs}, path, "landmark_hmr")
        return model.eval().requires_grad_(False)


def flat_told(xy: Tensor, visible: Tensor, present: Tensor, metres: Tensor) -> Tensor:
    """(N, 231) of 33 landmarks: places (N, 33, 2) in the square, visibility and presence
    (N, 33), metres (N, 33, 3) along the square's axes."""
    xy = xy.clamp(-_MAX_COORDINATE, _MAX_COORDINATE)
    seen = torch.stack([visible * present, present], dim=-1)
    metres = metres.clamp(-_MAX_METRES, _MAX_METRES)
    return torch.cat([v.flatten(1) for v in (xy, seen, metres)], dim=1)


def place_of(regions: Regions, crops: Crops) -> Tensor:
    """(N, 5): slope of the ray through the square's middle, logarithm of its angular size, and the
    picture's y axis in the square."""
    slope = (regions.center_px - crops.image_size_px / 2) / crops.focal_length_px[:, None]
    size = (regions.side_px / crops.focal_length_px).log()
    return torch.cat([slope, size[:, None], regions.axes[:, :, 1]], dim=1)

"""HMR: a ResNet and an iterative head, from the pixels of a crop to SMPL.

The network of SPIN, EFT and FrankMocap (Kanazawa et al. 2018 as Kolotouros et al. 2019 changed
it), with their parameter names, so that their checkpoints load; smaller trunks and crops are for
networks trained here. EFT may tune the whole of it, its last stage and head, or the head: what
comes before is computed once per crop. BatchNorm stays as it was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from eftvideo.config import CropConfig
from eftvideo.errors import CheckpointMismatchError, ConfigError
from eftvideo.regressors._hmr_files import (
    CONVENTIONS,
    PUBLISHED,
    CameraConvention,
    convention_of,
)
from eftvideo.regressors._hmr_head import HEAD, HmrHead, decode
from eftvideo.regressors._own_weights import Own, by_layer
from eftvideo.regressors._protocol import RegressorModule
from eftvideo.regressors._resnet import BLOCKS, ResNet
from eftvideo.types import Crops, Prediction
from eftvideo.weights.checkpoints import load_exactly, read_tensors
from eftvideo.weights.locate import load_safetensors

PIXEL_MEAN, PIXEL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in 0..1."""
ENCODE_ROWS = 16
"""Crops that go through the frozen part at once."""
_BODIES = ("smpl", "neutral")


@dataclass(frozen=True)
class HmrConfig:
    """The network's dimensions and what its answer means; in the metadata of our own files."""

    depth: int = 50
    """Of the ResNet: 18, 34 or 50."""
    crop_size_px: int = 224
    camera: CameraConvention = "spin"
    body: Literal["smpl", "neutral"] = "smpl"
    """The body whose betas it speaks of: SMPL, or the free body that is shipped."""
    width: int = 64
    """Of the ResNet's first stage."""
    num_iterations: int = 3
    hidden: int = 1024

    def __post_init__(self) -> None:
        if (
            self.depth not in BLOCKS
            or self.camera not in CONVENTIONS
            or self.body not in _BODIES
            or min(self.num_iterations, self.hidden, self.width) < 1
            or self.crop_size_px < 32
        ):
            raise ConfigError(f"no HMR network can be built of {asdict(self)}")


class Model(ResNet, HmrHead, RegressorModule):
    """See the module's text; `Regressor` is its interface.

    `Model(HmrConfig(depth=18, crop_size_px=128, body="neutral"))` is a network to train; call
    `eval()` before it is tuned. New networks begin at the T-pose, upright before the camera.
    """

    needs: Literal["keypoints", "image"] = "image"
    context_offsets_s: tuple[float, ...] = ()
    crop = CropConfig()
    spec = PUBLISHED["hmr-eft"]
    published = PUBLISHED
    cameras = CONVENTIONS
    """What `--weights-camera` may say."""
    rates: Mapping[str, float] = {"head": 1e-5, "layer4+head": 1e-5, "all": 5e-6}
    betas_of: Literal["neutral", "smpl"]

    def __init__(self, cfg: HmrConfig | None = None) -> None:
        cfg = cfg or HmrConfig()
        super().__init__(cfg.depth, cfg.width)
        self.cfg, self.crop_size_px, self.betas_of = cfg, cfg.crop_size_px, cfg.body
        self.add_head(self.num_features, cfg.hidden, cfg.num_iterations)

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """What `forward` begins with.

        Args:
            crops: with `image`.
            tune: what will be tuned: everything before it is computed here. None: nothing.

        Returns:
            "all": the pixels, (N, 3, S, S) uint8; "layer4+head": (N, C, S / 16, S / 16);
            "head" or None: (N, F) features of the trunk.

        Raises:
            ConfigError: unknown `tune`.
        """
        self._check(tune)
        assert crops.image is not None, "this regressor needs pixels"
        if tune == "all":
            return crops.image
        with torch.no_grad():
            parts = [self._frozen(part, tune) for part in crops.image.split(ENCODE_ROWS)]
        return torch.cat(parts)

    def _frozen(self, image: Tensor, tune: str | None) -> Tensor:
        x = self.until_layer3(self.normalised(image), {})
        return x if tune == "layer4+head" else self.from_layer4(x, {})

    def normalised(self, image: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 RGB to float with ImageNet's mean and deviation taken out."""
        mean, std = (self.init_cam.new_tensor(v).view(3, 1, 1) for v in (PIXEL_MEAN, PIXEL_STD))
        return (image.to(mean.dtype) / 255.0 - mean) / std

    def forward(self, encoded: Tensor) -> Tensor:
        """Any of what `encode` gives to (N, 157): 24 x 6D rotations, betas, camera."""
        return self._forward(encoded, {})

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` where each row has some parameters of its own: names to (N, *shape)."""
        return self._forward(encoded, by_layer(self, own))

    def _forward(self, x: Tensor, own: Own) -> Tensor:
        if x.dtype == torch.uint8:
            x = self.until_layer3(self.normalised(x), own)
        if x.dim() == 4:
            x = self.from_layer4(x, own)
        return self.correct(x, own)

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """Raw numbers to SMPL in the camera frame, seen as this network's camera has it."""
        return decode(raw, crops, self.cfg.camera)

    def track_betas(self, mean: Tensor) -> Tensor:
        """The shape of N people, of whom `mean` (N, 10) is the mean of the answers over a track."""
        return mean

    def tunable(self, which: str) -> list[str]:
        """Parameter names: "all"; "layer4+head"; "head". BatchNorm's are in none of them."""
        self._check(which)
        norms = {name for name, m in self.named_modules() if isinstance(m, nn.BatchNorm2d)}
        names = [n for n, _ in self.named_parameters() if n.rpartition(".")[0] not in norms]
        head = tuple(f"{n}." for n in HEAD)
        starts = {"all": ("",), "layer4+head": ("layer4.", *head), "head": head}[which]
        return [n for n in names if n.startswith(starts)]

    @staticmethod
    def _check(which: str | None) -> None:
        if which not in (None, "all", "layer4+head", "head"):
            raise ConfigError(f"tune must be one of all, layer4+head, head, but got {which!r}")

    def metadata(self) -> dict[str, str]:
        """What a safetensors file of this network must hold beside the tensors."""
        return {"architecture": "eftvideo.hmr", "config": json.dumps(asdict(self.cfg))}

    @classmethod
    def from_weights(cls, path: Path, convention: CameraConvention | None = None) -> Model:
        """Read SPIN's, EFT's or FrankMocap's checkpoint, or a network trained here.

        Args:
            path: a PyTorch file with published names and shapes, or our own .safetensors.
            convention: what a PyTorch file's camera means; None: `convention_of` its name. Our own
                files say it themselves.

        Raises:
            WeightsCorruptError: it cannot be read, or (UnsafeFileError) has code in it.
            CheckpointMismatchError: it is for another network; missing or unexpected keys named.
        """
        if path.suffix == ".safetensors":
            tensors, metadata = load_safetensors(path)
            if metadata.get("architecture") != "eftvideo.hmr":
                raise CheckpointMismatchError(
                    f"{path} is not an HMR checkpoint (its metadata says "
                    f"{metadata.get('architecture', 'nothing')!r}): choose another --weights"
                )
            model = cls(HmrConfig(**json.loads(metadata["config"])))
        else:
            tensors = read_tensors(path)
            model = cls(HmrConfig(camera=convention or convention_of(path)))
        load_exactly(model, tensors, path, f"HMR with ResNet-{model.cfg.depth}")
        return model.eval().requires_grad_(False)

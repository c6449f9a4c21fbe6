"""HMR 2.0 (Goel et al., "Humans in 4D", ICCV 2023): a vision transformer and one query.

The network of 4D-Humans with its parameter names. It sees the middle 192 columns of a crop of
256 x 256 px. EFT may tune the LayerNorms and biases of the head, its read-out, the head, the last
blocks and the head, or all; what comes before is computed once per crop. There is no BatchNorm and
no dropout, so nothing has to be switched off.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from eftvideo.config import CropConfig
from eftvideo.errors import ConfigError
from eftvideo.geometry import camera
from eftvideo.regressors._hmr2_head import (
    HeadConfig,
    SmplHead,
    six_d_rows_to_matrix,
)
from eftvideo.regressors._own_weights import Own, by_layer
from eftvideo.regressors._protocol import RegressorModule
from eftvideo.regressors._raw import RAW_SIZES
from eftvideo.regressors._vit import Vit, VitConfig
from eftvideo.types import Crops, Prediction, SmplParams
from eftvideo.weights.checkpoints import load_exactly, read_tensors
from eftvideo.weights.locate import WeightSpec

log = logging.getLogger(__name__)

PIXEL_MEAN, PIXEL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in 0..1."""
ENCODE_ROWS = 16
"""Crops that go through the frozen part at once."""
TUNED_BLOCKS = 2
"""Blocks at the end of the transformer that `tune="blocks+head"` means."""
_PAGE = "https://people.eecs.berkeley.edu/~jathushan/projects/4dhumans"


def _published(name: str, archive: str) -> WeightSpec:
    return WeightSpec(
        file=f"{name}.ckpt",
        sha256=None,
        licence="MIT (4D-Humans); SMPL, which it was trained with, has a licence of its own",
        origin=f"HMR 2.0{name[4:] or 'b'} of 4D-Humans (Goel et al. 2023)",
        url="https://github.com/shubham-goel/4D-Humans",
        download=f"{_PAGE}/{archive}.tar.gz",
        member="*.ckpt",
    )


PUBLISHED: dict[str, WeightSpec] = {
    "hmr2": _published("hmr2", "hmr2_data"),
    "hmr2a": _published("hmr2a", "hmr2a_model"),
}
"""By the name that `eftvideo weights fetch` and `--weights` take."""


@dataclass(frozen=True)
class Hmr2Config:
    """The network's dimensions; the defaults are those that were published."""

    backbone: VitConfig = field(default_factory=VitConfig)
    head: HeadConfig = field(default_factory=HeadConfig)


class Model(RegressorModule):
    """See the module's text; `Regressor` is its interface.

    `forward` knows by its input where to begin: uint8 pixels; (N, 1, T, C) tokens before the last
    blocks; (N, T, C) tokens after them; (N, D) what the query knows at the end.
    """

    needs: Literal["keypoints", "image"] = "image"
    context_offsets_s: tuple[float, ...] = ()
    crop = CropConfig(box_scale=1.0, width_factor=4 / 3)
    spec = PUBLISHED["hmr2"]
    published = PUBLISHED
    betas_of: Literal["neutral", "smpl"] = "smpl"
    rates: Mapping[str, float] = {
        "norm+bias": 3e-4,
        "readout": 1e-4,
        "head": 1e-6,
        "blocks+head": 1e-6,
        "all": 5e-7,
    }
    """Reckoned, not tried: there was no trained network at hand (docs/regressors.md)."""

    def __init__(self, cfg: Hmr2Config | None = None) -> None:
        super().__init__()
        self.cfg = cfg = cfg or Hmr2Config()
        self.crop_size_px = cfg.backbone.height_px
        self.backbone = Vit(cfg.backbone)
        self.smpl_head = SmplHead(cfg.head, cfg.backbone.width)

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """What `forward` begins with.

        Args:
            crops: with `image`, (N, 3, S, S) uint8.
            tune: what will be tuned: everything before it is computed here. None: nothing.

        Raises:
            ConfigError: unknown `tune`.
        """
        if tune is not None:
            self._check(tune)
        assert crops.image is not None, "this regressor needs pixels"
        if tune == "all":
            return crops.image
        with torch.no_grad():
            parts = [self._frozen(part, tune) for part in crops.image.split(ENCODE_ROWS)]
        return torch.cat(parts)

    def _frozen(self, image: Tensor, tune: str | None) -> Tensor:
        tokens = self.backbone.embed(self.normalised(image), {})
        if tune == "blocks+head":
            return self.backbone.run(tokens, {}, 0, self._first_tuned_block)[:, None]
        tokens = self.backbone.run(tokens, {})
        return self.smpl_head.query(tokens) if tune in (None, "readout") else tokens

    @property
    def _first_tuned_block(self) -> int:
        return max(self.cfg.backbone.depth - TUNED_BLOCKS, 0)

    def normalised(self, image: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 RGB to the columns that are looked at, ImageNet's mean taken out."""
        weight = self.backbone.pos_embed
        mean, std = (weight.new_tensor(v).view(3, 1, 1) for v in (PIXEL_MEAN, PIXEL_STD))
        side = (image.shape[-1] - self.cfg.backbone.width_px) // 2
        seen = image[..., side : side + self.cfg.backbone.width_px]
        return (seen.to(weight.dtype) / 255.0 - mean) / std

    def forward(self, encoded: Tensor) -> Tensor:
        """Any of what `encode` gives to (N, 157): 24 x 6D rotations, betas, camera."""
        return self._forward(encoded, {})

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` where each row has some parameters of its own: names to (N, *shape)."""
        return self._forward(encoded, by_layer(self, own))

    def _forward(self, encoded: Tensor, own: Own) -> Tensor:
        if encoded.dtype == torch.uint8:
            encoded = self.backbone(self.normalised(encoded), own)
        elif encoded.dim() == 4:
            encoded = self.backbone.run(encoded[:, 0], own, self._first_tuned_block)
        return self.smpl_head(encoded, own)

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """Raw numbers to SMPL in the camera frame.

        The camera is SPIN's, u = s (X + t) seen from afar, which is the one of camera.py. The
        network sees the crop as a camera that looks straight at it would; its answer is turned into
        the frame of the whole picture's camera.
        """
        six_d, betas, cam = raw.split(RAW_SIZES, dim=1)
        rotations = six_d_rows_to_matrix(six_d.unflatten(1, (24, 6)))
        view = camera.crop_view_rotation(
            crops.center_px, crops.image_size_px, crops.focal_length_px
        )
        return Prediction(SmplParams(view.mT @ rotations[:, 0], rotations[:, 1:], betas), cam)

    def track_betas(self, mean: Tensor) -> Tensor:
        """The shape of N people, of whom `mean` (N, 10) is the mean of the answers over a track."""
        return mean

    def tunable(self, which: str) -> list[str]:
        """Parameter names: "all"; "blocks+head" (the last blocks of the transformer too); "head";
        "norm+bias" (LayerNorms and biases of the head); "readout" (the head's last layers)."""
        self._check(which)
        names = [n for n, _ in self.named_parameters()]
        head = [n for n in names if n.startswith("smpl_head.")]
        if which == "norm+bias":
            return [n for n in head if n.endswith(".bias") or ".norm." in n]
        if which == "readout":
            return [n for n in head if n.startswith("smpl_head.dec")]
        end = range(self._first_tuned_block, self.cfg.backbone.depth)
        late = ("backbone.last_norm.", *(f"backbone.blocks.{i}." for i in end))
        blocks = [n for n in names if n.startswith(late)] if which == "blocks+head" else []
        return names if which == "all" else blocks + head

    def _check(self, tune: str) -> None:
        if tune not in self.rates:
            raise ConfigError(f"tune must be one of {', '.join(self.rates)}, but got {tune!r}")

    @classmethod
    def from_weights(cls, path: Path, cfg: Hmr2Config | None = None) -> Model:
        """Read 4D-Humans' checkpoint, as its training wrote it.

        What it has beside the network (discriminator, SMPL's own arrays, settings) is left alone.

        Args:
            path: a PyTorch file with the published names and shapes.
            cfg: of the network in it; None: the published one.

        Raises:
            WeightsCorruptError: it cannot be read, or (UnsafeFileError) has code in it.
            CheckpointMismatchError: it is for another network; missing or unexpected keys named.
        """
        tensors = read_tensors(path)
        own = {k: v for k, v in tensors.items() if k.startswith(("backbone.", "smpl_head."))}
        log.debug("%s: %d tensors beside the network", path.name, len(tensors) - len(own))
        with torch.device("meta"):  # 2.7 GB of random numbers would be made for nothing
            model = cls(cfg)
        load_exactly(model, own, path, "HMR 2.0")
        return model.eval().requires_grad_(False)

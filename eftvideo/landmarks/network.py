"""The landmark network in PyTorch: a crop of a person to 39 points, in the picture and in metres.

It is the network of MediaPipe's pose landmarks ("heavy" and "full"; Bazarevsky et al. 2020,
Grishchenko et al. 2022), its weights read from files that `tools/convert_landmarks.py` makes. A
trunk of MobileNetV2's blocks goes down to 8 x 8; a decoder comes back up to heat maps (64 x 64)
and a mask (256 x 256); a second way down ends in 288 x 2 x 2 numbers, of which points and scores
are linear. Differentiable; rows of a batch do not mix.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo.errors import CheckpointMismatchError
from eftvideo.landmarks._layers import (
    Bottleneck,
    Inverted,
    Residual,
    Separable,
    conv,
    depthwise,
    halving_stage,
    twice,
)
from eftvideo.landmarks.looked import NUM_POINTS, Looked
from eftvideo.weights import locate
from eftvideo.weights.locate import WeightSpec, load_safetensors

Kind = Literal["heavy", "full"]
LATERAL = 48
MASK = 8
REFINED = 288
ARCHITECTURE = "eftvideo.landmarks"


@dataclass(frozen=True)
class LandmarkConfig:
    """The network's dimensions; stored in the metadata of its weights file."""

    stem: int
    stages: tuple[tuple[Bottleneck, ...], ...]
    """The trunk's rows, by size: from 128 px to 64, 32, 16, 8. Each stage starts by halving."""
    last_hidden: int
    """Channels at the trunk's end, which is not narrowed again."""
    refined: tuple[tuple[int, int], ...]
    """Stages of the second way down: channels, residual blocks."""


def _rows(kernel: int, hidden: int, out: int, num: int) -> tuple[Bottleneck, ...]:
    return (Bottleneck(kernel, hidden, out),) * num


CONFIGS: dict[Kind, LandmarkConfig] = {
    "heavy": LandmarkConfig(
        stem=24,
        stages=(
            (Bottleneck(3, 96, 32, True), *_rows(3, 128, 32, 1), *_rows(3, 192, 32, 2)),
            (Bottleneck(5, 192, 56, True), *_rows(5, 336, 56, 3)),
            (
                Bottleneck(3, 336, 112, True),
                *_rows(3, 672, 112, 5),
                *_rows(5, 672, 160, 1),
                *_rows(5, 960, 160, 5),
            ),
            (Bottleneck(5, 960, 272, True), *_rows(5, 1632, 272, 7)),
        ),
        last_hidden=1632,
        refined=((96, 6), (192, 7), (288, 7), (288, 7), (288, 7)),
    ),
    "full": LandmarkConfig(
        stem=16,
        stages=(
            (Bottleneck(3, 64, 24, True), *_rows(3, 144, 24, 1)),
            (Bottleneck(5, 144, 32, True), *_rows(5, 192, 32, 1)),
            (
                Bottleneck(3, 192, 64, True),
                *_rows(3, 384, 64, 2),
                *_rows(5, 384, 88, 1),
                *_rows(5, 528, 88, 2),
            ),
            (Bottleneck(5, 528, 144, True), *_rows(5, 864, 144, 3)),
        ),
        last_hidden=864,
        refined=((288, 4), (288, 5)),
    ),
}


def _spec(kind: Kind, sha256: str) -> WeightSpec:
    return WeightSpec(
        file=f"landmarks_{kind}.safetensors",
        sha256=sha256,
        licence="Apache-2.0",
        origin=f"pose_landmark_{kind} of MediaPipe, npm package @mediapipe/pose 0.5.1675469404",
    )


SPECS: dict[Kind, WeightSpec] = {
    "heavy": _spec("heavy", "42ca46f9eebe2d4c2e853f820c947d12474d0a69f2824086a064801e07da5099"),
    "full": _spec("full", "6ffe727d547ee980c5e7bcb8390c7fb4cf3dda9c545c0b38d24e577345f849d3"),
}


class Trunk(nn.Module):
    """From 256 px to 8, with what branches off on the way."""

    def __init__(self, cfg: LandmarkConfig) -> None:
        super().__init__()
        self.first, self.each, self.narrow = conv(3, 24, 3, True), depthwise(24), conv(24, cfg.stem)
        widths = [cfg.stem, *(stage[-1].out for stage in cfg.stages)]
        stages = []
        for width, stage in zip(widths, cfg.stages, strict=False):
            into = [width, *(row.out for row in stage)]
            stages.append(nn.Sequential(*map(Inverted, into, stage)))
        self.stages = nn.ModuleList(stages)
        self.widen = conv(widths[-1], cfg.last_hidden)
        self.last = depthwise(cfg.last_hidden)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, 256, 256) to features of 128, 64, 32, 16 and 8 px."""
        x = self.narrow(F.relu6(self.each(F.relu6(self.first(x)))))
        levels = [x]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        levels[-1] = F.relu6(self.last(F.relu6(self.widen(levels[-1]))))
        return levels


class MaskHead(nn.Module):
    """From the decoder, and the trunk's 128 px, to the mask."""

    def __init__(self, stem: int) -> None:
        super().__init__()
        self.edge = Separable(stem, MASK)
        self.into = Separable(LATERAL, MASK)
        self.coarse = nn.Sequential(Residual(MASK), Residual(MASK))
        self.fine = nn.Sequential(Residual(MASK), Residual(MASK))
        self.out = conv(MASK, 1, 3)

    def forward(self, decoded: Tensor, large: Tensor) -> Tensor:
        """(N, 48, 64, 64) and (N, stem, 128, 128) to (N, 256, 256) logits."""
        x = self.coarse(twice(self.into(decoded)) + self.edge(large))
        return self.out(self.fine(twice(x)))[:, 0]


class LandmarkNetwork(nn.Module):
    """See the module's text."""

    def __init__(self, cfg: LandmarkConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.trunk = Trunk(cfg)
        widths = [stage[-1].out for stage in cfg.stages[:-1]] + [cfg.last_hidden]
        self.laterals = nn.ModuleList(Separable(width, LATERAL) for width in widths)
        self.mask = MaskHead(cfg.stem)
        self.heat = conv(LATERAL, NUM_POINTS)
        upper, lower = cfg.refined[:-2], cfg.refined[-2:]
        into = [LATERAL, *(channels for channels, _ in upper)]
        stages = zip(into, upper, strict=False)
        self.fine = nn.ModuleList(halving_stage(width, *stage) for width, stage in stages)
        self.entries = nn.ModuleList(
            map(Separable, widths[-max(len(upper), 1) :], into[1:] or [REFINED])
        )
        self.coarse = nn.Sequential(
            *(halving_stage(REFINED, channels, num) for channels, num in lower)
        )
        self.points = nn.Conv2d(REFINED, NUM_POINTS * 5, 2)
        self.world = nn.Conv2d(REFINED, NUM_POINTS * 3, 2)
        self.score = nn.Conv2d(REFINED, 1, 2)

    def forward(self, images: Tensor, mask: bool = True) -> Looked:
        """Look at N crops.

        Args:
            images: (N, 3, 256, 256) RGB in 0..1, as `regions.cut` cuts them.
            mask: whether to compute the mask, which takes a tenth to a third of all time.
        """
        large, decoded, levels = self._decoded(images)
        features = self.last(self._before_last(decoded, levels))
        return Looked(
            self.points(features).view(-1, NUM_POINTS, 5),
            torch.sigmoid(self.score(features)).view(-1),
            self.mask(decoded, large) if mask else None,
            self.heat(decoded),
            self.world(features).view(-1, NUM_POINTS, 3),
            features.flatten(1),
        )

    @property
    def last(self) -> nn.Module:
        """The last block: (N, 288, 2, 2) to the features, in the same shape."""
        return cast(nn.Sequential, self.coarse[-1])[-1]

    def before_last(self, images: Tensor) -> Tensor:
        """(N, 288, 2, 2) what the last block sees of N crops, (N, 3, 256, 256) RGB in 0..1."""
        _, decoded, levels = self._decoded(images)
        return self._before_last(decoded, levels)

    def linear(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1152) features to points (N, 39, 5) and world (N, 39, 3), as in `Looked`."""
        maps = features.unflatten(1, (REFINED, 2, 2))
        points, world = self.points(maps).flatten(1), self.world(maps).flatten(1)
        return points.view(-1, NUM_POINTS, 5), world.view(-1, NUM_POINTS, 3)

    def _decoded(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The trunk's 128 px, the decoder's (N, 48, 64, 64), the trunk's other levels."""
        large, *levels = self.trunk(images.contiguous(memory_format=torch.channels_last))
        decoded = self.laterals[-1](levels[-1])
        for lateral, level in zip(list(self.laterals)[-2::-1], levels[-2::-1], strict=True):
            decoded = twice(decoded) + lateral(level)
        return large, decoded, levels

    def _before_last(self, decoded: Tensor, levels: list[Tensor]) -> Tensor:
        if not len(self.fine):
            x = self.entries[0](levels[-1])
        else:
            x = decoded
            for stage, entry, level in zip(self.fine, self.entries, levels[1:], strict=True):
                x = stage(x) + entry(level)
        *stages, final = self.coarse
        for stage in (*stages, *list(cast(nn.Sequential, final))[:-1]):
            x = stage(x)
        return x

    def metadata(self) -> dict[str, str]:
        """What a weights file must hold beside the tensors."""
        return {"architecture": ARCHITECTURE, "config": json.dumps(asdict(self.cfg))}


def load(kind: Kind) -> LandmarkNetwork:
    """The shipped network, on the CPU, frozen.

    Raises:
        WeightsNotFoundError, WeightsCorruptError, CheckpointMismatchError: its file is not the one.
    """
    return from_weights(locate.resolve(SPECS[kind]), kind)


def from_weights(path: Path, kind: Kind) -> LandmarkNetwork:
    """Read a file that `tools/convert_landmarks.py` made.

    Raises:
        WeightsCorruptError: no safetensors file.
        CheckpointMismatchError: it is for another network.
    """
    tensors, metadata = load_safetensors(path)
    network = LandmarkNetwork(CONFIGS[kind])
    if not network.metadata().items() <= metadata.items():
        raise CheckpointMismatchError(
            f"{path} does not hold the {kind} landmark network: make it again with "
            "tools/convert_landmarks.py"
        )
    network.load_state_dict({name: value.float() for name, value in tensors.items()})
    network.to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)

"""YOLO11n-pose up to its feature maps, with the scores and keypoints that it says at each cell.

Frozen, for a network that begins at what was learnt from pictures of real people. Layers are
numbered and named as in Ultralytics' description of the network, BatchNorm is folded into the
convolutions, so that tensors of the fused model fit by name. Branches for boxes are left out, and
those that look at the finest map: in a person's own crop, people are large.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
"""Of the feature maps, px."""
WIDTHS = (64, 128, 256)
"""Channels of the feature maps."""
NUM_KEYPOINTS = 17
_TOLD = 3 * NUM_KEYPOINTS


class Conv(nn.Module):
    """Convolution with bias and SiLU; `smooth` False: no SiLU."""

    def __init__(
        self, inputs: int, outputs: int, side: int = 1, stride: int = 1, **more: int
    ) -> None:
        """`more`: `groups` of the convolution, and whether it is `smooth`."""
        super().__init__()
        groups = more.get("groups", 1)
        self.conv = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, groups=groups)
        self.smooth = bool(more.get("smooth", True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = self.conv(x)
        return F.silu(y) if self.smooth else y


class Bottleneck(nn.Module):
    """x + two 3 x 3 convolutions."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(width, hidden, 3), Conv(hidden, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        return x + self.cv2(self.cv1(x))


class C3k(nn.Module):
    """Two bottlenecks on half of the channels, beside a short way round them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.cv1, self.cv2, self.cv3 = Conv(width, half), Conv(width, half), Conv(width, width)
        self.m = nn.Sequential(Bottleneck(half, half), Bottleneck(half, half))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], dim=1))


class C3k2(nn.Module):
    """A split in two, one half also through a `C3k` (`deep`) or a bottleneck."""

    def __init__(self, inputs: int, outputs: int, hidden: int, *, deep: bool = False) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(inputs, 2 * hidden), Conv(3 * hidden, outputs)
        self.m = nn.ModuleList([C3k(hidden) if deep else Bottleneck(hidden, hidden // 2)])

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        first, second = self.cv1(x).chunk(2, dim=1)
        return self.cv2(torch.cat([first, second, self.m[0](second)], dim=1))


class SPPF(nn.Module):
    """Maxima over windows of 5, 9 and 13 cells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(width, width // 2), Conv(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.cv2(torch.cat(parts, dim=1))


class Attention(nn.Module):
    """Attention of all cells to all, two heads, keys half as wide as values."""

    heads = 2

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj = Conv(width, 2 * width, smooth=0), Conv(width, width, smooth=0)
        self.pe = Conv(width, width, 3, groups=width, smooth=0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        value = x.shape[1] // self.heads
        packed = self.qkv(x).flatten(2).unflatten(1, (self.heads, 2 * value))
        q, k, v = packed.split([value // 2, value // 2, value], dim=2)
        share = torch.softmax(q.mT @ k * (value // 2) ** -0.5, dim=3)
        flat = v.flatten(1, 2).unflatten(2, x.shape[2:])
        return self.proj((v @ share.mT).flatten(1, 2).unflatten(2, x.shape[2:]) + self.pe(flat))


class PSABlock(nn.Module):
    """Attention and two 1 x 1 convolutions, each added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = Attention(width)
        self.ffn = nn.Sequential(Conv(width, 2 * width), Conv(2 * width, width, smooth=0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        x = x + self.attn(x)
        return x + self.ffn(x)


class C2PSA(nn.Module):
    """Attention on half of the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(width, width), Conv(width, width)
        self.m = nn.Sequential(PSABlock(width // 2))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        first, second = self.cv1(x).chunk(2, dim=1)
        return self.cv2(torch.cat([first, self.m(second)], dim=1))


def _scores(width: int) -> nn.Sequential:
    first = nn.Sequential(Conv(width, width, 3, groups=width), Conv(width, 64))
    second = nn.Sequential(Conv(64, 64, 3, groups=64), Conv(64, 64))
    return nn.Sequential(first, second, nn.Conv2d(64, 1, 1))


def _keypoints(width: int) -> nn.Sequential:
    return nn.Sequential(Conv(width, _TOLD, 3), Conv(_TOLD, _TOLD, 3), nn.Conv2d(_TOLD, _TOLD, 1))


class YoloTrunk(nn.Module):
    """Feature maps of a picture, and what each cell of the two coarser ones says of a person."""

    def __init__(self) -> None:
        super().__init__()
        layers = {
            0: Conv(3, 16, 3, 2),
            1: Conv(16, 32, 3, 2),
            2: C3k2(32, 64, 16),
            3: Conv(64, 64, 3, 2),
            4: C3k2(64, 128, 32),
            5: Conv(128, 128, 3, 2),
            6: C3k2(128, 128, 64, deep=True),
            7: Conv(128, 256, 3, 2),
            8: C3k2(256, 256, 128, deep=True),
            9: SPPF(256),
            10: C2PSA(256),
            13: C3k2(384, 128, 64),
            16: C3k2(256, 64, 32),
            17: Conv(64, 64, 3, 2),
            19: C3k2(192, 128, 64),
            20: Conv(128, 128, 3, 2),
            22: C3k2(384, 256, 128, deep=True),
        }
        coarse = {str(i): WIDTHS[i] for i in (1, 2)}
        heads = {
            "cv3": nn.ModuleDict({i: _scores(width) for i, width in coarse.items()}),
            "cv4": nn.ModuleDict({i: _keypoints(width) for i, width in coarse.items()}),
        }
        self.layers = nn.ModuleDict({str(i): layer for i, layer in layers.items()})
        self.layers["23"] = nn.ModuleDict(heads)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, S, S) RGB, 0 to 1, to maps (N, WIDTHS[i], S / STRIDES[i], S / STRIDES[i])."""
        layer = self.layers
        x = image
        kept = {}
        for i in range(11):
            x = layer[str(i)](x)
            kept[i] = x
        kept[13] = layer["13"](torch.cat([_doubled(kept[10]), kept[6]], dim=1))
        fine = layer["16"](torch.cat([_doubled(kept[13]), kept[4]], dim=1))
        middle = layer["19"](torch.cat([layer["17"](fine), kept[13]], dim=1))
        return [fine, middle, layer["22"](torch.cat([layer["20"](middle), kept[10]], dim=1))]

    def cells(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """What every cell of the two coarser maps says.

        Returns:
            (N, L) logit of there being a person, and (N, L, 17, 3): keypoints of that person in
            crop coordinates, and the logit of each being in sight.
        """
        heads = self.layers["23"]
        scores, told = [], []
        for i in (1, 2):
            x = maps[i]
            side = x.shape[2]
            scores.append(heads["cv3"][str(i)](x).flatten(1))  # type: ignore[index]
            raw = heads["cv4"][str(i)](x).flatten(2).mT  # type: ignore[index]
            raw = raw.unflatten(2, (NUM_KEYPOINTS, 3))
            at = torch.arange(side, device=x.device, dtype=x.dtype)
            cell = torch.stack(torch.meshgrid(at, at, indexing="xy"), dim=-1).flatten(0, 1)
            place = (2.0 * raw[..., :2] + cell[:, None]) * (2.0 / side) - 1.0
            told.append(torch.cat([place, raw[..., 2:]], dim=3))
        return torch.cat(scores, dim=1), torch.cat(told, dim=1)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")

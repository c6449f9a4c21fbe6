"""Layers of the landmark network. Convolutions keep the size, or halve it, and have a bias."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Bottleneck:
    """A row of the trunk's table."""

    kernel: int
    """Of the depthwise convolution."""
    hidden: int
    """Channels in the middle."""
    out: int
    halves: bool = False
    """Whether it goes to half the size."""


def conv(into: int, out: int, kernel: int = 1, halves: bool = False) -> nn.Conv2d:
    """A convolution over all channels."""
    return nn.Conv2d(into, out, kernel, 2 if halves else 1, kernel // 2)


def depthwise(channels: int, kernel: int = 3, halves: bool = False) -> nn.Conv2d:
    """A convolution of each channel alone."""
    return nn.Conv2d(channels, channels, kernel, 2 if halves else 1, kernel // 2, groups=channels)


class Separable(nn.Module):
    """A depthwise convolution, then one that mixes channels, each bounded to 0..6."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.each, self.mix = depthwise(into), conv(into, out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H, W)."""
        return F.relu6(self.mix(F.relu6(self.each(x))))


class Inverted(nn.Module):
    """MobileNetV2's block: wider, each channel alone, narrow again."""

    def __init__(self, into: int, row: Bottleneck) -> None:
        super().__init__()
        self.widen = conv(into, row.hidden)
        self.each = depthwise(row.hidden, row.kernel, row.halves)
        self.narrow = conv(row.hidden, row.out)
        self.adds = into == row.out and not row.halves

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H, W), or to half of H and W."""
        y = self.narrow(F.relu6(self.each(F.relu6(self.widen(x)))))
        return x + y if self.adds else y


class Residual(nn.Module):
    """min(6, max(0, x + mix(depthwise(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.each, self.mix = depthwise(channels), conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        return F.relu6(x + self.mix(F.relu6(self.each(x))))


class Halving(nn.Module):
    """`Residual` to half the size, with more channels: those of its skip are filled with zeros.

    Its depthwise convolution looks at pixels 2i, 2i + 1 and 2i + 2, never before the first.
    """

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.each = nn.Conv2d(into, into, 3, 2, groups=into)
        self.mix = conv(into, out)
        self.more = out - into

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H/2, W/2)."""
        y = self.mix(F.relu6(self.each(F.pad(x, (0, 1, 0, 1)))))
        skip = F.pad(F.max_pool2d(x, 2), (0, 0, 0, 0, 0, self.more))
        return F.relu6(skip + y)


def halving_stage(into: int, out: int, residuals: int) -> nn.Sequential:
    """A `Halving`, then some `Residual`."""
    return nn.Sequential(Halving(into, out), *(Residual(out) for _ in range(residuals)))


def twice(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2H, 2W), bilinear, the edges of the picture kept in place."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

"""ResNet (He et al. 2016) up to the pooled features, with torchvision's parameter names.

The stride of a bottleneck is on its 3 x 3 convolution, as in torchvision. Every convolution may
have weights of each row's own; BatchNorm is the same for all rows.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo.regressors._own_weights import Own, conv

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Blocks of the four stages, by depth."""


def _conv(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)


class _Block(nn.Module):
    """What both kinds of block share: the way round the convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.downsample = (
            nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else None
        )

    def shortcut(self, x: Tensor, own: Own) -> Tensor:
        """The block's input in the shape of its output."""
        if self.downsample is None:
            return x
        return self.downsample[1](conv(cast(nn.Conv2d, self.downsample[0]), x, own))


class BasicBlock(_Block):
    """Two 3 x 3 convolutions: ResNet-18 and 34."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__(inputs, width, stride)
        self.conv1, self.bn1 = _conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)

    def forward(self, x: Tensor, own: Own) -> Tensor:
        """(N, inputs, H, W) to (N, width, H / stride, W / stride)."""
        y = F.relu(self.bn1(conv(self.conv1, x, own)))
        y = self.bn2(conv(self.conv2, y, own))
        return F.relu(y + self.shortcut(x, own))


class Bottleneck(_Block):
    """1 x 1, 3 x 3 and 1 x 1 convolutions: ResNet-50."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__(inputs, 4 * width, stride)
        self.conv1, self.bn1 = _conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)

    def forward(self, x: Tensor, own: Own) -> Tensor:
        """(N, inputs, H, W) to (N, 4 width, H / stride, W / stride)."""
        y = F.relu(self.bn1(conv(self.conv1, x, own)))
        y = F.relu(self.bn2(conv(self.conv2, y, own)))
        y = self.bn3(conv(self.conv3, y, own))
        return F.relu(y + self.shortcut(x, own))


class ResNet(nn.Module):
    """The trunk; its parameters are named `conv1`, `bn1`, `layer1` to `layer4`."""

    def __init__(self, depth: int, width: int = 64) -> None:
        """`depth` is one of `BLOCKS`; `width` is that of the first stage."""
        super().__init__()
        kind = Bottleneck if depth == 50 else BasicBlock
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for i, num in enumerate(BLOCKS[depth]):
            outputs = width * 2**i
            blocks: list[nn.Module] = []
            for j in range(num):
                blocks.append(kind(inputs, outputs, 2 if i and not j else 1))
                inputs = outputs * kind.expansion
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.num_features = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def until_layer3(self, image: Tensor, own: Own) -> Tensor:
        """(N, 3, S, S) normalised RGB to (N, C, S / 16, S / 16)."""
        x = F.relu(self.bn1(conv(self.conv1, image, own)))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3):
            x = _run(cast(nn.Sequential, stage), x, own)
        return x

    def from_layer4(self, x: Tensor, own: Own) -> Tensor:
        """What `until_layer3` gives to (N, num_features): the mean over the last map."""
        return _run(cast(nn.Sequential, self.layer4), x, own).mean(dim=(2, 3))


def _run(stage: nn.Sequential, x: Tensor, own: Own) -> Tensor:
    for block in stage:
        x = block(x, own)
    return x

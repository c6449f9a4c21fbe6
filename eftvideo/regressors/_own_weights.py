"""Layers in which each row of a batch may have weights of its own: what EFT tunes per person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Own = Mapping[nn.Module, Mapping[str, Tensor]]
"""Layer to parameter name ("weight", "bias") to (N, *shape): one value for each row."""


def by_layer(module: nn.Module, own: Mapping[str, Tensor]) -> Own:
    """Dotted parameter names of `module` to the layers that have them."""
    found: dict[nn.Module, dict[str, Tensor]] = {}
    for name, value in own.items():
        layer, _, parameter = name.rpartition(".")
        found.setdefault(module.get_submodule(layer), {})[parameter] = value
    return found


def times(weight: Tensor, x: Tensor) -> Tensor:
    """(O, I) or (N, O, I), and (N, I), to (N, O)."""
    return x @ weight.mT if weight.dim() == 2 else (weight @ x[..., None]).squeeze(-1)


def linear(layer: nn.Linear, x: Tensor, own: Own) -> Tensor:
    """(N, I) to (N, O), or (N, T, I) to (N, T, O)."""
    mine = own.get(layer)
    if mine is None:
        return layer(x)
    if "weight" not in mine:
        y = F.linear(x, layer.weight)
    elif x.dim() == 2:
        y = (mine["weight"] @ x[..., None]).squeeze(-1)
    else:
        y = x @ mine["weight"].mT
    return y if layer.bias is None else y + _spread(mine.get("bias", layer.bias), x)


def norm(layer: nn.LayerNorm, x: Tensor, own: Own) -> Tensor:
    """(N, D) to (N, D), or (N, T, D) to (N, T, D)."""
    mine = own.get(layer)
    if mine is None:
        return layer(x)
    y = F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    weight, bias = mine.get("weight", layer.weight), mine.get("bias", layer.bias)
    return y * _spread(weight, x) + _spread(bias, x)


def _spread(value: Tensor, x: Tensor) -> Tensor:
    """One value for all rows, or one for each row, in a shape that goes with x."""
    return value if value.dim() == 1 or x.dim() == 2 else value[:, None]


def conv(layer: nn.Conv2d, x: Tensor, own: Own) -> Tensor:
    """(N, I, H, W) to (N, O, H', W'); layers without bias and groups.

    A grouped convolution of the whole batch saves the launches of a GPU; on a CPU it is no faster
    than one row after the other (docs/regressors.md), and would copy all weights.
    """
    mine = own.get(layer)
    if mine is None:
        return layer(x)
    weight, stride, padding = mine["weight"], layer.stride, cast("tuple[int, int]", layer.padding)
    if x.device.type == "cpu":
        rows = zip(x.split(1), weight, strict=True)
        return torch.cat([F.conv2d(row, w, None, stride, padding) for row, w in rows])
    flat = x.reshape(1, -1, *x.shape[2:])
    y = F.conv2d(flat, weight.flatten(0, 1), None, stride, padding, groups=len(x))
    return y.unflatten(1, (len(x), -1))[0]

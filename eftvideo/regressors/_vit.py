"""The vision transformer (Dosovitskiy et al. 2021) of ViTPose and HMR 2.0, in inference.

Parameter names and shapes are those of the published checkpoints. What sets it apart from other
ViTs: patches are cut from a picture padded by 2 px on every side, there is no class token (its
position embedding is added to every patch), and tokens come out of a last LayerNorm. Every layer
may have weights of each row's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo.regressors._own_weights import Own, linear, norm

PATCH_PAD_PX = 2
NORM_EPS = 1e-6


@dataclass(frozen=True)
class VitConfig:
    """The network's dimensions; the defaults are ViT-H of HMR 2.0."""

    height_px: int = 256
    width_px: int = 192
    patch_px: int = 16
    width: int = 1280
    depth: int = 32
    num_heads: int = 16
    mlp_ratio: int = 4

    @property
    def num_patches(self) -> int:
        """T, row by row from the top left."""
        return (self.height_px // self.patch_px) * (self.width_px // self.patch_px)


class _Attention(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, own: Own) -> Tensor:
        """(N, T, width) to (N, T, width)."""
        split = linear(self.qkv, x, own).unflatten(2, (3, self.num_heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(query, key, value)
        return linear(self.proj, y.transpose(1, 2).flatten(2), own)


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor, own: Own) -> Tensor:
        """(N, T, width) to (N, T, width)."""
        return linear(self.fc2, F.gelu(linear(self.fc1, x, own)), own)


class Block(nn.Module):
    """Attention and a perceptron, each behind a LayerNorm and added to its input."""

    def __init__(self, cfg: VitConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(cfg.width, eps=NORM_EPS)
        self.attn = _Attention(cfg.width, cfg.num_heads)
        self.norm2 = nn.LayerNorm(cfg.width, eps=NORM_EPS)
        self.mlp = _Mlp(cfg.width, cfg.mlp_ratio * cfg.width)

    def forward(self, x: Tensor, own: Own) -> Tensor:
        """(N, T, width) to (N, T, width)."""
        x = x + self.attn(norm(self.norm1, x, own), own)
        return x + self.mlp(norm(self.norm2, x, own), own)


class Vit(nn.Module):
    """Pixels to tokens. Runs whole, or in parts: `embed`, then `run`."""

    def __init__(self, cfg: VitConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + cfg.num_patches, cfg.width))
        cut = nn.Conv2d(3, cfg.width, cfg.patch_px, cfg.patch_px, padding=PATCH_PAD_PX)
        self.patch_embed = nn.ModuleDict({"proj": cut})
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.depth))
        self.last_norm = nn.LayerNorm(cfg.width, eps=NORM_EPS)

    def embed(self, image: Tensor, own: Own) -> Tensor:
        """(N, 3, height_px, width_px) normalised RGB to (N, T, width), before the first block."""
        position = own.get(self, {}).get("pos_embed", self.pos_embed).flatten(0, -3)
        return self._patches(image, own) + position[:, 1:] + position[:, :1]

    def _patches(self, image: Tensor, own: Own) -> Tensor:
        cut = cast(nn.Conv2d, self.patch_embed["proj"])
        mine = own.get(cut)
        if mine is None:
            return cut(image).flatten(2).mT
        side = self.cfg.patch_px
        pixels = F.unfold(image, side, stride=side, padding=PATCH_PAD_PX)
        weight, bias = mine["weight"], mine["bias"][:, None]
        return pixels.mT @ weight.flatten(2).mT + bias

    def run(self, tokens: Tensor, own: Own, first: int = 0, end: int | None = None) -> Tensor:
        """(N, T, width) before block `first` to before block `end`; None: to the very end."""
        for block in self.blocks[first:end]:
            tokens = block(tokens, own)
        return norm(self.last_norm, tokens, own) if end is None else tokens

    def forward(self, image: Tensor, own: Own) -> Tensor:
        """(N, 3, height_px, width_px) normalised RGB to (N, T, width)."""
        return self.run(self.embed(image, own), own)

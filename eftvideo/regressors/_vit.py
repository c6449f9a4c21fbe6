"""The vision transformer (Dosovitskiy et al. 2021) of ViTPose and HMR 2.0, in inference.

Parameter names and shapes are those of the published checkpoints. What sets it apart from other
ViTs: patches are cut from a picture padded by 2 px on every side, there is no class token (its
position embedding is added to every patch), and tokens come out of a last LayerNorm.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to (N, T, width)."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and a perceptron, each behind a LayerNorm and added to its input."""

    def __init__(self, cfg: VitConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(cfg.width, eps=NORM_EPS)
        self.attn = _Attention(cfg.width, cfg.num_heads)
        self.norm2 = nn.LayerNorm(cfg.width, eps=NORM_EPS)
        self.mlp = _Mlp(cfg.width, cfg.mlp_ratio * cfg.width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to (N, T, width)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


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

    def embed(self, image: Tensor) -> Tensor:
        """(N, 3, height_px, width_px) normalised RGB to (N, T, width), before the first block."""
        patches = self.patch_embed["proj"](image).flatten(2).mT
        return patches + self.pos_embed[:, 1:] + self.pos_embed[:, :1]

    def run(self, tokens: Tensor, first: int = 0, end: int | None = None) -> Tensor:
        """(N, T, width) before block `first` to before block `end`; None: to the very end."""
        for block in self.blocks[first:end]:
            tokens = block(tokens)
        return self.last_norm(tokens) if end is None else tokens

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, height_px, width_px) normalised RGB to (N, T, width)."""
        return self.run(self.embed(image))

"""The head of HMR 2.0: one query looks at the image's tokens six times and answers with a body.

Parameter names and shapes are those of the published checkpoints. There is one query, so two
shortcuts are exact: attention of the query to itself is its value; and instead of keys and values
of all tokens, the query is carried back through the keys' weights, and the tokens' mean through the
values'. That is a 27th of the multiplications, and it is what EFT repeats. Every layer may have
weights of each row's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo.geometry.rotations import six_d_to_matrix
from eftvideo.regressors._own_weights import Own, linear, norm
from eftvideo.regressors._raw import NUM_BETAS, NUM_CAM, NUM_POSE


@dataclass(frozen=True)
class HeadConfig:
    """The head's dimensions; the defaults are those of HMR 2.0."""

    width: int = 1024
    depth: int = 6
    num_heads: int = 8
    head_width: int = 64
    hidden: int = 1024


def six_d_rows_to_matrix(six_d: Tensor) -> Tensor:
    """(..., 6) to (..., 3, 3): the numbers are read 2 x 3, so 0-2 are the first column, 3-5 the
    second; made orthonormal by Gram-Schmidt. SPIN reads the same numbers 3 x 2 (rotations.py)."""
    return six_d_to_matrix(six_d.unflatten(-1, (2, 3)).mT.flatten(-2))


class _Attention(nn.Module):
    """What both kinds of attention share: the way out."""

    def __init__(self, cfg: HeadConfig) -> None:
        super().__init__()
        self.num_heads, self.inner = cfg.num_heads, cfg.num_heads * cfg.head_width
        self.to_out = nn.Sequential(nn.Linear(self.inner, cfg.width))

    def out(self, value: Tensor, own: Own) -> Tensor:
        """(N, inner) to (N, width)."""
        return linear(cast(nn.Linear, self.to_out[0]), value, own)


class SelfAttention(_Attention):
    """Attention of one query to itself: the softmax over one score is 1, its value is taken."""

    def __init__(self, cfg: HeadConfig) -> None:
        super().__init__(cfg)
        self.to_qkv = nn.Linear(cfg.width, 3 * self.inner, bias=False)

    def forward(self, x: Tensor, own: Own, context: Tensor) -> Tensor:
        """(N, width) to (N, width); `context` is not looked at."""
        mine = own.get(self.to_qkv)
        if mine is None:
            return self.out(F.linear(x, self.to_qkv.weight[2 * self.inner :]), own)
        value = mine["weight"][:, 2 * self.inner :] @ x[..., None]
        return self.out(value.squeeze(-1), own)


class CrossAttention(_Attention):
    """Attention of one query to the image's tokens."""

    def __init__(self, cfg: HeadConfig, context_width: int) -> None:
        super().__init__(cfg)
        self.scale = cfg.head_width**-0.5
        self.to_kv = nn.Linear(context_width, 2 * self.inner, bias=False)
        self.to_q = nn.Linear(cfg.width, self.inner, bias=False)

    def forward(self, x: Tensor, own: Own, context: Tensor) -> Tensor:
        """(N, width) and (N, T, context_width) to (N, width)."""
        mine = own.get(self.to_kv)
        weight, rows = (self.to_kv.weight, "") if mine is None else (mine["weight"], "n")
        to_key, to_value = weight.unflatten(-2, (2, self.num_heads, -1)).unbind(-4)
        query = linear(self.to_q, x, own).unflatten(1, (self.num_heads, -1))
        carried = torch.einsum(f"nhd,{rows}hdc->nhc", query, to_key)
        attention = (carried @ context.mT * self.scale).softmax(dim=-1)
        value = torch.einsum(f"nhc,{rows}hdc->nhd", attention @ context, to_value)
        return self.out(value.flatten(1), own)


class FeedForward(nn.Module):
    """A perceptron with one hidden layer."""

    def __init__(self, cfg: HeadConfig) -> None:
        super().__init__()
        # The third place, and a fifth, are dropout in training.
        self.net = nn.Sequential(
            nn.Linear(cfg.width, cfg.hidden),
            nn.GELU(),
            nn.Identity(),
            nn.Linear(cfg.hidden, cfg.width),
        )

    def forward(self, x: Tensor, own: Own, context: Tensor) -> Tensor:
        """(N, width) to (N, width); `context` is not looked at."""
        up, act, _, down = self.net
        return linear(cast(nn.Linear, down), act(linear(cast(nn.Linear, up), x, own)), own)


class _Residual(nn.Module):
    """x + fn(LayerNorm(x))."""

    def __init__(self, width: int, fn: SelfAttention | CrossAttention | FeedForward) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = fn

    def forward(self, x: Tensor, own: Own, context: Tensor) -> Tensor:
        """(N, width) to (N, width)."""
        return x + self.fn(norm(self.norm, x, own), own, context)


class QueryDecoder(nn.Module):
    """One query, which starts the same for every picture, through all layers."""

    def __init__(self, cfg: HeadConfig, context_width: int) -> None:
        super().__init__()
        self.width = cfg.width
        self.to_token_embedding = nn.Linear(1, cfg.width)
        self.pos_embedding = nn.Parameter(torch.randn(1, 1, cfg.width))
        kinds = (SelfAttention, partial(CrossAttention, context_width=context_width), FeedForward)
        layers = nn.ModuleList(
            nn.ModuleList(_Residual(cfg.width, kind(cfg)) for kind in kinds)
            for _ in range(cfg.depth)
        )
        self.transformer = nn.ModuleDict({"layers": layers})

    def forward(self, context: Tensor, own: Own) -> Tensor:
        """(N, T, context_width) to (N, width)."""
        zero = context.new_zeros(len(context), 1)
        position = own.get(self, {}).get("pos_embedding", self.pos_embedding)
        x = linear(self.to_token_embedding, zero, own) + position.reshape(-1, self.width)
        for layer in cast(nn.ModuleList, self.transformer["layers"]):
            for residual in cast(nn.ModuleList, layer):
                x = residual(x, own, context)
        return x


class SmplHead(nn.Module):
    """Tokens to the means plus what the query says: 24 x 6D, betas, crop camera."""

    init_body_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self, cfg: HeadConfig, context_width: int) -> None:
        super().__init__()
        self.transformer = QueryDecoder(cfg, context_width)
        self.decpose = nn.Linear(cfg.width, NUM_POSE)
        self.decshape = nn.Linear(cfg.width, NUM_BETAS)
        self.deccam = nn.Linear(cfg.width, NUM_CAM)
        # Until a checkpoint brings its own means: a T-pose upright before a y-down camera.
        pose = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).repeat(24)
        pose[4] = -1.0
        self.register_buffer("init_body_pose", pose[None])
        self.register_buffer("init_betas", torch.zeros(1, NUM_BETAS))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0.0, 0.0]]))

    def query(self, context: Tensor) -> Tensor:
        """(N, T, context_width) tokens to (N, width): what the query knows at the end."""
        return self.transformer(context, {})

    def forward(self, known: Tensor, own: Own) -> Tensor:
        """(N, T, context_width) tokens, or what `query` makes of them, to (N, 157) raw answers."""
        x = known if known.dim() == 2 else self.transformer(known, own)
        pose = linear(self.decpose, x, own) + self.init_body_pose
        betas = linear(self.decshape, x, own) + self.init_betas
        return torch.cat([pose, betas, linear(self.deccam, x, own) + self.init_cam], dim=1)

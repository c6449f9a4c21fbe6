"""The head of HMR 2.0: one query looks at the image's tokens six times and answers with a body.

Parameter names and shapes are those of the published checkpoints. There is one query, so two
shortcuts are exact: attention of the query to itself is its value; and instead of keys and values
of all tokens, the query is carried back through the keys' weights, and the tokens' mean through the
values'. A pass costs a fiftieth, which is what EFT repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo.rotations import six_d_to_matrix

NUM_POSE = 24 * 6
NUM_BETAS = 10
NUM_CAM = 3


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


class _Residual(nn.Module):
    """x + fn(LayerNorm(x))."""

    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = fn

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        """(N, width) to (N, width)."""
        return x + self.fn(self.norm(x), *context)


class SelfAttention(nn.Module):
    """Attention of one query to itself: the softmax over one score is 1, its value is taken."""

    def __init__(self, cfg: HeadConfig) -> None:
        super().__init__()
        inner = cfg.num_heads * cfg.head_width
        self.to_qkv = nn.Linear(cfg.width, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, cfg.width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) to (N, width)."""
        _, _, to_value = self.to_qkv.weight.chunk(3)
        return self.to_out(F.linear(x, to_value))


class CrossAttention(nn.Module):
    """Attention of one query to the image's tokens."""

    def __init__(self, cfg: HeadConfig, context_width: int) -> None:
        super().__init__()
        inner = cfg.num_heads * cfg.head_width
        self.num_heads, self.scale = cfg.num_heads, cfg.head_width**-0.5
        self.to_kv = nn.Linear(context_width, 2 * inner, bias=False)
        self.to_q = nn.Linear(cfg.width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, cfg.width))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, width) and (N, T, context_width) to (N, width)."""
        to_key, to_value = self.to_kv.weight.unflatten(0, (2, self.num_heads, -1)).unbind()
        query = self.to_q(x).unflatten(1, (self.num_heads, -1))
        carried = torch.einsum("nhd,hdc->nhc", query, to_key)
        attention = (carried @ context.mT * self.scale).softmax(dim=-1)
        value = torch.einsum("nhc,hdc->nhd", attention @ context, to_value)
        return self.to_out(value.flatten(1))


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

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) to (N, width)."""
        return self.net(x)


class QueryDecoder(nn.Module):
    """One query, which starts the same for every picture, through all layers."""

    def __init__(self, cfg: HeadConfig, context_width: int) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(1, cfg.width)
        self.pos_embedding = nn.Parameter(torch.randn(1, 1, cfg.width))
        layers = nn.ModuleList(
            nn.ModuleList(
                _Residual(cfg.width, fn)
                for fn in (SelfAttention(cfg), CrossAttention(cfg, context_width), FeedForward(cfg))
            )
            for _ in range(cfg.depth)
        )
        self.transformer = nn.ModuleDict({"layers": layers})

    def forward(self, context: Tensor) -> Tensor:
        """(N, T, context_width) to (N, width)."""
        zero = context.new_zeros(len(context), 1)
        x = self.to_token_embedding(zero) + self.pos_embedding[0]
        for attend_self, attend, perceive in self.transformer["layers"]:  # type: ignore[union-attr]
            x = perceive(attend(attend_self(x), context))
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

    def read_out(self, query: Tensor) -> Tensor:
        """(N, width) to (N, 157) raw answers."""
        pose = self.decpose(query) + self.init_body_pose
        betas = self.decshape(query) + self.init_betas
        return torch.cat([pose, betas, self.deccam(query) + self.init_cam], dim=1)

    def forward(self, context: Tensor) -> Tensor:
        """(N, T, context_width) to (N, 157) raw answers."""
        return self.read_out(self.transformer(context))

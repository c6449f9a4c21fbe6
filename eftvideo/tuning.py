"""Weights of each person's own: the tuned part of a network as rows, and Adam over the rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from eftvideo.regressors import Regressor

ADAM_BETAS = (0.9, 0.999)
ADAM_EPS = 1e-8


@dataclass(frozen=True)
class PersonState:
    """Tuned weights of one person, and the optimiser's memory of them."""

    theta: Tensor
    """(P,) tuned weights in one row."""
    first_moment: Tensor
    second_moment: Tensor
    num_updates: Tensor
    """() how many updates the moments have seen (Adam's bias correction)."""


class Weights:
    """The tuned part of a regressor's weights, as one row of numbers per person."""

    def __init__(self, regressor: Regressor, which: str) -> None:
        module = regressor
        assert isinstance(module, nn.Module)
        self._module = module
        own = dict(module.named_parameters())
        self.names = regressor.tunable(which)
        self._shapes = [own[n].shape for n in self.names]
        self._sizes = [own[n].numel() for n in self.names]
        self.base = torch.cat([own[n].detach().flatten() for n in self.names])

    def forward(self, theta: Tensor, encoded: Tensor) -> Tensor:
        """Run each person's own network: (N, P) weights and (N, ...) inputs to (N, D)."""
        parts = theta.split(self._sizes, dim=1)
        stacked = {
            name: part.unflatten(1, shape)
            for name, part, shape in zip(self.names, parts, self._shapes, strict=True)
        }
        each = getattr(self._module, "forward_each", None)
        if each is not None:
            return each(stacked, encoded)

        def one(parameters: dict[str, Tensor], row: Tensor) -> Tensor:
            return functional_call(self._module, parameters, (row[None],)).squeeze(0)

        return vmap(one)(stacked, encoded)


@dataclass
class Adam:
    """Adam (Kingma, Ba 2015) over rows, each with a count of updates of its own."""

    first: Tensor
    second: Tensor
    count: Tensor

    def step(self, theta: Tensor, gradient: Tensor, rows: Tensor, rate: float) -> Tensor:
        """New values of theta[rows] after one update with its gradient."""
        b1, b2 = ADAM_BETAS
        self.count[rows] += 1
        first = self.first[rows].lerp(gradient, 1 - b1)
        second = self.second[rows].lerp(gradient.square(), 1 - b2)
        self.first[rows], self.second[rows] = first, second
        n = self.count[rows, None].to(theta.dtype)
        scale = (second / (1 - b2**n)).sqrt_().add_(ADAM_EPS)
        return theta[rows] - rate * (first / (1 - b1**n)) / scale

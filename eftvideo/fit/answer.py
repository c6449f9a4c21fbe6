"""The regressor's own answers, with their 2D errors."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.fit import losses
from eftvideo.fit.projection import error_px
from eftvideo.fit.shape import hold_shape
from eftvideo.setup import Setup
from eftvideo.types import FITTED, Crops, FitResult


@torch.no_grad()
def answer(crops: Crops, setup: Setup, encoded: Tensor | None = None) -> FitResult:
    """The regressor's own answer for N people, with no fitting.

    Args:
        encoded: what the regressor's `encode` gives for these crops, if it is known.
    """
    regressor, body = setup.regressor, setup.body
    encoded = regressor.encode(crops) if encoded is None else encoded
    raw = regressor.decode(regressor.forward(encoded), crops)
    prediction = hold_shape(raw, crops, body)
    weight = losses.joint_weights(crops.evidence[..., 2], setup)
    error = error_px(body, prediction, crops, weight)
    zeros = torch.zeros(len(crops), dtype=torch.int64, device=error.device)
    return FitResult(prediction, error, error, zeros, zeros + FITTED)

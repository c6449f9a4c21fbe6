"""Exemplar fine-tuning with warm start: the regressor's weights, tuned for each person and frame.

EFT (Joo, Neverova, Vedaldi, 3DV 2021) tunes a copy of a regressor on one picture until the body's
joints fall onto the 2D keypoints; the network is the prior. Here all people of a frame are tuned
at once, each on weights of their own, and start from what fitted them in the frame before.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.fit import losses
from eftvideo.fit.eft.engine import Engine, Listener, PersonFrames
from eftvideo.fit.eft.memory import people_at_once
from eftvideo.fit.eft.tuned_weights import PersonState
from eftvideo.fit.projection import error_px
from eftvideo.fit.shape import hold_shape
from eftvideo.fit.warm_start import WarmStart
from eftvideo.regressors import Regressor
from eftvideo.types import FITTED, Crops, FitResult


def regress(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    cfg: EftConfig | None = None,
    encoded: Tensor | None = None,
) -> FitResult:
    """The regressor's own answer for N people, with its 2D error and no fitting.

    Args:
        encoded: what the regressor's `encode` gives for these crops, if it is known.
    """
    cfg = cfg or EftConfig()
    with torch.no_grad():
        encoded = regressor.encode(crops) if encoded is None else encoded
        answer = regressor.decode(regressor.forward(encoded), crops)
        prediction = hold_shape(answer, crops, body)
        weight = losses.joint_weights(crops.keypoints[..., 2], cfg)
        error = error_px(body, prediction, crops, weight)
    zeros = torch.zeros(len(crops), dtype=torch.int64, device=error.device)
    return FitResult(prediction, error, error, zeros, zeros + FITTED)


def fit(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    track_ids: Sequence[int],
    time_s: float,
    warm_start: WarmStart | None = None,
    cfg: EftConfig | None = None,
    own: FitResult | None = None,
) -> tuple[FitResult, WarmStart]:
    """Fit N people of one frame.

    Args:
        regressor, body: neither is changed.
        crops: N people.
        track_ids: N ids; who they are decides which weights they start from.
        time_s: time of the frame.
        warm_start: what the frame before returned; None starts everybody cold.
        own: what `regress` says of these crops, if it is known already.

    Returns:
        The fits, and the warm start for the next frame: the accepted people of this frame and
        those of earlier ones that are not too old to come back.
    """
    cfg, warm_start = cfg or EftConfig(), warm_start or WarmStart()
    own = own or regress(regressor, body, crops, cfg)
    starts = warm_start.of(track_ids, time_s, cfg.max_warm_gap_s)
    result, states = fit_rows(regressor, body, crops, starts, cfg, own)
    return result, warm_start.after(track_ids, states, time_s, cfg.max_warm_gap_s)


def fit_rows(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    starts: Sequence[PersonState | None],
    cfg: EftConfig,
    own: FitResult,
) -> tuple[FitResult, list[PersonState | None]]:
    """Fit N people, of one frame or of several, each on weights of its own.

    Args:
        regressor, body: neither is changed.
        crops: N people.
        starts: what this returned for the same person in the frame before, or None: cold.
        cfg: see there.
        own: what `regress` says of these crops.

    Returns:
        The fits, and the states to start the next frame from; None for the rejected.
    """
    if not len(crops):
        return own, []
    cold = torch.zeros(len(crops), dtype=torch.bool)
    sequences = [PersonFrames([i], start) for i, start in enumerate(starts)]
    return fit_sequences(regressor, body, crops, sequences, cold, cfg, own)


def fit_sequences(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    sequences: Sequence[PersonFrames],
    cold: Tensor,
    cfg: EftConfig,
    own: FitResult,
    done: Listener | None = None,
    encoded: Tensor | None = None,
    keep_ends: bool = True,
) -> tuple[FitResult, list[PersonState | None]]:
    """Fit several people over several frames; each frame starts from the person's frame before.

    Args:
        regressor, body: neither is changed.
        crops: R rows.
        sequences: each row is in one of them.
        cold: (R,) bool: rows that start from the base weights whatever came before.
        cfg: see there.
        own: what `regress` says of these crops.
        done: told the rows that were just finished, and their 2D errors.
        encoded: what the regressor's `encode` gives for these crops and `cfg.tune`, if known.
        keep_ends: whether the last states are wanted.

    Returns:
        The fits of the R rows, and each sequence's last state; None where that was rejected.
    """
    engine = Engine(regressor, body, crops, own, cold, cfg, encoded)
    num = min(cfg.max_people or len(sequences), len(sequences))
    if regressor.needs == "image" and len(crops):
        num = people_at_once(engine.weights, engine.encoded, num)
    return engine.run(sequences, num, done, keep_ends)

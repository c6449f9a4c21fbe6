"""Context that contradicts what is seen in the frame itself is hidden from the regressor.

A regressor that looks at other times has learnt that a detector errs for a while, for instance
takes left for right. Of somebody who turns round fast it may believe the other times more than the
frame, and answer with a body that stands the wrong way. Then the picture tells: the answer without
the other times lies on the keypoints, that with them does not.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from eftvideo.fit.answer import answer
from eftvideo.geometry.rotations import rotation_angle
from eftvideo.setup import Setup
from eftvideo.types import Crops, FitResult


@torch.no_grad()
def initial_answers(crops: Crops, setup: Setup) -> tuple[Crops, Tensor, FitResult]:
    """The regressor's own answers to N crops, by as much context as is to be believed.

    Returns:
        The crops, zeros in the place of doubtful context; what the regressor's `encode` gives for
        them and for what is tuned; and the answers.
    """
    cfg = setup.cfg.fit.context
    encoded, initial = _asked(crops, setup)
    if crops.context is None or not len(crops) or not cfg.enabled:
        return crops, encoded, initial
    offsets = torch.tensor(setup.regressor.context_offsets_s, device=initial.loss_px.device)
    score = setup.cfg.keypoints.min_score
    seen = (crops.keypoints[..., 2] >= score).sum(-1) >= cfg.min_seen
    for near_s in cfg.near_s:
        rows = ((initial.loss_px > cfg.doubt_px) & seen).nonzero().squeeze(1)
        if not len(rows):
            break
        some = crops.select(rows)
        tried_on = _less(some, offsets.abs() <= near_s)
        tried, answers = _asked(tried_on, setup)
        before, after = (a.prediction.params.global_orient for a in (initial.select(rows), answers))
        is_flip = rotation_angle(before, after) > cfg.flip_rad
        share = torch.where(is_flip, cfg.flip_better, cfg.better)
        better = answers.loss_px < share * initial.loss_px[rows]
        changed = rows[better]
        encoded = encoded.clone()
        encoded[changed] = tried[better]
        crops = _put(crops, changed, tried_on.select(better))
        index = torch.arange(len(crops), device=rows.device)
        index[changed] = len(crops) + better.nonzero().squeeze(1)
        initial = FitResult.cat([initial, answers]).select(index)
    return crops, encoded, initial


def _less(crops: Crops, kept: Tensor) -> Crops:
    """The same people without what they did at the times that are not `kept` (C,)."""
    assert crops.context is not None
    context, landmarks = crops.context * kept[:, None, None], crops.landmarks
    if landmarks is not None:
        landmarks = landmarks.clone()
        landmarks[:, 1:] *= kept[:, None, None]
    return replace(crops, context=context, landmarks=landmarks)


def _put(crops: Crops, rows: Tensor, some: Crops) -> Crops:
    """The crops with the context of `some` people at `rows` (n,)."""
    assert crops.context is not None and some.context is not None
    context, landmarks = crops.context.clone(), crops.landmarks
    context[rows] = some.context
    if landmarks is not None and some.landmarks is not None:
        landmarks = landmarks.clone()
        landmarks[rows] = some.landmarks
    return replace(crops, context=context, landmarks=landmarks)


def _asked(crops: Crops, setup: Setup) -> tuple[Tensor, FitResult]:
    cfg = setup.cfg.fit
    tune = cfg.eft.tune if cfg.method == "eft" else None
    encoded = setup.regressor.encode(crops, tune)
    parts = torch.arange(len(crops), device=encoded.device).split(cfg.chunks.rows_asked)
    plain = replace(crops, image=None)
    answers = [answer(plain.select(p), setup, encoded[p]) for p in parts]
    return encoded, FitResult.cat(answers)

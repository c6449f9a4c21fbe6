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

from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.fit.eft import fit as eft
from eftvideo.geometry.rotations import rotation_angle
from eftvideo.regressors import Regressor
from eftvideo.types import Crops, FitResult

DOUBT_PX = 10.0
"""2D error, px of a 224 px crop, up to which an answer is believed."""
BETTER = 0.6
"""Context is hidden if the answer without it has less than this share of the error."""
FLIP_RAD = 2.0
FLIP_BETTER = 0.3
"""An answer that turns the body round by more must have less than this share: from the side the
keypoints of one frame hardly tell front from back."""
MIN_SEEN = 10
"""Of people of whom fewer keypoints are seen one frame alone says too little."""
NEAR_S = (0.1, 0.0)
"""What of the context is tried instead: frames this near, then none."""
ROWS = 256
"""Rows that the regressor is asked about at once."""


@torch.no_grad()
def own_answers(
    regressor: Regressor,
    body: BodyModel,
    crops: Crops,
    cfg: EftConfig,
    tune: str | None = None,
) -> tuple[Crops, Tensor, FitResult]:
    """The regressor's own answers to N crops, by as much context as is to be believed.

    Args:
        tune: what of the regressor is going to be tuned.

    Returns:
        The crops, zeros in the place of doubtful context; what the regressor's `encode` gives for
        them and `tune`; and the answers.
    """
    encoded, own = _asked(regressor, body, crops, cfg, tune)
    if crops.context is None or not len(crops):
        return crops, encoded, own
    offsets = torch.tensor(regressor.context_offsets_s, device=own.loss_px.device)
    seen = (crops.keypoints[..., 2] >= cfg.min_score).sum(-1) >= MIN_SEEN
    for near_s in NEAR_S:
        rows = ((own.loss_px > DOUBT_PX) & seen).nonzero().squeeze(1)
        if not len(rows):
            break
        some = crops.select(rows)
        assert some.context is not None and crops.context is not None
        less = some.context * (offsets.abs() <= near_s)[:, None, None]
        tried, answers = _asked(regressor, body, replace(some, context=less), cfg, tune)
        before, after = (a.prediction.params.global_orient for a in (own.select(rows), answers))
        share = torch.where(rotation_angle(before, after) > FLIP_RAD, FLIP_BETTER, BETTER)
        better = answers.loss_px < share * own.loss_px[rows]
        changed = rows[better]
        context, encoded = crops.context.clone(), encoded.clone()
        context[changed], encoded[changed] = less[better], tried[better]
        crops = replace(crops, context=context)
        index = torch.arange(len(crops), device=rows.device)
        index[changed] = len(crops) + better.nonzero().squeeze(1)
        own = FitResult.cat([own, answers]).select(index)
    return crops, encoded, own


def _asked(
    regressor: Regressor, body: BodyModel, crops: Crops, cfg: EftConfig, tune: str | None
) -> tuple[Tensor, FitResult]:
    encoded = regressor.encode(crops, tune)
    parts = torch.arange(len(crops), device=encoded.device).split(ROWS)
    plain = replace(crops, image=None)
    answers = [eft.regress(regressor, body, plain.select(p), cfg, encoded[p]) for p in parts]
    return encoded, FitResult.cat(answers)

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

from eftvideo import eft
from eftvideo.bodies import BodyModel
from eftvideo.config import EftConfig
from eftvideo.regressors import Regressor
from eftvideo.types import Crops

DOUBT_PX = 10.0
"""2D error, px of a 224 px crop, up to which an answer is believed."""
BETTER = 0.6
"""Context is hidden if the answer without it has less than this share of the error."""
MIN_SEEN = 10
"""Of people of whom fewer keypoints are seen one frame alone says too little."""
NEAR_S = (0.1, 0.0)
"""What of the context is tried instead: frames this near, then none."""
ROWS = 256
"""Rows that the regressor is asked about at once."""


@torch.no_grad()
def hide_doubtful_context(
    regressor: Regressor, body: BodyModel, crops: Crops, cfg: EftConfig
) -> Crops:
    """N crops; where the far or all context is doubtful, with zeros in its place."""
    if crops.context is None or not len(crops):
        return crops
    error = _error_px(regressor, body, crops, cfg)
    offsets = torch.tensor(regressor.context_offsets_s, device=error.device)
    context = crops.context.clone()
    seen = (crops.keypoints[..., 2] >= cfg.min_score).sum(-1) >= MIN_SEEN
    for near_s in NEAR_S:
        rows = ((error > DOUBT_PX) & seen).nonzero().squeeze(1)
        if not len(rows):
            break
        some = crops.select(rows)
        assert some.context is not None
        less = some.context * (offsets.abs() <= near_s)[:, None, None]
        tried = _error_px(regressor, body, replace(some, context=less), cfg)
        better = tried < BETTER * error[rows]
        context[rows[better]] = less[better]
        error[rows[better]] = tried[better]
    return replace(crops, context=context)


def _error_px(regressor: Regressor, body: BodyModel, crops: Crops, cfg: EftConfig) -> Tensor:
    parts = torch.arange(len(crops), device=crops.size_px.device).split(ROWS)
    return torch.cat([eft.regress(regressor, body, crops.select(p), cfg).loss_px for p in parts])

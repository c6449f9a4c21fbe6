"""Exemplar fine-tuning with warm start: the regressor's weights, tuned for each person and frame.

EFT (Joo, Neverova, Vedaldi, 3DV 2021) tunes a copy of a regressor on one picture until the body's
joints fall onto the 2D keypoints; the network is the prior. Here many people are tuned at once,
each on weights of their own, and start from what fitted them in the frame before.
"""

from __future__ import annotations

from eftvideo.fit.batch import Batch, Listener
from eftvideo.fit.eft.engine import Engine
from eftvideo.fit.eft.memory import people_at_once
from eftvideo.fit.eft.slots import PersonFrames
from eftvideo.setup import Setup
from eftvideo.types import FitResult


def fit_eft(batch: Batch, setup: Setup, done: Listener | None = None) -> FitResult:
    """Fit the rows of a batch; in a stream each frame starts from the person's frame before.

    Args:
        done: told the rows that were just finished, and their 2D errors.
    """
    if not len(batch):
        return batch.initial
    engine = Engine(batch, setup)
    streams = [PersonFrames(rows) for rows in batch.streams.rows]
    num = min(setup.cfg.fit.eft.max_people or len(streams), len(streams))
    if setup.regressor.needs == "image":
        num = people_at_once(engine.weights, engine.encoded, num)
    result, _ = engine.run(streams, num, done, keep_ends=False)
    return result

"""From tracks to SMPL: everybody in every frame, many frames side by side."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from eftvideo.fit.batch import Batch, Method, groups
from eftvideo.fit.chunks import cut_chunks
from eftvideo.fit.crops import CropMaker
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.fit.records import bodies_of
from eftvideo.fit.regress import fit_nothing
from eftvideo.fit.shape import track_shapes
from eftvideo.fit.smplify.fit import fit_smplify
from eftvideo.fit.told import Told
from eftvideo.progress import Progress
from eftvideo.setup import Setup
from eftvideo.types import VideoFrame
from eftvideo.types.track import Tracks
from eftvideo.types.track_fit import Bodies, Fits, TrackFit

METHODS: dict[str, Method] = {
    "eft": fit_eft,
    "smplify": fit_smplify,
    "regress": fit_nothing,
}


def fit_tracks(
    tracks: Tracks,
    setup: Setup,
    progress: Progress | None = None,
    clip: Iterable[VideoFrame] | None = None,
) -> Fits:
    """Fit everybody in every frame.

    The clip is cut into chunks that are fitted side by side, each in order of time with a warm
    start of its own: a step costs hardly more for twenty people than for two.

    Args:
        clip: the frames themselves, read again if the regressor needs pixels.
    """
    threads, most = torch.get_num_threads(), setup.cfg.fit.chunks.threads
    if setup.regressor.needs == "keypoints":
        torch.set_num_threads(min(threads, most if setup.cfg.fit.method == "eft" else 1))
    try:
        progress = progress or Progress()
        with progress.stage("fit", len(tracks.timeline)):
            return _fit(tracks, CropMaker(tracks, setup, clip), progress)
    finally:
        torch.set_num_threads(threads)


def _fit(tracks: Tracks, crops: CropMaker, progress: Progress) -> Fits:
    setup = crops.setup
    shapes = track_shapes(tracks, crops)
    chunks = cut_chunks(tracks.timeline.is_cut, setup.cfg.fit)
    who = crops.rows.who
    parts: list[Bodies] = []
    for group in groups(chunks, crops, setup):
        told = Told(group, progress)
        if not len(group.rows):
            continue
        batch = Batch.of(
            crops.crops_of(group.rows, shapes), setup, group.streams(setup.cfg.fit.max_warm_gap_s)
        )
        fit = METHODS[setup.cfg.fit.method](batch, setup, told.done)
        kept = torch.from_numpy(np.flatnonzero(group.is_kept)).to(setup.device)
        parts.append(bodies_of(batch.crops.select(kept), fit.select(kept), setup.body))
    if not parts:
        return Fits(tracks.timeline, ())
    bodies = Bodies.cat(parts)
    return Fits(
        tracks.timeline,
        tuple(
            TrackFit(t, bodies.select(np.flatnonzero(who == n)))
            for n, t in enumerate(tracks.people)
        ),
    )

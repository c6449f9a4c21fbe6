"""From tracked keypoints to SMPL: everybody in every frame, many frames side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch

from eftvideo.bodies import BodyModel
from eftvideo.config import RunConfig
from eftvideo.fit.batch import fit_streams
from eftvideo.fit.chunks import Piece, cut_pieces
from eftvideo.fit.context import own_answers
from eftvideo.fit.crops import Camera, TrackMemory, crops_of
from eftvideo.fit.pixels import PixelSource
from eftvideo.fit.records import Rows, fit_rows_of, frame_rows, stack
from eftvideo.fit.shape import Shapes, track_shapes
from eftvideo.fit.smplify import fit as smplify
from eftvideo.fit.warm_start import WarmStart
from eftvideo.progress import Progress
from eftvideo.regressors import Regressor
from eftvideo.types import Crops, FitResult, FrameDetections, VideoFrame

EFT_THREADS = 2
"""Two cores move everybody's weights in 0.6 of the time of one; all else that is done with
keypoints is so small that waiting for a second core costs more than it gives."""


def fit_people(
    frames: Sequence[FrameDetections],
    regressor: Regressor,
    body: BodyModel,
    view: Camera,
    cfg: RunConfig,
    device: str,
    progress: Progress,
    clip: Iterable[VideoFrame] | None = None,
) -> Rows:
    """Fit everybody in every frame.

    The clip is cut into pieces that are fitted side by side, each in order of time with a warm
    start of its own: a step costs hardly more for twenty people than for two.

    Args:
        clip: the frames themselves, read again if the regressor needs pixels.

    Returns:
        The per-row arrays of a `Result`.
    """
    memory = TrackMemory(frames, _pixels(clip, frames, regressor, cfg))
    threads = torch.get_num_threads()
    if regressor.needs == "keypoints":
        torch.set_num_threads(min(threads, EFT_THREADS if cfg.method == "eft" else 1))
    try:
        if cfg.method == "eft":
            return fit_streams(frames, regressor, body, view, cfg, device, progress, memory)
        return _Fitting(frames, regressor, body, view, cfg, device, progress, memory).run()
    finally:
        torch.set_num_threads(threads)


def _pixels(
    clip: Iterable[VideoFrame] | None,
    frames: Sequence[FrameDetections],
    regressor: Regressor,
    cfg: RunConfig,
) -> PixelSource | None:
    """The crops' pixels: of the frames that are looked at side by side, or run in to."""
    if clip is None or regressor.needs != "image":
        return None
    one_by_one = cfg.method == "eft" or not cfg.warm_start
    keep = cfg.lanes * (1 if one_by_one else cfg.piece_frames) + cfg.run_in_frames
    return PixelSource(clip, frames, cfg.crop, regressor.crop_size_px, keep)


@dataclass
class _Lane:
    """A piece that is being fitted."""

    piece: Piece
    at: int
    warm: WarmStart = field(default_factory=WarmStart)


@dataclass
class _Fitting:
    """The state of `fit_people`."""

    frames: Sequence[FrameDetections]
    regressor: Regressor
    body: BodyModel
    view: Camera
    cfg: RunConfig
    device: str
    progress: Progress
    memory: TrackMemory
    shapes: Shapes | None = None

    def run(self) -> Rows:
        """Each tick takes the next frame of every lane; a lane that ends takes the next piece."""
        memory = self.memory
        if self.cfg.shape == "per-track":
            which = (self.regressor, self.body, self.view, self.cfg, self.device)
            self.shapes = track_shapes(self.frames, memory, *which)
        waiting, lanes = deque(self._pieces()), list[_Lane]()
        done: dict[int, Rows] = {}
        while waiting or lanes:
            while waiting and len(lanes) < self.cfg.lanes:
                piece = waiting.popleft()
                lanes.append(_Lane(piece, piece.first))
            for lane, rows in zip(lanes, self._tick(lanes, memory), strict=True):
                if lane.at >= lane.piece.start:
                    done[lane.at] = rows
                    px = {"px": float(rows["loss_px"].mean())} if len(rows["frame"]) else {}
                    self.progress.advance(1, people=len(rows["frame"]), **px)
                lane.at += 1
            lanes = [lane for lane in lanes if lane.at < lane.piece.end]
        return stack(done[i] for i in sorted(done))

    def _pieces(self) -> list[Piece]:
        cfg, cuts = self.cfg, [f.is_cut for f in self.frames]
        if cfg.method == "regress" or not cfg.warm_start:
            return cut_pieces(cuts, 1, 0)
        return cut_pieces(cuts, cfg.piece_frames, cfg.run_in_frames)

    def _tick(self, lanes: list[_Lane], memory: TrackMemory) -> list[Rows]:
        frames = [self.frames[lane.at] for lane in lanes]
        each = [
            crops_of(f, memory, self.regressor, self.view, self.cfg, self.device, self.shapes)
            for f in frames
        ]
        crops = Crops.cat(each)
        crops, _, fit = own_answers(self.regressor, self.body, crops, self.cfg.eft)
        counts = [len(c) for c in each]
        if self.cfg.method == "smplify":
            fit = self._fit(lanes, frames, crops, fit)
        rows = fit_rows_of(crops, fit, self.body)
        ends = np.cumsum(counts)
        return [
            frame_rows(frame) | {k: v[end - num : end] for k, v in rows.items()}
            for frame, num, end in zip(frames, counts, ends, strict=True)
        ]

    def _fit(
        self, lanes: list[_Lane], frames: list[FrameDetections], crops: Crops, own: FitResult
    ) -> FitResult:
        gap_s = self.cfg.eft.max_warm_gap_s
        ids = [f.people.track_id.tolist() for f in frames]
        warm = self.cfg.warm_start
        starts = [
            state
            for lane, frame, people in zip(lanes, frames, ids, strict=True)
            for state in lane.warm.of(people, frame.time_s, gap_s if warm else -1.0)
        ]
        which = self.regressor, self.body, crops, starts
        fit, states = smplify.fit_rows(*which, self.cfg.smplify, own)
        each = iter(states)
        for lane, frame, people in zip(lanes, frames, ids, strict=True):
            new = list(islice(each, len(people)))
            lane.warm = lane.warm.after(people, new, frame.time_s, gap_s)
        return fit

"""EFT over a clip: every person of every piece is a stream of frames of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import RunConfig
from eftvideo.fit.chunks import Piece, cut_pieces
from eftvideo.fit.context import own_answers
from eftvideo.fit.crops import Camera, TrackMemory, crops_of
from eftvideo.fit.eft import fit as eft
from eftvideo.fit.eft.tuned_weights import settled
from eftvideo.fit.records import Rows, fit_rows_of, frame_rows, stack
from eftvideo.fit.shape import track_shapes
from eftvideo.progress import Progress
from eftvideo.regressors import Regressor
from eftvideo.types import Crops, FrameDetections

GROUP_FRAMES = 768
"""Frames whose crops are held at once; memory does not grow with the clip."""
GROUP_IMAGES = 512
"""People in these frames, if pixels are held: 150 KB each, features 800 KB (HMR, 224 px)."""


@dataclass
class _Group:
    """The rows of some pieces, in order of piece, frame and person."""

    crops: list[Crops] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    """Index of each row's frame; -1 for a run-in."""
    cold: list[bool] = field(default_factory=list)
    streams: list[eft.PersonFrames] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.place)

    def add(
        self, piece: Piece, frames: Sequence[FrameDetections], crops: list[Crops], cfg: RunConfig
    ) -> None:
        """Take in a piece: each of its people becomes a stream."""
        streams: dict[int, list[int]] = {}
        last_s: dict[int, float] = {}
        for i in range(piece.first, piece.end):
            frame = frames[i]
            for track_id in frame.people.track_id.tolist():
                gap = frame.time_s - last_s.get(track_id, -np.inf)
                self.cold.append(gap > cfg.eft.max_warm_gap_s + 1e-6)
                last_s[track_id] = frame.time_s
                streams.setdefault(track_id, []).append(len(self.place))
                self.place.append(i if i >= piece.start else -1)
        self.crops += crops
        self.streams += [eft.PersonFrames(rows) for rows in streams.values()]


def fit_streams(
    frames: Sequence[FrameDetections],
    regressor: Regressor,
    body: BodyModel,
    view: Camera,
    cfg: RunConfig,
    device: str,
    progress: Progress,
    memory: TrackMemory,
) -> Rows:
    """Fit everybody in every frame.

    Returns:
        The per-row arrays of a `Result`.
    """
    size, run_in = (cfg.piece_frames, cfg.run_in_frames) if cfg.warm_start else (1, 0)
    pieces = cut_pieces([f.is_cut for f in frames], size, run_in)
    known = (
        track_shapes(frames, memory, regressor, body, view, cfg, device)
        if cfg.shape == "per-track"
        else None
    )
    parts: list[Rows] = []
    most = GROUP_IMAGES if regressor.needs == "image" else None
    for some in _groups(pieces, [len(f.people) for f in frames], most):
        group = _Group()
        for piece in some:
            crops = [
                crops_of(frames[i], memory, regressor, view, cfg, device, known)
                for i in range(piece.first, piece.end)
            ]
            group.add(piece, frames, crops, cfg)
        first, end = some[0].start, some[-1].end
        parts += _fit_group(group, frames[first:end], first, regressor, body, cfg, progress)
    return stack(parts)


def _groups(
    pieces: Sequence[Piece], people: Sequence[int], most: int | None
) -> Iterator[list[Piece]]:
    """Pieces together: `GROUP_FRAMES` frames, and with fewer than `most` people in them."""
    group: list[Piece] = []
    num = 0
    for piece in pieces:
        more = sum(people[piece.first : piece.end])
        is_full = most is not None and num + more > most
        if group and (is_full or piece.end - group[0].start > GROUP_FRAMES):
            yield group
            group, num = [], 0
        group.append(piece)
        num += more
    if group:
        yield group


def _fit_group(
    group: _Group,
    frames: Sequence[FrameDetections],
    first: int,
    regressor: Regressor,
    body: BodyModel,
    cfg: RunConfig,
    progress: Progress,
) -> list[Rows]:
    """Rows of each of the group's frames, in order."""
    told = _Told(group.place, first, [len(f.people) for f in frames], progress)
    if not len(group):
        return []
    tune = settled(cfg.eft, regressor).tune
    crops = Crops.cat(group.crops)
    crops, encoded, own = own_answers(regressor, body, crops, cfg.eft, tune)
    crops = replace(crops, image=None)
    cold = torch.tensor(group.cold)
    what = (regressor, body, crops, group.streams, cold, cfg.eft, own, told.done)
    fit, _ = eft.fit_sequences(*what, encoded, keep_ends=False)
    kept = torch.tensor([i for i, place in enumerate(group.place) if place >= 0])
    kept = kept.to(crops.size_px.device)
    values = fit_rows_of(crops.select(kept), fit.select(kept), body)
    ends = np.cumsum([len(f.people) for f in frames])
    return [
        frame_rows(f) | {k: v[end - len(f.people) : end] for k, v in values.items()}
        for f, end in zip(frames, ends, strict=True)
    ]


class _Told:
    """Tells the progress of each frame whose people are all done; frames end in no order."""

    def __init__(
        self, place: Sequence[int], first: int, people: Sequence[int], progress: Progress
    ) -> None:
        self._place, self._first, self._people, self._progress = place, first, people, progress
        self._left = list(people)
        for _ in range(sum(1 for n in people if not n)):
            progress.advance(1, people=0)

    def done(self, rows: Tensor, loss_px: Tensor) -> None:
        """`Listener` of the engine."""
        for row in rows.tolist():
            at = self._place[row] - self._first
            if self._place[row] < 0:
                continue
            self._left[at] -= 1
            if not self._left[at]:
                px = float(loss_px.mean())
                self._progress.advance(1, people=self._people[at], px=px)

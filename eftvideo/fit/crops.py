"""Where each person was seen, as crops for a regressor: with context, pixels, a shape held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from eftvideo.fit.pixels import PixelSource
from eftvideo.geometry.crops import crop_people, with_landmarks
from eftvideo.landmarks.reliability import trust_of
from eftvideo.regressors import Regressor
from eftvideo.setup import Setup
from eftvideo.types import Crops, VideoFrame
from eftvideo.types.track import Track, Tracks

Shapes = dict[int, np.ndarray]
"""(10,) betas by track id."""


@dataclass(frozen=True)
class Rows:
    """Some sightings of some tracks."""

    who: np.ndarray
    """(R,) place of the track in `Tracks.people`."""
    which: np.ndarray
    """(R,) sighting of that track."""
    at: np.ndarray
    """(R,) place of the frame in the timeline."""
    time_s: np.ndarray
    """(R,) seconds."""

    def __len__(self) -> int:
        return len(self.who)

    def select(self, index: np.ndarray | slice) -> Rows:
        """The rows at `index`."""
        return Rows(*(v[index] for v in vars(self).values()))

    @classmethod
    def cat(cls, parts: Sequence[Rows]) -> Rows:
        """Rows of several, one after the other."""
        names = ("who", "which", "at", "time_s")
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


class CropMaker:
    """Makes the crops of any sightings of a clip's people."""

    def __init__(
        self, tracks: Tracks, setup: Setup, clip: Iterable[VideoFrame] | None = None
    ) -> None:
        """`clip`: the frames, for regressors that see pixels."""
        self.tracks, self.setup = tracks, setup
        who, which, at = tracks.rows()
        self.rows = Rows(who, which, at, tracks.timeline.time_s[at])
        """All of them, by frame, then by id."""
        fit = setup.cfg.fit
        self._tolerance_s = max(fit.context.tolerance_s, 0.51 * tracks.timeline.step_s)
        self._pixels: PixelSource | None = None
        if clip is not None and setup.regressor.needs == "image":
            chunks = fit.chunks
            keep = chunks.num_frames + chunks.warm_up_frames
            self._pixels = PixelSource(clip, tracks, setup, keep)

    def rows_between(self, first: int, end: int) -> Rows:
        """Sightings in the frames [first, end) of the timeline."""
        a, b = np.searchsorted(self.rows.at, [first, end])
        return self.rows.select(slice(int(a), int(b)))

    def crops_of(
        self,
        rows: Rows,
        shapes: Mapping[int, np.ndarray] | None = None,
        regressor: Regressor | None = None,
    ) -> Crops:
        """The crops of some sightings.

        Args:
            shapes: betas by track id, to be held; None: nobody's are known.
            regressor: who is to see them; None: the setup's.
        """
        setup, people, num = self.setup, self.tracks.people, len(rows)
        regressor = regressor or setup.regressor
        offsets = regressor.context_offsets_s
        looked = setup.cfg.detect.landmarks.network != "off"
        xyxy = np.zeros((num, 4), np.float32)
        keypoints = np.zeros((num, 17, 3), np.float32)
        around = np.zeros((num, len(offsets), 17, 3), np.float32)
        landmarks = np.zeros((num, 1 + len(offsets), 33, 7), np.float32)
        trust = np.zeros((num, 50), np.float32)
        betas = np.zeros((num, 10), np.float32)
        for n in np.unique(rows.who).tolist():
            mine, track = rows.who == n, people[n]
            which = rows.which[mine]
            xyxy[mine], keypoints[mine] = track.xyxy[which], track.keypoints[which]
            when = (track.time_s[which], offsets, self._tolerance_s)
            if offsets:
                around[mine] = context(track, *when)
            if looked:
                landmarks[mine] = _landmarks(track, which, others(track, *when))
                trust[mine] = trust_of(track.seen.select(which), setup.cfg.keypoints.min_score)
            if shapes is not None:
                betas[mine] = shapes[track.track_id]

        def tensor(value: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(value).to(setup.device)

        view = setup.camera
        size = torch.tensor([float(v) for v in view.size_px], device=setup.device)
        crops = crop_people(
            tensor(xyxy),
            tensor(keypoints),
            torch.full((num,), view.focal_length_px, device=setup.device),
            size.expand(num, 2),
            setup.cfg.fit.crop,
            tensor(around) if offsets else None,
        )
        if looked:
            crops = with_landmarks(crops, tensor(landmarks), tensor(trust))
        if regressor.needs == "image":
            assert self._pixels is not None, "this regressor needs the clip"
            places = zip(rows.at.tolist(), rows.who.tolist(), strict=True)
            crops = replace(crops, image=self._pixels.of(list(places)).to(setup.device))
        return crops if shapes is None else replace(crops, betas=tensor(betas))


def context(
    track: Track, time_s: np.ndarray, offsets_s: Sequence[float], tolerance_s: float
) -> np.ndarray:
    """(T, C, 17, 3) keypoints of the sightings that `others` names; zeros where there is none."""
    return _taken(track.keypoints, others(track, time_s, offsets_s, tolerance_s))


def others(
    track: Track, time_s: np.ndarray, offsets_s: Sequence[float], tolerance_s: float
) -> np.ndarray:
    """Which sightings show a person at other times.

    Args:
        time_s: (T,). offsets_s: C of them. tolerance_s: how far off a sighting may be.

    Returns:
        (T, C) sightings at time_s + each offset; -1 where the person was not seen.
    """
    times, want = track.time_s, time_s[:, None] + np.asarray(offsets_s)
    right = np.clip(np.searchsorted(times, want), 0, len(times) - 1)
    left = np.clip(right - 1, 0, None)
    at = np.where(np.abs(times[left] - want) <= np.abs(times[right] - want), left, right)
    off = np.abs(times[at] - want)
    ok = (off <= tolerance_s) & (np.abs(times[at] - time_s[:, None]) > 1e-6)
    return np.where(ok, at, -1)


def _taken(value: np.ndarray, at: np.ndarray) -> np.ndarray:
    """`value[at]` (T, C, ...) float32, zeros where `at` (T, C) is below 0."""
    known = (at >= 0).reshape(*at.shape, *([1] * (value.ndim - 1)))
    return np.where(known, value[at], 0.0).astype(np.float32)


def _landmarks(track: Track, which: np.ndarray, around: np.ndarray) -> np.ndarray:
    """(T, 1 + C, 33, 7) as in `Crops`, but px: of sightings `which` (T,) and `around` (T, C)."""
    return _taken(track.landmarks.numbers, np.concatenate([which[:, None], around], axis=1))

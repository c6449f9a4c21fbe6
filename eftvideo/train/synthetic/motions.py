"""Windows of motion from a pose library in SMPL rotations (CMU mocap, 30 fps)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eftvideo.errors import ConfigError
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.geometry.skeletons import SMPL24, mirror_index

KEYS = ("body_pose", "global_orient", "transl", "clip", "clip_names", "distinct")


@dataclass(frozen=True)
class Motion:
    """N windows of T frames in a y-up world."""

    rotations: Tensor
    """(N, T, 24, 3, 3) local rotations; joint 0 turns the body frame into the world."""
    pelvis: Tensor
    """(N, T, 3) pelvis position in metres."""


class MotionLibrary:
    """Poses of one part of the library: whole trials are either trained on or held out.

    Raises:
        ConfigError: the file is missing or lacks a key.
    """

    fps = 30

    def __init__(self, path: Path, *, held_out: bool, held_out_percent: int = 5) -> None:
        if not Path(path).is_file():
            raise ConfigError(f"pose library not found: {path}; pass the npz with --poses")
        with np.load(path) as data:
            missing = [k for k in KEYS if k not in data]
            if missing:
                raise ConfigError(f"{path} is no pose library: it lacks {', '.join(missing)}")
            names = [str(n) for n in data["clip_names"]]
            trial_is_out = np.array([is_held_out(n, held_out_percent) for n in names])
            clip = data["clip"]
            rows = np.flatnonzero(trial_is_out[clip] == held_out)
            pose = np.concatenate([data["global_orient"][:, None], data["body_pose"]], axis=1)
            self._axis_angle = torch.from_numpy(pose[rows].astype(np.float32))
            self._pelvis = torch.from_numpy(data["transl"][rows].astype(np.float32))
            clip = clip[rows]
            distinct = data["distinct"][rows]
        starts = np.flatnonzero(np.r_[True, clip[1:] != clip[:-1]])
        lengths = np.diff(np.r_[starts, len(clip)])
        self._first = torch.from_numpy(np.repeat(starts, lengths))
        self._last = torch.from_numpy(np.repeat(starts + lengths - 1, lengths))
        self._distinct = torch.from_numpy(np.flatnonzero(distinct))
        self.clips = list(zip(starts.tolist(), lengths.tolist(), strict=True))
        self.clip_names = [names[i] for i in clip[starts]]

    def __len__(self) -> int:
        return len(self._axis_angle)

    def distinct_poses(self) -> Tensor:
        """(P, 23, 3) axis-angle body poses of the frames without near duplicates."""
        return self._axis_angle[self._distinct, 1:]

    def sample(
        self, num: int, offsets: Tensor, generator: torch.Generator
    ) -> tuple[Motion, Tensor]:
        """Random windows around distinct frames, half of them mirrored.

        Args:
            num: N windows.
            offsets: (N, T) frames from the centre, fractions rounded.
            generator: source of chance.

        Returns:
            The windows and an (N, T) mask of frames inside the clip (others repeat its end).
        """
        pick = torch.randint(len(self._distinct), (num,), generator=generator)
        center = self._distinct[pick]
        rows = center[:, None] + offsets.round().long()
        first, last = self._first[center][:, None], self._last[center][:, None]
        inside = (rows >= first) & (rows <= last)
        motion = self._motion(torch.minimum(torch.maximum(rows, first), last))
        flip = torch.rand(num, generator=generator) < 0.5
        return mirror(motion, flip), inside

    def sequence(self, clip_index: int, start: int, num: int) -> Motion:
        """Frames start..start+num of one clip as a batch of one (fewer where the clip ends)."""
        first, length = self.clips[clip_index]
        rows = torch.arange(first + start, first + min(start + num, length))
        return self._motion(rows[None])

    def _motion(self, rows: Tensor) -> Motion:
        return Motion(axis_angle_to_matrix(self._axis_angle[rows]), self._pelvis[rows].clone())


def is_held_out(clip_name: str, percent: int) -> bool:
    """Whether a clip belongs to the held-out part; pieces of one trial (`name#k`) go together."""
    trial = clip_name.split("#")[0]
    return zlib.crc32(trial.encode()) % 100 < percent


def mirror(motion: Motion, flip: Tensor) -> Motion:
    """Reflect the windows where `flip` (N,) is set: left and right change places."""
    index = mirror_index(SMPL24)
    reflect = torch.tensor([-1.0, 1.0, 1.0])
    rotations = reflect[:, None] * motion.rotations[:, :, index] * reflect
    pelvis = motion.pelvis * reflect
    f = flip[:, None, None]
    return Motion(
        torch.where(f[..., None, None], rotations, motion.rotations),
        torch.where(f, pelvis, motion.pelvis),
    )

"""A result as movements of people: one skeleton each, in the axes and at the times of a file.

Three things are settled here for all formats: the axes (`turn_to`), one shape for a person where
the file can hold only one, and regular times where the file has a frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import torch

from eftvideo.bodies import BodyModel
from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.geometry.skeletons import SMPL24_PARENTS
from eftvideo.results.result import Result
from eftvideo.types import SmplParams

Up = Literal["y", "z"]

_TURNS: dict[str | None, np.ndarray] = {
    None: np.eye(3),
    "y": np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}
_PARENTS = list(SMPL24_PARENTS[1:])
_NEAR = 0.1
"""Frame periods this close to the median, relative to it, count for a clip's usual rate."""

_IN_STEP = 0.5
"""Frames whose times, as angles on a circle of one step, have a mean shorter than this are not in
step with a rate."""


@dataclass(frozen=True)
class Motion:
    """One person: F samples of 24 rotations and a place, on a skeleton. float64."""

    track_id: int
    times_s: np.ndarray
    """(F,) seconds since the start of the range that was run, ascending."""
    seen: np.ndarray
    """(F,) bool: False where the sample lies in a gap of the track and is interpolated."""
    rotations: np.ndarray
    """(F, 24, 3, 3): joint 0 turns the body into the file's axes, the others are relative to their
    parents."""
    pelvis_m: np.ndarray
    """(F, 3) the pelvis joint in the file's axes."""
    offsets_m: np.ndarray
    """(F, 24, 3) each joint from its parent in the rest pose, for the shape of that very sample;
    zeros for the pelvis."""
    betas: np.ndarray
    """(10,) the one shape: the median over the rows."""
    rest_joints_m: np.ndarray
    """(24, 3) joints of that shape in the rest pose, body frame."""
    rows: Result
    """The rows that it was made from, in the camera frame."""

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def rest_offsets_m(self) -> np.ndarray:
        """(24, 3) each joint from its parent in the rest pose, for the one shape."""
        offsets = np.zeros((24, 3))
        offsets[1:] = self.rest_joints_m[1:] - self.rest_joints_m[_PARENTS]
        return offsets

    @property
    def shape_error_m(self) -> np.ndarray:
        """(F,) how far the one shape puts the worst joint away from where the fit has it."""
        return np.linalg.norm(self.joints(self.rest_offsets_m) - self.joints(), axis=-1).max(-1)

    def joints(self, offsets_m: np.ndarray | None = None) -> np.ndarray:
        """(F, 24, 3) joints in the file's axes, metres.

        Args:
            offsets_m: (24, 3) or (F, 24, 3) of another skeleton; None for each sample's own shape.
        """
        offsets = np.broadcast_to(
            self.offsets_m if offsets_m is None else offsets_m, self.offsets_m.shape
        )
        turned, joints = [self.rotations[:, 0]], [self.pelvis_m]
        for joint, parent in enumerate(_PARENTS, start=1):
            step = np.einsum("fij,fj->fi", turned[parent], offsets[:, joint])
            joints.append(joints[parent] + step)
            turned.append(turned[parent] @ self.rotations[:, joint])
        return np.stack(joints, axis=1)


def motions(result: Result, body: BodyModel, up: Up | None, fps: float | None) -> list[Motion]:
    """The movements of all people.

    Args:
        result: of a run.
        body: the one that the result was made with.
        up: the axis that points up in the file; None leaves the camera's frame.
        fps: resample to this rate, on a grid that all people share; None keeps the frames' times.
    """
    start_s = float((result.config.get("clip") or {}).get("start_s") or 0.0)
    made = [_motion(rows, body, up, start_s) for rows in result.tracks().values()]
    if fps is None:
        return made
    phase_s = grid_phase_s(np.unique(result.time_s) - start_s, fps)
    frame_step = int(np.diff(np.unique(result.frame)).min(initial=result.num_frames))
    return [resample(motion, fps, phase_s, frame_step) for motion in made]


def _motion(rows: Result, body: BodyModel, up: Up | None, start_s: float) -> Motion:
    turn = _TURNS[up]
    vectors = np.concatenate([rows.global_orient, rows.body_pose], axis=1).reshape(-1, 24, 3)
    rotations = axis_angle_to_matrix(torch.from_numpy(vectors.astype(np.float64))).numpy()
    rotations[:, 0] = turn @ rotations[:, 0]
    betas = np.median(rows.betas, axis=0)
    rest = rest_joints(body, np.concatenate([rows.betas, betas[None].astype(np.float32)]))
    offsets = np.zeros((len(rows), 24, 3))
    offsets[:, 1:] = (rest[:, 1:] - rest[:, _PARENTS])[:-1]
    return Motion(
        track_id=int(rows.track_id[0]),
        times_s=rows.time_s - start_s,
        seen=np.ones(len(rows), bool),
        rotations=rotations,
        pelvis_m=(rest[:-1, 0] + rows.transl) @ turn.T,
        offsets_m=offsets,
        betas=betas.astype(np.float64),
        rest_joints_m=rest[-1],
        rows=rows,
    )


def turn_to(up: Up | None) -> np.ndarray:
    """(3, 3) rotation of the camera frame (x right, y down, z forward) into a file's axes.

    "y": x right, y up, z towards the viewer. "z": x right, y away from the viewer, z up.
    """
    return _TURNS[up]


@torch.no_grad()
def rest_joints(body: BodyModel, betas: np.ndarray) -> np.ndarray:
    """(N, 10) to (N, 24, 3) joints of the rest pose, metres, body frame, float64."""
    eye = torch.eye(3).expand(len(betas), 24, 3, 3)
    params = SmplParams(eye[:, 0], eye[:, 1:], torch.from_numpy(betas.astype(np.float32)))
    return body.joints_and_keypoints(params)[0].double().numpy()


def usual_fps(result: Result) -> float:
    """Frames that were run per second of the clip, by their times; 0 rows or 1 frame: the header's.

    The median period, refined by averaging the periods near it: rounded times (in milliseconds, as
    Matroska has them) average out, and a few long frames do not count.
    """
    frame, first = np.unique(result.frame, return_index=True)
    if len(frame) < 2:
        return float(result.fps)
    num = np.diff(frame)
    period = np.diff(result.time_s[first]) / num
    usual = np.median(period)
    near = np.abs(period - usual) <= _NEAR * usual
    period_s = np.average(period[near], weights=num[near])
    rate = 1.0 / (period_s * float(num.min()))
    close = Fraction(rate).limit_denominator(1001)
    return float(close) if abs(close - rate) < 1e-4 * rate else float(rate)


def grid_phase_s(times_s: np.ndarray, fps: float) -> float:
    """Offset of the times k / fps that makes most of them fall on frames, within half a step of 0.

    One long frame at the start of a clip would put all samples between two frames otherwise.
    """
    turns = np.exp(2j * np.pi * times_s * fps)
    mean = turns.mean()
    if abs(mean) < _IN_STEP:
        return 0.0
    about = np.angle(mean)
    angle = float(about + np.median(np.angle(turns * np.exp(-1j * about))))
    return round(angle / (2.0 * np.pi * fps), 9)


def resample(motion: Motion, fps: float, phase_s: float = 0.0, frame_step: int = 1) -> Motion:
    """The movement at the times phase_s + k / fps that lie within it: at least one.

    Rotations are interpolated on SO(3) along the shortest arc, places on straight lines.

    Args:
        motion: F samples. fps: samples per second of the new one.
        phase_s: see `grid_phase_s`.
        frame_step: from one frame of the run to the next; more between two rows is a gap.
    """
    t = motion.times_s
    first, last = np.ceil((t[0] - phase_s) * fps - 1e-3), np.floor((t[-1] - phase_s) * fps + 1e-3)
    at = phase_s + np.arange(first, max(last, first) + 1) / fps
    right = np.clip(np.searchsorted(t, at), 1, max(len(t) - 1, 1))
    left, right = np.minimum(right, len(t)) - 1, np.minimum(right, len(t) - 1)
    span = t[right] - t[left]
    share = np.clip((at - t[left]) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    frame = motion.rows.frame
    near = np.minimum(at - t[left], t[right] - at)
    return Motion(
        track_id=motion.track_id,
        times_s=at,
        seen=(frame[right] - frame[left] <= frame_step) | (near <= 0.5 / fps),
        rotations=_slerp(motion.rotations[left], motion.rotations[right], share),
        pelvis_m=_lerp(motion.pelvis_m[left], motion.pelvis_m[right], share),
        offsets_m=_lerp(motion.offsets_m[left], motion.offsets_m[right], share),
        betas=motion.betas,
        rest_joints_m=motion.rest_joints_m,
        rows=motion.rows,
    )


def _lerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    return a + share.reshape(-1, *[1] * (a.ndim - 1)) * (b - a)


def _slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(F, 24, 3, 3) twice and (F,) in 0..1: a turned towards b by that share of the way."""
    way = matrix_to_axis_angle(torch.from_numpy(np.swapaxes(a, -1, -2) @ b))
    step = way * torch.from_numpy(share)[:, None, None]
    return a @ axis_angle_to_matrix(step).numpy()

"""The data that flows between the stages; shapes are checked once, when a value is made.

Frames: the camera frame is OpenCV's (x right, y down, z forward), in metres. The body frame is
SMPL's (x to the person's left, y up, z forward). N people, J joints, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def _expect(name: str, value: object, shape: tuple[int | None, ...]) -> None:
    got = tuple(value.shape)  # type: ignore[attr-defined]
    if len(got) != len(shape) or any(w is not None and w != g for w, g in zip(shape, got)):  # noqa: B905
        want = "(" + ", ".join("N" if s is None else str(s) for s in shape) + ")"
        raise ValueError(f"{name} must have shape {want}, but got {got}")


def _cat(tensors: Sequence[Tensor]) -> Tensor:
    """`torch.cat`, which is imported only where there are tensors."""
    import torch

    return torch.cat(list(tensors))


def _where(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return a.where(mask.view(-1, *([1] * (a.dim() - 1))), b)


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a clip before its frames are read.

    width_px and height_px are those of the upright picture (rotation metadata applied).
    """

    path: Path
    width_px: int
    height_px: int
    fps: Fraction
    num_frames: int
    """Frames in the file (not only in the chosen time range)."""
    duration_s: float
    rotation_deg: int
    """Clockwise turn that the file asks for: 0, 90, 180 or 270. Already applied to frames."""
    has_audio: bool


@dataclass(frozen=True)
class VideoFrame:
    """One picture: its index in the file, its presentation time and its upright RGB pixels."""

    index: int
    time_s: float
    image: np.ndarray
    """(height_px, width_px, 3) uint8, RGB."""


@dataclass(frozen=True)
class Detections:
    """The people that a detector saw in one frame. N may be 0."""

    xyxy: np.ndarray
    """(N, 4) float32 box corners, px of the full frame."""
    confidence: np.ndarray
    """(N,) float32 box score in 0..1."""
    keypoints: np.ndarray
    """(N, 17, 3) float32: x px, y px, score in 0..1, in COCO order."""
    track_id: np.ndarray
    """(N,) int64; -1 where no track is assigned."""

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        _expect("xyxy", self.xyxy, (None, 4))
        _expect("confidence", self.confidence, (n,))
        _expect("keypoints", self.keypoints, (n, 17, 3))
        _expect("track_id", self.track_id, (n,))

    def __len__(self) -> int:
        return len(self.xyxy)

    def select(self, index: np.ndarray) -> Detections:
        """The people at `index` (a boolean mask or integer indices)."""
        return Detections(
            self.xyxy[index], self.confidence[index], self.keypoints[index], self.track_id[index]
        )

    @classmethod
    def empty(cls) -> Detections:
        """Nobody."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 17, 3), np.float32),
            np.zeros(0, np.int64),
        )


@dataclass(frozen=True)
class FrameDetections:
    """The people of one frame, with the frame's place in the clip and in its shots."""

    frame_index: int
    time_s: float
    people: Detections
    is_cut: bool
    """True where a new shot begins with this frame; nothing may be carried over from before."""


@dataclass(frozen=True)
class Crops:
    """Square crops of N people of one frame, as a regressor wants them. Torch tensors.

    A point p (px of the full frame) has crop coordinates (p - center_px) / (size_px / 2).
    """

    keypoints: Tensor
    """(N, 17, 3): x, y in crop coordinates (-1..1 inside), score in 0..1."""
    center_px: Tensor
    """(N, 2) centre of the crop in the full frame."""
    size_px: Tensor
    """(N,) side of the crop in the full frame."""
    focal_length_px: Tensor
    """(N,) focal length of the full frame."""
    image_size_px: Tensor
    """(N, 2) width and height of the full frame; the principal point is its middle."""
    context: Tensor | None = None
    """(N, C, 17, 3): the same person's keypoints at other times (the regressor says which), in the
    coordinates of this crop; score 0 where the person was not seen."""
    image: Tensor | None = None
    """(N, 3, S, S) uint8 RGB: the crop at the size of a regressor that needs pixels."""
    betas: Tensor | None = None
    """(N, 10) the person's shape, where it is known and held; None: found with the pose."""

    def __post_init__(self) -> None:
        n = len(self.keypoints)
        _expect("keypoints", self.keypoints, (None, 17, 3))
        _expect("center_px", self.center_px, (n, 2))
        _expect("size_px", self.size_px, (n,))
        _expect("focal_length_px", self.focal_length_px, (n,))
        _expect("image_size_px", self.image_size_px, (n, 2))

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def view(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """center_px, size_px, image_size_px, focal_length_px: what camera.py's conversions take."""
        return self.center_px, self.size_px, self.image_size_px, self.focal_length_px

    def select(self, index: Tensor) -> Crops:
        """The people at `index` (a boolean mask or integer indices)."""
        return Crops(
            self.keypoints[index],
            self.center_px[index],
            self.size_px[index],
            self.focal_length_px[index],
            self.image_size_px[index],
            None if self.context is None else self.context[index],
            None if self.image is None else self.image[index],
            None if self.betas is None else self.betas[index],
        )

    @classmethod
    def cat(cls, parts: Sequence[Crops]) -> Crops:
        """The people of several crops, one after the other; all have context, pixels, betas,
        or none."""
        values = {
            f.name: [getattr(p, f.name) for p in parts if getattr(p, f.name) is not None]
            for f in fields(cls)
        }
        joined: dict[str, Any] = {name: _cat(v) if v else None for name, v in values.items()}
        return cls(**joined)


@dataclass(frozen=True)
class SmplParams:
    """Pose and shape with rotations as matrices (axis-angle is for files only)."""

    global_orient: Tensor
    """(N, 3, 3) rotation of the body frame into the camera frame."""
    body_pose: Tensor
    """(N, 23, 3, 3) rotations of SMPL joints 1..23 relative to their parents."""
    betas: Tensor
    """(N, 10) shape coefficients, unit variance over adults."""

    def __post_init__(self) -> None:
        n = len(self.global_orient)
        _expect("global_orient", self.global_orient, (None, 3, 3))
        _expect("body_pose", self.body_pose, (n, 23, 3, 3))
        _expect("betas", self.betas, (n, 10))

    def __len__(self) -> int:
        return len(self.global_orient)

    def select(self, index: Tensor) -> SmplParams:
        """The people at `index` (a boolean mask or integer indices)."""
        return SmplParams(self.global_orient[index], self.body_pose[index], self.betas[index])

    def where(self, mask: Tensor, other: SmplParams) -> SmplParams:
        """These people where `mask` (N,) is set, `other`'s elsewhere."""
        return SmplParams(
            _where(mask, self.global_orient, other.global_orient),
            _where(mask, self.body_pose, other.body_pose),
            _where(mask, self.betas, other.betas),
        )


@dataclass(frozen=True)
class Prediction:
    """A regressor's answer for N crops."""

    params: SmplParams
    pred_cam: Tensor
    """(N, 3) weak-perspective camera (s, tx, ty) of the crop; see camera.py for its meaning."""

    def __post_init__(self) -> None:
        _expect("pred_cam", self.pred_cam, (len(self.params), 3))

    def __len__(self) -> int:
        return len(self.pred_cam)

    def select(self, index: Tensor) -> Prediction:
        """The people at `index` (a boolean mask or integer indices)."""
        return Prediction(self.params.select(index), self.pred_cam[index])

    def where(self, mask: Tensor, other: Prediction) -> Prediction:
        """These people where `mask` (N,) is set, `other`'s elsewhere."""
        return Prediction(
            self.params.where(mask, other.params), _where(mask, self.pred_cam, other.pred_cam)
        )


FITTED, REJECTED, FILLED = 0, 1, 2
"""Values of `FitResult.status` and of a result's `status`; FILLED rows bridge a gap."""


@dataclass(frozen=True)
class FitResult:
    """The kept fit of N people of one frame."""

    prediction: Prediction
    """Of the tuned weights; of the base weights where rejected."""
    loss_px_start: Tensor
    """(N,) 2D error of the regressor's own answer, rms px of a 224 px crop."""
    loss_px: Tensor
    """(N,) 2D error of the kept answer."""
    num_steps: Tensor
    """(N,) int64 optimiser steps taken."""
    status: Tensor
    """(N,) int64: FITTED or REJECTED."""

    def __len__(self) -> int:
        return len(self.status)

    def select(self, index: Tensor) -> FitResult:
        """The people at `index` (a boolean mask or integer indices)."""
        return FitResult(
            self.prediction.select(index),
            self.loss_px_start[index],
            self.loss_px[index],
            self.num_steps[index],
            self.status[index],
        )

    @classmethod
    def cat(cls, parts: Sequence[FitResult]) -> FitResult:
        """The people of several results, one after the other."""
        if len(parts) == 1:
            return parts[0]
        answers = [p.prediction for p in parts]
        params = [a.params for a in answers]
        joined = SmplParams(
            _cat([p.global_orient for p in params]),
            _cat([p.body_pose for p in params]),
            _cat([p.betas for p in params]),
        )
        return cls(
            Prediction(joined, _cat([a.pred_cam for a in answers])),
            _cat([p.loss_px_start for p in parts]),
            _cat([p.loss_px for p in parts]),
            _cat([p.num_steps for p in parts]),
            _cat([p.status for p in parts]),
        )

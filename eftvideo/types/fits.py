"""Crops of people, bodies and fits as torch tensors; shapes are checked when a value is made.

Frames: the camera frame is OpenCV's (x right, y down, z forward), in metres. The body frame is
SMPL's (x to the person's left, y up, z forward). N people, J joints, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from eftvideo.types.shapes import expect_shape

if TYPE_CHECKING:
    from torch import Tensor


def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """`torch.cat`, which is imported only where there are tensors."""
    import torch

    return torch.cat(list(tensors), dim=dim)


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.stack(list(tensors), dim=-1)


def _where(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return a.where(mask.view(-1, *([1] * (a.dim() - 1))), b)


@dataclass(frozen=True)
class Crops:
    """Square crops of N sightings, as a regressor wants them. Torch tensors.

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
    landmarks: Tensor | None = None
    """(N, 1 + C, 33, 7) of the frame itself, then of the other times: x, y in crop coordinates,
    visibility, presence, and x, y, z metres from mid-hip in the picture's axes (`Landmarks`); zeros
    where nobody looked."""
    trust: Tensor | None = None
    """(N, P) how far each point of `evidence` is to be believed, 0..1; None: as its score says."""

    def __post_init__(self) -> None:
        n = len(self.keypoints)
        expect_shape("keypoints", self.keypoints, (None, 17, 3))
        expect_shape("center_px", self.center_px, (n, 2))
        expect_shape("size_px", self.size_px, (n,))
        expect_shape("focal_length_px", self.focal_length_px, (n,))
        expect_shape("image_size_px", self.image_size_px, (n, 2))

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def evidence(self) -> Tensor:
        """(N, P, 3): what a body's points should lie on, x, y in crop coordinates, trust in 0..1.

        P is 17, the keypoints, or 50: then the landmarks follow. Without `trust` it is the score,
        of landmarks visibility times presence.
        """
        points = self.keypoints
        if self.landmarks is not None:
            x, y, visible, present = self.landmarks[:, 0, :, :4].unbind(-1)
            points = _cat([points, _stack([x, y, visible * present])], dim=1)
        if self.trust is None:
            return points
        return _cat([points[..., :2], self.trust[..., None]], dim=2)

    @property
    def view(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """center_px, size_px, image_size_px, focal_length_px: for geometry/camera.py."""
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
            None if self.landmarks is None else self.landmarks[index],
            None if self.trust is None else self.trust[index],
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
        expect_shape("global_orient", self.global_orient, (None, 3, 3))
        expect_shape("body_pose", self.body_pose, (n, 23, 3, 3))
        expect_shape("betas", self.betas, (n, 10))

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
    """(N, 3) weak-perspective camera (s, tx, ty) of the crop; see geometry/camera.py."""

    def __post_init__(self) -> None:
        expect_shape("pred_cam", self.pred_cam, (len(self.params), 3))

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
    """The kept fits of N sightings."""

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

    def copy(self) -> FitResult:
        """The same values in memory of its own, but for `loss_px_start`."""
        params = self.prediction.params
        return FitResult(
            Prediction(
                SmplParams(
                    params.global_orient.clone(), params.body_pose.clone(), params.betas.clone()
                ),
                self.prediction.pred_cam.clone(),
            ),
            self.loss_px_start,
            self.loss_px.clone(),
            self.num_steps.clone(),
            self.status.clone(),
        )

    def put(self, rows: Tensor, some: FitResult) -> None:
        """Write `some` (n people) to the rows (n,), but for `loss_px_start`."""
        mine, theirs = self.prediction.params, some.prediction.params
        mine.global_orient[rows] = theirs.global_orient
        mine.body_pose[rows] = theirs.body_pose
        mine.betas[rows] = theirs.betas
        self.prediction.pred_cam[rows] = some.prediction.pred_cam
        self.loss_px[rows] = some.loss_px
        self.num_steps[rows] = some.num_steps
        self.status[rows] = some.status

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

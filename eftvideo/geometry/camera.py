"""Cameras: the crop's weak-perspective camera and the full frame's perspective one.

The only file that knows the conversion. A regressor sees a square crop and answers with
`pred_cam` = (s, tx, ty); the program works in the camera frame of the full picture (x right,
y down, z forward, metres) with `transl`, smplx's translation of the whole body.

The relation is the one of SPIN (Kolotouros et al. 2019, perspective camera of the crop) carried
to the full frame as CLIFF does (Li et al. 2022, section 3.2):

    z = 2 f / (s * size),   x = tx + 2 (cx - W/2) / (s * size),   y likewise

with the crop's centre (cx, cy) and side `size`, focal length f, all in px. Hence s is the crop
widths per two metres at the body's origin: a body of height h spans s * h / 2 crop sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MIN_DEPTH_M = 0.1
"""Points nearer than this are projected as if they were at this depth, so nothing divides by 0."""


@dataclass(frozen=True)
class Camera:
    """The full frame's camera: principal point in the middle, square pixels."""

    focal_length_px: float
    width_px: int
    height_px: int

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.width_px, self.height_px


def default_focal_length_px(width_px: int, height_px: int) -> float:
    """Focal length assumed when nothing is known: sqrt(W^2 + H^2), about 53 degrees across.

    Source: CLIFF (Li et al. 2022), used by WHAM and GVHMR too.
    """
    return math.hypot(width_px, height_px)


def fov_to_focal_length_px(fov_deg: float, width_px: int) -> float:
    """Focal length in px of a camera with the horizontal field of view `fov_deg`.

    Raises:
        ValueError: the angle is not between 0 and 180 degrees.
    """
    if not 0.0 < fov_deg < 180.0:
        raise ValueError(f"fov_deg must be between 0 and 180 degrees, but got {fov_deg}")
    return width_px / (2.0 * math.tan(math.radians(fov_deg) / 2.0))


def pred_cam_to_transl(
    pred_cam: Tensor,
    center_px: Tensor,
    size_px: Tensor,
    image_size_px: Tensor,
    focal_length_px: Tensor,
) -> Tensor:
    """Crop camera to full-frame translation.

    Args:
        pred_cam: (N, 3) s, tx, ty.
        center_px: (N, 2) crop centre. size_px: (N,) crop side.
        image_size_px: (N, 2) width, height. focal_length_px: (N,).

    Returns:
        (N, 3) `transl` in metres, camera frame.
    """
    scale_px = pred_cam[:, 0] * size_px
    offset_m = 2.0 * (center_px - image_size_px / 2.0) / scale_px[:, None]
    depth_m = 2.0 * focal_length_px / scale_px
    return torch.cat([pred_cam[:, 1:] + offset_m, depth_m[:, None]], dim=1)


def transl_to_pred_cam(
    transl: Tensor,
    center_px: Tensor,
    size_px: Tensor,
    image_size_px: Tensor,
    focal_length_px: Tensor,
) -> Tensor:
    """The inverse of `pred_cam_to_transl`: (N, 3) metres to (N, 3) s, tx, ty."""
    scale = 2.0 * focal_length_px / (size_px * transl[:, 2])
    offset_m = 2.0 * (center_px - image_size_px / 2.0) / (scale * size_px)[:, None]
    return torch.cat([scale[:, None], transl[:, :2] - offset_m], dim=1)


def project(points_cam: Tensor, focal_length_px: Tensor, image_size_px: Tensor) -> Tensor:
    """Perspective projection with the principal point in the middle of the picture.

    Args:
        points_cam: (N, J, 3) metres, camera frame.
        focal_length_px: (N,). image_size_px: (N, 2).

    Returns:
        (N, J, 2) px of the full frame.
    """
    depth = points_cam[..., 2:].clamp(min=MIN_DEPTH_M)
    return points_cam[..., :2] / depth * focal_length_px[:, None, None] + (
        image_size_px[:, None] / 2.0
    )


def crop_view_rotation(center_px: Tensor, image_size_px: Tensor, focal_length_px: Tensor) -> Tensor:
    """(N, 3, 3) rotation R that turns the ray through each crop's centre onto the optical axis.

    `R @ x_cam` is x in a virtual camera that looks straight at the crop. The turn is the smallest
    one (about an axis in the image plane), so that "up" stays up.
    """
    slope = (center_px - image_size_px / 2.0) / focal_length_px[:, None]
    ray = torch.nn.functional.normalize(torch.nn.functional.pad(slope, (0, 1), value=1.0), dim=1)
    x, y, z = ray.unbind(1)
    k = 1.0 / (1.0 + z)
    rows = [
        torch.stack([1.0 - k * x * x, -k * x * y, -x], dim=1),
        torch.stack([-k * x * y, 1.0 - k * y * y, -y], dim=1),
        torch.stack([x, y, z], dim=1),
    ]
    return torch.stack(rows, dim=1)

"""A regressor that speaks of one body's shapes, made to speak of another's.

Pose means the same on every body in SMPL's layout, betas do not: the first one of the free body is
not that of SMPL. Their rest joints and keypoints are both (nearly) linear in the betas, so the
betas of one that come closest to the other's are a linear map, found once by ridge regression.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from eftvideo.bodies import BodyModel
from eftvideo.geometry import camera
from eftvideo.regressors._protocol import Regressor, RegressorModule
from eftvideo.types import Crops, Prediction, SmplParams

POINT_STD_M = 0.005
"""How closely rest joints should agree, against betas of unit spread; metres."""


def rest_points(body: BodyModel, betas: Tensor) -> Tensor:
    """(N, 10) betas to (N, 41, 3): joints and COCO keypoints in the T-pose, from the pelvis."""
    num = len(betas)
    eye = torch.eye(3, device=betas.device)
    params = SmplParams(eye.expand(num, 3, 3), eye.expand(num, 23, 3, 3), betas)
    joints, keypoints = body.joints_and_keypoints(params)
    return torch.cat([joints, keypoints], dim=1) - joints[:, :1]


def betas_map(source: BodyModel, target: BodyModel, device: str) -> tuple[Tensor, Tensor]:
    """The affine map of betas from one body to another.

    Returns:
        (10, 10) matrix A and (10,) offset b: `betas @ A.T + b` shapes `target` most like `source`.
    """
    probes = torch.cat([torch.zeros(1, 10), torch.eye(10)]).to(device)
    have, want = (rest_points(body, probes).flatten(1).double() for body in (target, source))
    basis = (have[1:] - have[0]).T
    shapes = torch.cat([(want[0] - have[0])[None], want[1:] - want[0]]).T
    ridge = basis.T @ basis + POINT_STD_M**2 * torch.eye(10, device=device, dtype=basis.dtype)
    solved = torch.linalg.solve(ridge, basis.T @ shapes).float()
    return solved[:, 1:], solved[:, 0]


class Retargeted(RegressorModule):
    """`inner` with its betas, and the place of the pelvis, carried over to another body."""

    needs: Literal["keypoints", "image"]
    betas_of: Literal["neutral", "smpl"]
    matrix: Tensor
    offset: Tensor

    def __init__(self, inner: Regressor, source: BodyModel, target: BodyModel, device: str) -> None:
        super().__init__()
        assert isinstance(inner, nn.Module)
        self.inner = inner
        self.needs, self.spec, self.crop = inner.needs, inner.spec, inner.crop
        self.rates = inner.rates
        self.betas_of = "neutral" if inner.betas_of == "smpl" else "smpl"
        self.crop_size_px, self.context_offsets_s = inner.crop_size_px, inner.context_offsets_s
        self.image_scale = inner.image_scale
        self._bodies = (source, target)
        matrix, offset = betas_map(source, target, device)
        self.register_buffer("matrix", matrix)
        self.register_buffer("offset", offset)

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """As `inner`."""
        return self.inner.encode(crops, tune)

    def forward(self, encoded: Tensor) -> Tensor:
        """As `inner`."""
        return self.inner.forward(encoded)

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """As `inner`."""
        plain = {name.removeprefix("inner."): value for name, value in own.items()}
        return self.inner.forward_each(plain, encoded)

    def tunable(self, which: str) -> list[str]:
        """As `inner`."""
        return [f"inner.{name}" for name in self.inner.tunable(which)]

    def track_betas(self, mean: Tensor) -> Tensor:
        """As `inner` judges, in the other body's betas."""
        source = torch.linalg.solve(self.matrix, (mean - self.offset).mT).mT
        return self.inner.track_betas(source) @ self.matrix.T + self.offset

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """`inner`'s answer for the other body: same pose, same pelvis, its own betas."""
        answer = self.inner.decode(raw, crops)
        source, target = self._bodies
        betas = answer.params.betas @ self.matrix.T + self.offset
        transl = camera.pred_cam_to_transl(answer.pred_cam, *crops.view)
        transl = transl + source.rest_pelvis(answer.params.betas) - target.rest_pelvis(betas)
        params = SmplParams(answer.params.global_orient, answer.params.body_pose, betas)
        return Prediction(params, camera.transl_to_pred_cam(transl, *crops.view))

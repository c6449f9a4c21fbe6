"""A regressor whose betas mean nothing on the body at hand: its pose, and a shape found apart."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from eftvideo.regressors._protocol import Regressor, RegressorModule
from eftvideo.types import Crops, Prediction, SmplParams

BETA_STEP = 0.03
"""What one step of Adam may change a beta by."""
NUM_BETAS = 10


class PoseOnly(RegressorModule):
    """`inner`'s pose and camera on the free body.

    Shapes that are held over a track are those that `shape_source` reads from the keypoints.
    Else the shape begins at the mean and is tuned with the weights, one for each person and frame.
    """

    needs: Literal["keypoints", "image"]
    betas_of: Literal["neutral", "smpl"] = "neutral"

    def __init__(self, inner: Regressor, shape_source: Regressor) -> None:
        super().__init__()
        assert isinstance(inner, nn.Module)
        self.inner = inner
        self.needs, self.spec, self.crop = inner.needs, inner.spec, inner.crop
        self.crop_size_px, self.context_offsets_s = inner.crop_size_px, inner.context_offsets_s
        self.image_scale = inner.image_scale
        self.rates = inner.rates
        self._gain = BETA_STEP / next(iter(inner.rates.values()))
        self._source = (shape_source,)  # in a tuple: its weights are none of this network's
        self.shape = nn.Parameter(torch.zeros(NUM_BETAS), requires_grad=False)

    @property
    def shape_source(self) -> Regressor:
        """The regressor to be asked for the shape of a track."""
        return self._source[0]

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """As `inner`."""
        return self.inner.encode(crops, tune)

    def forward(self, encoded: Tensor) -> Tensor:
        """`inner`'s answer, then the shape."""
        raw = self.inner.forward(encoded)
        return torch.cat([raw, self.shape.expand(len(raw), -1)], dim=1)

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` where each row has some parameters of its own: names to (N, *shape)."""
        plain = {n.removeprefix("inner."): v for n, v in own.items() if n != "shape"}
        raw = self.inner.forward_each(plain, encoded)
        shape = own.get("shape", self.shape.expand(len(raw), -1))
        return torch.cat([raw, shape], dim=1)

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """`inner`'s pose and camera, with the shape of its own."""
        answer = self.inner.decode(raw[:, :-NUM_BETAS], crops)
        params, betas = answer.params, self._gain * raw[:, -NUM_BETAS:]
        return Prediction(
            SmplParams(params.global_orient, params.body_pose, betas), answer.pred_cam
        )

    def track_betas(self, mean: Tensor) -> Tensor:
        """The mean of a track."""
        return mean

    def tunable(self, which: str) -> list[str]:
        """As `inner`, and the shape."""
        return [*(f"inner.{name}" for name in self.inner.tunable(which)), "shape"]

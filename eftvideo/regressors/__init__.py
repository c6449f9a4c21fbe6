"""Networks from a person's crop to SMPL. One file each, found by name; the seam is `Regressor`."""

from __future__ import annotations

from typing import Literal, Protocol

from torch import Tensor

from eftvideo.types import Crops, Prediction
from eftvideo.weights import WeightSpec


class Regressor(Protocol):
    """What EFT needs of a network, in three steps so that only the tuned one is repeated.

    `decode(forward(encode(crops)), crops)` is the answer. `encode` and `decode` use no weights that
    EFT may tune; `forward` sees one row per person and must not mix rows, so that EFT can run it
    under `torch.func.vmap` with weights of each person's own.
    """

    needs: Literal["keypoints", "image"]
    """What must be in the crops; pixels are only cut out for "image"."""
    crop_size_px: int
    """Side of the image crops; 0 if it needs none."""
    context_offsets_s: tuple[float, ...]
    """Times of the other frames that `Crops.context` holds, relative to the crop's own."""
    spec: WeightSpec
    """Where its weights come from, and their licence."""

    def encode(self, crops: Crops) -> Tensor:
        """(N, ...) input of the network."""
        ...

    def forward(self, encoded: Tensor) -> Tensor:
        """(N, D) raw answer."""
        ...

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """The raw answer as SMPL in the camera frame and a crop camera."""
        ...

    def tunable(self, which: str) -> list[str]:
        """Names of the parameters that `EftConfig.tune` = `which` means.

        Raises:
            ConfigError: unknown `which`; the message lists the choices.
        """
        ...

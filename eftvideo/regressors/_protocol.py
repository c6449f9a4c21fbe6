"""Networks from a person's crop to SMPL. One file each, found by name; the seam is `Regressor`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Protocol

from torch import Tensor, nn
from torch.func import functional_call, vmap

from eftvideo.config import CropConfig
from eftvideo.types import Crops, Prediction
from eftvideo.weights.locate import WeightSpec


class Regressor(Protocol):
    """What EFT needs of a network, in three steps so that only the tuned one is repeated.

    `decode(forward(encode(crops)), crops)` is the answer. `encode(crops, tune)` and `decode` use no
    weights that EFT tunes; `forward` sees one row per person and must not mix rows, so that EFT can
    run it with weights of each person's own (`forward_each`). `RegressorModule` has what most
    networks have in common.
    """

    needs: Literal["keypoints", "image"]
    """What must be in the crops; pixels are only cut out for "image"."""
    crop_size_px: int
    """Side of the image crops; 0 if it needs none."""
    image_scale: float
    """Side of what they show in sides of the crop, about the same middle."""
    context_offsets_s: tuple[float, ...]
    """Times of the other frames that `Crops.context` holds, relative to the crop's own."""
    crop: CropConfig
    """How its crops lie round boxes, as it was trained."""
    spec: WeightSpec
    """Where its weights come from, and their licence."""
    betas_of: Literal["neutral", "smpl"]
    """Whose betas it speaks of: the free body's, or SMPL's."""
    rates: Mapping[str, float]
    """What EFT may tune and Adam's rate for it; the first is the default."""

    @property
    def shape_source(self) -> Regressor:
        """Who is asked for the shape of a track: itself, unless its betas mean nothing here."""
        ...

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """(N, ...) input of `forward`: everything that comes before the weights of `tune`.

        Args:
            crops: N people.
            tune: what EFT will tune; None: nothing, so that all that can may be done here.
        """
        ...

    def forward(self, encoded: Tensor) -> Tensor:
        """(N, D) raw answer."""
        ...

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` where each row has some parameters of its own: names to (N, *shape)."""
        ...

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """The raw answer as SMPL in the camera frame and a crop camera."""
        ...

    def track_betas(self, mean: Tensor) -> Tensor:
        """The shape of N people, of whom `mean` (N, 10) is the mean of the answers over a track."""
        ...

    def tunable(self, which: str) -> list[str]:
        """Names of the parameters that `EftConfig.tune` = `which` means.

        Raises:
            ConfigError: unknown `which`; the message lists the choices.
        """
        ...


class RegressorModule(nn.Module):
    """What a network need not say itself."""

    image_scale: float = 1.0
    """The pixels are those of the crop."""
    published: Mapping[str, WeightSpec] = MappingProxyType({})
    """Weights that others published for it, by name."""
    cameras: tuple[str, ...] = ()
    """What the camera of published weights may mean."""

    @property
    def shape_source(self) -> Regressor:
        """Itself."""
        return self  # type: ignore[return-value]

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` row by row under `torch.func.vmap`; slower than a network's own way."""

        def one(parameters: dict[str, Tensor], row: Tensor) -> Tensor:
            return functional_call(self, parameters, (row[None],)).squeeze(0)

        return vmap(one)(own, encoded)

    def track_betas(self, mean: Tensor) -> Tensor:
        """The mean of a track."""
        return mean

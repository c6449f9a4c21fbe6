"""Bodies: what a body model offers, and how one is found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from eftvideo import plugins
from eftvideo.errors import WeightsNotFoundError
from eftvideo.weights import locate as weights

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from eftvideo.types import SmplParams


class BodyModel(Protocol):
    """A mesh with SMPL's 24 joints; see `bodies/smpl.py` for shapes and frames."""

    name: str
    sha256: str
    licence: str
    faces: np.ndarray
    num_vertices: int
    joint_names: tuple[str, ...]
    keypoint_names: tuple[str, ...]

    @property
    def has_landmarks(self) -> bool:
        """Whether `keypoint_names` has all of EVIDENCE50."""
        ...

    @property
    def skin_weights(self) -> np.ndarray:
        """(V, 24), rows that sum to 1."""
        ...

    @property
    def pose_correctives(self) -> np.ndarray:
        """(207, V, 3) metres, weighted with R - I of joints 1 to 23, row by row."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        ...

    def vertices(self, params: SmplParams, transl: Tensor) -> Tensor:
        """(N, V, 3) metres."""
        ...

    def joints_and_keypoints(
        self, params: SmplParams, which: Literal["coco17", "evidence", "all"] = "coco17"
    ) -> tuple[Tensor, Tensor]:
        """(N, 24, 3) joints and (N, 17, 50 or K, 3) keypoints, metres, without translation.

        "evidence" are EVIDENCE50; it raises ConfigError where `has_landmarks` is False.
        """
        ...

    def rest_pelvis(self, betas: Tensor) -> Tensor:
        """(N, 10) to (N, 3) metres."""
        ...

    def mean_bone(self, betas: Tensor) -> Tensor:
        """(N, 10) to (N,) metres."""
        ...


def load_body(path: str | None = None, device: str | torch.device = "cpu") -> BodyModel:
    """Load a body model.

    Args:
        path: None for the free body that is shipped (a licensed SMPL file is never taken
            unasked); "smpl" for the user's own SMPL file, looked for in the weights folders;
            else the path of a .npz or .pkl file.
        device: where its tensors go.

    Raises:
        WeightsNotFoundError: no such file.
        WeightsCorruptError: the file is not a body model, or not the recorded one.
        UnsafeFileError: a pickle that asks for more than numbers.
    """
    model = plugins.load("bodies", "smpl")
    from eftvideo.bodies.smpl import LICENSED_SMPL, NEUTRAL_BODY

    own = _first(LICENSED_SMPL) if path == "smpl" else path
    file = weights.resolve(NEUTRAL_BODY, explicit=own)
    return model.from_file(file).to(device)


def _first(specs: tuple[weights.WeightSpec, ...]) -> Path:
    for spec in specs:
        if weights.find(spec) is not None:
            return weights.resolve(spec)
    names = ", ".join(spec.file for spec in specs)
    places = ", ".join(str(folder) for folder in weights.search_folders())
    raise WeightsNotFoundError(
        f"no SMPL file found (any of {names}). Looked in: {places}. Get one from {specs[0].url} "
        "(free registration), then run: eftvideo weights import FILE"
    )


def import_smpl(path: str | Path, out_dir: str | Path | None = None) -> Path:
    """Write a safe npz of a licensed SMPL file: see `bodies/_convert.py`."""
    from eftvideo.bodies._convert import import_smpl as convert

    return convert(path, out_dir)

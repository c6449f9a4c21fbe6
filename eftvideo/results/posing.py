"""The bodies of a finished result: its body model, its meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from eftvideo.bodies import BodyModel, load_body
from eftvideo.errors import ConfigError
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.types import SmplParams

if TYPE_CHECKING:
    from eftvideo.results.result import Result

_BATCH_ROWS = 256
"""Rows posed at once: a batch of meshes takes about 100 MB."""


def body_of(result: Result, path: str | None = None) -> BodyModel:
    """The body model that a result was made with.

    Args:
        result: a run's result.
        path: where the file is now; None looks where the run found it.

    Raises:
        ConfigError: the body found there is another one.
        WeightsNotFoundError, WeightsCorruptError, UnsafeFileError: see `load_body`.
    """
    body = load_body(path or result.config.get("body"))
    if body.sha256 not in result.body_model:
        raise ConfigError(
            f"the result was made with {result.body_model[:40]}..., but {body.name} has sha256 "
            f"{body.sha256[:12]}...: give the same file with --body"
        )
    return body


def vertices_of(result: Result, body: BodyModel) -> np.ndarray:
    """(N, V, 3) float32 vertices of all rows, metres, camera frame."""
    out = np.zeros((len(result), body.num_vertices, 3), np.float32)
    for start in range(0, len(result), _BATCH_ROWS):
        rows = slice(start, start + _BATCH_ROWS)
        out[rows] = vertices(result, body, rows)
    return out


@torch.no_grad()
def vertices(result: Result, body: BodyModel, rows: slice | np.ndarray) -> np.ndarray:
    """(n, V, 3) vertices of some rows of a result, metres, camera frame.

    Computed in one thread: with several, the last bits depend on how many there are, and the same
    result would not always be drawn the same, pixel for pixel.
    """
    device, threads = body.device, torch.get_num_threads()

    def tensor(value: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(value)).to(device)

    params = SmplParams(
        axis_angle_to_matrix(tensor(result.global_orient[rows])),
        axis_angle_to_matrix(tensor(result.body_pose[rows]).unflatten(1, (23, 3))),
        tensor(result.betas[rows]),
    )
    torch.set_num_threads(1)
    try:
        return body.vertices(params, tensor(result.transl[rows])).cpu().numpy()
    finally:
        torch.set_num_threads(threads)

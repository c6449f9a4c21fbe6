"""Points of the skin of a result's and a truth's bodies: vertices, and joints regressed from them.

Only where both have a body of the same mesh; the truth's may have one of its own for each row
(3DPW: men and women).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.errors import ConfigError
from eftvideo.evaluate.truth import Truth
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.results.result import Result
from eftvideo.types import SmplParams

H36M17: tuple[str, ...] = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle",
    "spine", "neck", "jaw", "head_top", "left_shoulder", "left_elbow", "left_wrist",
    "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
"""Rows of the usual J_regressor_h36m.npy (SPIN's; licensed with SMPL, not shipped)."""
_CHUNK = 128


@dataclass(frozen=True)
class Bodies:
    """The meshes that the parameters of both sides are for."""

    result: BodyModel | None = None
    truth: Mapping[str, BodyModel] = field(default_factory=dict)
    """By the name in `Truth.body`."""
    regressor: np.ndarray | None = None
    """(17, V) joints of H36M17 from vertices."""


def load_regressor_file(path: str | Path) -> np.ndarray:
    """(17, V) float64 from an npy file.

    Raises:
        ConfigError: no such file, or no such array.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as e:
        raise ConfigError(f"cannot read {path}: expected J_regressor_h36m.npy ({e})") from e
    if array.ndim != 2 or len(array) != len(H36M17):
        raise ConfigError(f"{path} has shape {array.shape}; expected (17, V), one row per joint")
    return array.astype(np.float64)


def with_body(truth: Truth, bodies: Bodies) -> np.ndarray:
    """(N,) bool: rows of the truth whose body is at hand and has the mesh of the result's.

    Meshes are the same if they have the same faces; files differ in the betas they are for.
    """
    ours = bodies.result
    if ours is None:
        return np.zeros(len(truth), bool)
    names = [
        name
        for name, body in bodies.truth.items()
        if body.num_vertices == ours.num_vertices and np.array_equal(body.faces, ours.faces)
    ]
    posed = np.isfinite(truth.global_orient).all(-1) & np.isfinite(truth.body_pose).all(-1)
    shaped = np.isfinite(truth.betas).all(-1) & np.isfinite(truth.transl).all(-1)
    return posed & shaped & np.isin(truth.body, names)


def vertex_errors(result: Result, truth: Truth, bodies: Bodies) -> np.ndarray:
    """Mean distance of vertices after the pelvis joints are put in one place.

    Args:
        result, truth: P rows each, paired; `with_body` must hold for every row.

    Returns:
        (P,) metres.
    """
    out = np.zeros(len(result))
    for rows, pred, true in _chunks(result, truth, bodies):
        pred = pred - torch.from_numpy(result.joints3d[rows, :1])
        pelvis = _pelvis(truth, rows, bodies)
        out[rows] = (pred - (true - pelvis[:, None])).norm(dim=-1).mean(dim=-1).numpy()
    return out


def regressed_joints(result: Result, truth: Truth, bodies: Bodies) -> tuple[np.ndarray, np.ndarray]:
    """(P, 17, 3) joints of H36M17 of both, metres, camera frame; rows as for `vertex_errors`.

    Raises:
        ConfigError: there is no regressor, or it is for another mesh.
    """
    if bodies.result is None or bodies.regressor is None:
        raise ConfigError("h36m14 needs --h36m-regressor FILE and the SMPL bodies of both sides")
    if bodies.regressor.shape[1] != bodies.result.num_vertices:
        raise ConfigError(
            f"the joint regressor is for {bodies.regressor.shape[1]} vertices, but the result's "
            f"body has {bodies.result.num_vertices}: run the clip with --body SMPL_NEUTRAL.pkl"
        )
    matrix = torch.from_numpy(bodies.regressor).float()
    shape = (len(result), len(H36M17), 3)
    ours, theirs = np.zeros(shape), np.zeros(shape)
    for rows, pred, true in _chunks(result, truth, bodies):
        ours[rows], theirs[rows] = (matrix @ pred).numpy(), (matrix @ true).numpy()
    return ours, theirs


def _chunks(result: Result, truth: Truth, bodies: Bodies):  # noqa: ANN202 (an iterator of tensors)
    """(row numbers, vertices of the result, vertices of the truth), some rows at a time."""
    assert bodies.result is not None
    for name in np.unique(truth.body):
        of_body = np.flatnonzero(truth.body == name)
        for start in range(0, len(of_body), _CHUNK):
            rows = of_body[start : start + _CHUNK]
            pred = _vertices(bodies.result, result, rows)
            yield rows, pred, _vertices(bodies.truth[str(name)], truth, rows)


@torch.no_grad()
def _vertices(body: BodyModel, of: Result | Truth, rows: np.ndarray) -> Tensor:
    params, transl = _params(of, rows)
    return body.vertices(params, transl)


@torch.no_grad()
def _pelvis(truth: Truth, rows: np.ndarray, bodies: Bodies) -> Tensor:
    """(P, 3) metres: SMPL turns about its pelvis, so only the shape moves it."""
    params, transl = _params(truth, rows)
    return bodies.truth[str(truth.body[rows[0]])].rest_pelvis(params.betas) + transl


def _params(of: Result | Truth, rows: np.ndarray) -> tuple[SmplParams, Tensor]:
    turns = np.concatenate([of.global_orient, of.body_pose], axis=1)[rows]
    matrices = axis_angle_to_matrix(torch.from_numpy(turns).float().unflatten(1, (24, 3)))
    betas = torch.from_numpy(of.betas[rows]).float()
    params = SmplParams(matrices[:, 0], matrices[:, 1:], betas)
    return params, torch.from_numpy(of.transl[rows]).float()

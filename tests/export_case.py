"""A made-up result on the free body, for the tests of exports: truth that is known exactly."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from eftvideo.bodies import load_body
from eftvideo.config.export import ExportConfig
from eftvideo.exporters._export import export_result
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.results.result import Result, empty_rows, typed_rows
from eftvideo.results.result_file import save_result
from eftvideo.types import SmplParams

PEOPLE = {1: range(0, 12), 4: range(3, 9)}
"""Frames in which each is there."""
TIMES_S = np.array([0.0, 0.04, 0.08, 0.15, 0.19, 0.23, 0.27, 0.31, 0.35, 0.39, 0.43, 0.47])
"""25 frames a second, but one frame is long."""
SIZE_PX, FOCAL_PX = (640, 360), 700.0


def joints_of(rows: dict[str, np.ndarray]) -> np.ndarray:
    """(N, 24, 3) joints in the camera frame, from the body itself."""
    params = SmplParams(
        axis_angle_to_matrix(torch.from_numpy(rows["global_orient"])),
        axis_angle_to_matrix(torch.from_numpy(rows["body_pose"].reshape(-1, 23, 3))),
        torch.from_numpy(rows["betas"]),
    )
    return load_body().joints_and_keypoints(params)[0].numpy() + rows["transl"][:, None]


def made_up(one_shape: bool = True, seed: int = 3) -> Result:
    """Two people who turn and move smoothly, poses far from zero."""
    rng = np.random.default_rng(seed)
    parts = []
    for track_id, frames in PEOPLE.items():
        index = np.array(frames)
        phase = TIMES_S[index, None]
        start, speed = rng.normal(0, 0.4, 72), rng.normal(0, 0.8, 72)
        pose = start + np.sin(phase * 3.0) * speed
        # Upright before the camera, then turned by a good deal about the camera's axes.
        pose[:, :3] = np.array([2.9, 0.3, 0.4]) + pose[:, :3] * 0.3
        betas = np.tile(rng.normal(0, 1, 10), (len(index), 1))
        if not one_shape:
            betas += rng.normal(0, 0.3, betas.shape)
        transl = np.array([0.5 * track_id - 1.0, 0.2, 4.0]) + phase * rng.normal(0, 1, 3)
        size = len(index)
        crop = np.full((size, 2), 300.0) + index[:, None]
        parts.append({
            "frame": index, "time_s": TIMES_S[index], "track_id": np.full(size, track_id),
            "global_orient": pose[:, :3], "body_pose": pose[:, 3:], "betas": betas,
            "transl": transl, "focal_length_px": np.full(size, FOCAL_PX),
            "crop_center_px": crop, "crop_size_px": np.full(size, 250.0),
            "keypoints2d": rng.random((size, 17, 3)),
        })  # fmt: skip
    rows = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    order = np.lexsort([rows["track_id"], rows["frame"]])
    missing = {k: np.zeros((len(order), *v.shape[1:])) for k, v in empty_rows().items()}
    typed = typed_rows(missing | {k: v[order] for k, v in rows.items()})
    typed["joints3d"] = joints_of(typed)
    body = load_body()
    return Result(
        **typed,
        source="clip.mp4",
        width_px=SIZE_PX[0],
        height_px=SIZE_PX[1],
        fps=Fraction(25),
        num_frames=12,
        body_model=f"{body.name} sha256:{body.sha256}",
        config={"body": None, "clip": {"start_s": 0.0}, "eft": {"min_score": 0.3}},
    )


def saved(folder: Path, one_shape: bool = True, **changes: object) -> tuple[Path, Result]:
    """The result as a file, and itself."""
    result = replace(made_up(one_shape), **changes)  # type: ignore[arg-type]
    save_result(folder / "clip.npz", result)
    return folder / "clip.npz", result


def turned(points: np.ndarray, up: str) -> np.ndarray:
    """Camera frame (x right, y down, z forward) to y up, z back; or to z up, y forward."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, -y, -z] if up == "y" else [x, z, -y], axis=-1)


def rodrigues(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) to (..., 3, 3), written out here so that it is not the code under test."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors / np.maximum(angle[..., 0], 1e-12), -1, 0)
    o = np.zeros_like(x)
    k = np.stack([o, -z, y, z, o, -x, -y, x, o], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * k + (1.0 - np.cos(angle)) * (k @ k)


def export(source, to, out=None, *, body=None, **options):
    """`export_result` with the fields of `ExportConfig` as options."""
    return export_result(source, to, out, ExportConfig(**options), body=body)

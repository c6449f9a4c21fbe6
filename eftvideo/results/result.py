"""The result of a run: one row per person and frame, as arrays and as an npz without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from eftvideo.geometry.boxes import longer_side
from eftvideo.types.masks import Masks
from eftvideo.types.track_fit import Fits

if TYPE_CHECKING:
    from eftvideo.results.result_table import DataFrame

ROWS: dict[str, tuple[type, tuple[int, ...]]] = {
    "frame": (np.int64, ()),
    "time_s": (np.float64, ()),
    "track_id": (np.int64, ()),
    "bbox_xyxy": (np.float32, (4,)),
    "bbox_score": (np.float32, ()),
    "keypoints2d": (np.float32, (17, 3)),
    "landmarks2d": (np.float32, (33, 3)),
    "landmarks3d": (np.float32, (33, 3)),
    "landmark_score": (np.float32, ()),
    "global_orient": (np.float32, (3,)),
    "body_pose": (np.float32, (69,)),
    "betas": (np.float32, (10,)),
    "transl": (np.float32, (3,)),
    "joints3d": (np.float32, (24, 3)),
    "keypoints3d": (np.float32, (17, 3)),
    "pred_cam": (np.float32, (3,)),
    "crop_center_px": (np.float32, (2,)),
    "crop_size_px": (np.float32, ()),
    "focal_length_px": (np.float32, ()),
    "loss_px_start": (np.float32, ()),
    "loss_px": (np.float32, ()),
    "num_steps": (np.int64, ()),
    "status": (np.int64, ()),
}
"""Name of each per-row array: its type, and its shape after the first axis."""
LATER = ("landmarks2d", "landmarks3d", "landmark_score")
"""Arrays that older files lack: zeros, as where nobody looked."""


@dataclass(frozen=True)
class Result:
    """SMPL of every person in every frame: N rows, sorted by frame, then by track id.

    The camera frame is x right, y down, z forward, in metres, with the principal point in the
    middle of the picture: `smplx.SMPL(...)(global_orient, body_pose, betas, transl)` is the mesh in
    it, and x_px = focal_length_px * x / z + width_px / 2 draws it.
    """

    frame: np.ndarray
    """(N,) int64 index of the frame in the file."""
    time_s: np.ndarray
    """(N,) float64 presentation time of the frame."""
    track_id: np.ndarray
    """(N,) int64, from 1."""
    bbox_xyxy: np.ndarray
    """(N, 4) px."""
    bbox_score: np.ndarray
    """(N,) 0..1."""
    keypoints2d: np.ndarray
    """(N, 17, 3) x px, y px, score; COCO order: of the detector and the landmark network together
    (`landmarks/merge.py`), and as detected where `landmark_score` is 0."""
    landmarks2d: np.ndarray
    """(N, 33, 3) of the landmark network, in the order of `LANDMARK33`: x px, y px, and visibility
    times presence in 0..1; zeros where nobody looked, or what it said was not trusted."""
    landmarks3d: np.ndarray
    """(N, 33, 3) its own guess in 3D, metres from the middle of the hips, for a body of mean size:
    x right and y down in the picture, z away from the camera."""
    landmark_score: np.ndarray
    """(N,) its probability that a person is there; 0 where `landmarks2d` is zeros."""
    global_orient: np.ndarray
    """(N, 3) axis-angle, radians: the body's frame in the camera's."""
    body_pose: np.ndarray
    """(N, 69) axis-angle of SMPL joints 1..23, radians."""
    betas: np.ndarray
    """(N, 10)"""
    transl: np.ndarray
    """(N, 3) metres: smplx's `transl`."""
    joints3d: np.ndarray
    """(N, 24, 3) SMPL joints, metres, camera frame."""
    keypoints3d: np.ndarray
    """(N, 17, 3) COCO keypoints of the body, metres, camera frame."""
    pred_cam: np.ndarray
    """(N, 3) weak-perspective camera s, tx, ty of the crop (see camera.py)."""
    crop_center_px: np.ndarray
    """(N, 2)"""
    crop_size_px: np.ndarray
    """(N,)"""
    focal_length_px: np.ndarray
    """(N,)"""
    loss_px_start: np.ndarray
    """(N,) 2D error of the regressor's own answer, rms px of a 224 px crop."""
    loss_px: np.ndarray
    """(N,) 2D error of the kept fit."""
    num_steps: np.ndarray
    """(N,) optimiser steps."""
    status: np.ndarray
    """(N,) 0 fitted, 1 rejected: the regressor's own answer was kept, 2 filled in over a gap."""
    source: str
    """File name of the clip."""
    width_px: int
    height_px: int
    fps: Fraction
    num_frames: int
    """Frames in the file."""
    body_model: str
    """Name and sha256 of the body model."""
    config: dict[str, Any]
    """What the run was told, with versions and hashes of the weights."""
    masks: Masks = field(default_factory=lambda: Masks.none(0))
    """N of them, of the landmark network: which pixels are the person's; zeros where `landmarks2d`
    is. Left out: they were not asked for."""
    timings_s: dict[str, float] = field(default_factory=dict, compare=False)
    """Seconds by stage of the run that made it; not stored."""

    def __post_init__(self) -> None:
        n = len(self.frame)
        if not self.masks.asked:
            object.__setattr__(self, "masks", Masks.none(n))
        if len(self.masks) != n:
            raise ValueError(f"masks must be of {n} rows, but are of {len(self.masks)}")
        for name, (_, shape) in ROWS.items():
            got = getattr(self, name).shape
            if got != (n, *shape):
                raise ValueError(f"{name} must have shape {(n, *shape)}, but got {got}")

    @classmethod
    def of(cls, fits: Fits, header: Mapping[str, Any], timings_s: dict[str, float]) -> Result:
        """Everybody's fits, with what `Setup.header` says of the clip and the run."""
        masks = fits.seen().masks
        return cls(**rows_of(fits), **header, masks=masks, timings_s=timings_s)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def track_ids(self) -> list[int]:
        """Ids of all people, ascending."""
        return [int(i) for i in np.unique(self.track_id)]

    def track(self, track_id: int) -> Result:
        """The rows of one person.

        Raises:
            KeyError: no such id.
        """
        rows = self.track_id == track_id
        if not rows.any():
            raise KeyError(f"no track {track_id}; there are {self.track_ids}")
        return self.select(rows)

    def tracks(self) -> dict[int, Result]:
        """The rows of each person, by id, ascending."""
        return {i: self.track(i) for i in self.track_ids}

    def vertices(self, track_id: int, body: str | None = None) -> np.ndarray:
        """The mesh of one person in each of its rows.

        Args:
            track_id: who.
            body: body model file; None takes the one that the run used.

        Returns:
            (n, V, 3) float32, metres, camera frame, in the order of `track(track_id)`; V is 7600
            for the free body, 6890 for SMPL.

        Raises:
            KeyError: no such id. ConfigError: another body than that of the run.
            WeightsNotFoundError, WeightsCorruptError: the body's file.
        """
        from eftvideo.results.posing import body_of, vertices_of

        return vertices_of(self.track(track_id), body_of(self, body))

    def to_dataframe(self) -> DataFrame:
        """The rows as a pandas DataFrame, one number a column.

        Columns are named `track_id`, `transl_x`, `betas_0`, `global_orient_x`,
        `body_pose_left_hip_x`, `joints3d_pelvis_x`, `keypoints2d_nose_score`, ...; units as in the
        arrays.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        from eftvideo.results.result_table import to_dataframe

        return to_dataframe(self)

    def select(self, rows: np.ndarray) -> Result:
        """The rows at `rows` (a boolean mask or indices), with the same header."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["masks"] = self.masks.select(rows)
        return Result(**{k: v[rows] if k in ROWS else v for k, v in values.items()})


def rows_of(fits: Fits) -> dict[str, np.ndarray]:
    """The per-row arrays, by frame, then by id, with the types that the file has."""
    from eftvideo.landmarks.merge import merge_witnesses

    if not fits.people:
        return empty_rows()
    tracks, order, seen = [p.track for p in fits.people], fits.order(), fits.seen()
    rows = {
        "frame": np.concatenate([t.frame for t in tracks]),
        "time_s": np.concatenate([t.time_s for t in tracks]),
    }
    rows = {k: v[order] for k, v in rows.items()} | {
        "track_id": seen.track_id,
        "bbox_xyxy": seen.xyxy,
        "bbox_score": seen.confidence,
        "keypoints2d": merge_witnesses(seen.keypoints, seen.landmarks, longer_side(seen.xyxy)),
        "landmarks2d": seen.landmarks.scored,
        "landmarks3d": seen.landmarks.points3d,
        "landmark_score": seen.landmarks.score,
    }
    return typed_rows(rows | vars(fits.bodies()))


def empty_rows() -> dict[str, np.ndarray]:
    """Arrays of no rows, for a clip with nobody in it."""
    return {name: np.zeros((0, *shape), dtype) for name, (dtype, shape) in ROWS.items()}


def typed_rows(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with the types that the file has.

    Raises:
        ValueError: a name is missing.
    """
    missing = ROWS.keys() - rows.keys() - set(LATER)
    if missing:
        raise ValueError(f"rows lack {', '.join(sorted(missing))}")
    num = len(rows["frame"])
    zeros = {name: np.zeros((num, *ROWS[name][1])) for name in LATER if name not in rows}
    return {name: np.asarray((rows | zeros)[name], dtype) for name, (dtype, _) in ROWS.items()}

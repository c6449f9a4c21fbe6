"""Plain JSON of everything: no library is needed to read it. docs/export.md has the keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from eftvideo.exporters import Scene, generator
from eftvideo.exporters._motion import Motion, Up
from eftvideo.files import write_whole
from eftvideo.geometry.rotations import matrix_to_axis_angle
from eftvideo.geometry.skeletons import COCO17, SMPL24, SMPL24_PARENTS

VERSION = 1
_DIGITS = 6
_FRAME_KEYS = ("frame", "bbox_xyxy", "bbox_score", "keypoints2d", "focal_length_px", "loss_px")


class Model:
    """One file with everybody."""

    suffix: ClassVar[str] = ".json"
    tag: ClassVar[str] = ""
    one_person_a_file: ClassVar[bool] = False
    ups: ClassVar[tuple[Up | None, ...]] = (None, "y", "z")
    no_fps: ClassVar[str] = ""

    def rate(self, clip_fps: float, wanted: float | None) -> float | None:
        """Only what is wanted: else one entry for each frame."""
        return wanted

    def save(self, path: Path, scene: Scene) -> None:
        """Write the document.

        Raises:
            VideoWriteError: it cannot be written.
        """
        result = scene.result
        document = {
            "format": "eftvideo",
            "version": VERSION,
            "generator": generator(),
            "source": result.source,
            "width_px": result.width_px,
            "height_px": result.height_px,
            "fps": float(result.fps) if scene.fps is None else scene.fps,
            "resampled": scene.fps is not None,
            "axes": {"y": "x right, y up, z back", "z": "x right, y forward, z up"}.get(
                scene.up or "", "x right, y down, z forward"
            ),
            "units": {"length": "metre", "time": "second", "rotation": "axis-angle, radian"},
            "body_model": result.body_model,
            "joint_names": SMPL24,
            "joint_parents": SMPL24_PARENTS,
            "keypoint_names": COCO17,
            "people": [_person(motion, scene) for motion in scene.people],
        }
        text = json.dumps(document, allow_nan=False, separators=(",", ":"))
        write_whole(path, text.encode("ascii"))


def _person(motion: Motion, scene: Scene) -> dict[str, Any]:
    vectors = matrix_to_axis_angle(torch.from_numpy(motion.rotations)).numpy()
    rows = motion.rows
    resampled = scene.fps is not None
    # A resampled body has one shape, a frame's body its own.
    shape = motion.betas if resampled else rows.betas
    offsets = motion.rest_offsets_m if resampled else None
    rest_pelvis = motion.rest_joints_m[0] if resampled else rows.joints3d[:, 0] - rows.transl
    person = {
        "track_id": motion.track_id,
        "time_s": motion.times_s,
        "seen": motion.seen,
        "global_orient": vectors[:, 0],
        "body_pose": vectors[:, 1:],
        "betas": shape,
        "transl": motion.pelvis_m - rest_pelvis,
        "joints3d": motion.joints(offsets),
    }
    if not resampled:
        person |= {key: getattr(rows, key) for key in _FRAME_KEYS}
        person["status"] = rows.status
    return {key: _plain(value) for key, value in person.items()}


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind != "f":
        return value.tolist()
    rounded = np.round(value.astype(np.float64), _DIGITS)
    if np.isfinite(rounded).all():
        return rounded.tolist()
    # JSON has no NaN: what is not known is null.
    values = rounded.astype(object)
    values[~np.isfinite(rounded)] = None
    return values.tolist()

"""AMASS npz, one person a file: for aitviewer and the Meshcapade and SMPL-X Blender add-ons.

Keys are those of the AMASS data set (SMPL+H, 52 joints); what each importer insists on:
aitviewer reads `mocap_framerate` and nothing else, the add-ons `mocap_frame_rate`; the add-ons
take int() of it and refuse less than 30; all index 52 joints, so fingers are written as zeros;
betas have one axis; the gender is a plain string; z is up.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from eftvideo.errors import ConfigError
from eftvideo.exporters import Scene
from eftvideo.exporters._motion import Motion, Up, rest_joints
from eftvideo.files import write_whole
from eftvideo.geometry.rotations import matrix_to_axis_angle

NUM_JOINTS = 52
"""SMPL+H: pelvis, 21 body joints, 2 x 15 finger joints. SMPL's own two hand joints are left out:
they move nothing but the fingers."""
NUM_BODY_JOINTS = 22
LOWEST_FPS = 30
"""The Blender add-ons' default; they refuse files with less, and play at a wrong speed what is no
multiple of it."""


class Model:
    """SMPL+H pose parameters at a whole-numbered rate."""

    suffix: ClassVar[str] = ".npz"
    tag: ClassVar[str] = "_amass"
    one_person_a_file: ClassVar[bool] = True
    ups: ClassVar[tuple[Up | None, ...]] = ("z", "y")
    no_fps: ClassVar[str] = ""

    def rate(self, clip_fps: float, wanted: float | None) -> float:
        """The multiple of 30 nearest to the clip's rate, if nothing is wanted.

        Raises:
            ConfigError: not a whole number of 30 or more.
        """
        if wanted is None:
            return float(LOWEST_FPS * max(1, round(clip_fps / LOWEST_FPS)))
        if wanted != round(wanted) or wanted < LOWEST_FPS:
            raise ConfigError(
                f"--fps for amass must be a whole number of {LOWEST_FPS} or more, but got "
                f"{wanted:g}: importers refuse others"
            )
        return float(wanted)

    def save(self, path: Path, scene: Scene) -> None:
        """Write `arrays` as npz.

        Raises:
            VideoWriteError: it cannot be written.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays(scene.people[0], scene))
        write_whole(path, buffer.getvalue())


def arrays(motion: Motion, scene: Scene) -> dict[str, Any]:
    """What is in the file; F samples."""
    vectors = matrix_to_axis_angle(torch.from_numpy(motion.rotations[:, :NUM_BODY_JOINTS]))
    num, fps = len(motion), int(scene.fps or LOWEST_FPS)
    poses = np.zeros((num, NUM_JOINTS * 3))
    poses[:, : NUM_BODY_JOINTS * 3] = vectors.numpy().reshape(num, -1)
    betas, pelvis = motion.betas, motion.rest_joints_m[0]
    if scene.mean_shape:
        betas = np.zeros_like(betas)
        pelvis = rest_joints(scene.body, betas[None])[0, 0]
    return {
        "poses": poses,
        "trans": motion.pelvis_m - pelvis,
        "betas": betas,
        "gender": np.str_("neutral"),
        "mocap_framerate": np.int64(fps),
        "mocap_frame_rate": np.int64(fps),
        "dmpls": np.zeros((num, 8)),
        "surface_model_type": np.str_("smplh"),
        "up_axis": np.str_(scene.up or ""),
        "track_id": np.int64(motion.track_id),
        "sample_time_s": motion.times_s,
        "seen": motion.seen,
        "frame": motion.rows.frame,
        "frame_time_s": motion.rows.time_s,
        "source": np.str_(scene.result.source),
        "body_model": np.str_(scene.result.body_model),
        "fitted_betas": motion.rows.betas,
    }

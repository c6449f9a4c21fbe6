"""The format of EFT's fits: `{"ver": ..., "data": [one entry per person and frame]}`.

For programs written for EFT's pseudo ground truth. Its camera is orthographic, in a square crop:

    x_crop = s X + tx,   y_crop = s Y + ty

from -1 to 1 over the crop, y down, with X, Y as SMPL gives them without translation. So the pose
is turned into the view of the crop's middle, and s, tx, ty are fitted to where the perspective
camera puts the joints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from eftvideo.config import KeypointConfig
from eftvideo.config.old_names import part_of
from eftvideo.exporters import Scene
from eftvideo.exporters._motion import Motion, Up
from eftvideo.files import write_whole
from eftvideo.geometry.camera import MIN_DEPTH_M, crop_view_rotation
from eftvideo.geometry.skeletons import COCO17

VERSION = 0.1
BBOX_SIDE_PX = 200.0
"""A bbox_scale of 1 is a crop of 200 px: the convention of SPIN and EFT."""
OPENPOSE18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
    "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip",
    "left_knee", "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
_DIGITS = 6


class Model:
    """One file with everybody in every frame."""

    suffix: ClassVar[str] = ".json"
    tag: ClassVar[str] = "_eft"
    one_person_a_file: ClassVar[bool] = False
    ups: ClassVar[tuple[Up | None, ...]] = (None,)
    no_fps: ClassVar[str] = "its entries belong to the clip's own frames"

    def rate(self, clip_fps: float, wanted: float | None) -> None:
        """The frames' own times."""

    def save(self, path: Path, scene: Scene) -> None:
        """Write the document, in order of frames.

        Raises:
            VideoWriteError: it cannot be written.
        """
        min_score = part_of(scene.result.config, "keypoints", KeypointConfig).min_score
        stem = Path(scene.result.source).stem
        entries = [e for p in scene.people for e in _entries(p, scene, min_score, stem)]
        entries.sort(key=lambda e: (e["imageName"], e["subjectId"]))
        text = json.dumps({"ver": VERSION, "data": entries}, allow_nan=False)
        write_whole(path, text.encode("ascii"))


def image_name(stem: str, frame: int) -> str:
    """Name of a frame's picture, as `ffmpeg ... -start_number 0 stem_%06d.jpg` makes it."""
    return f"{stem}_{frame:06d}.jpg"


def _entries(motion: Motion, scene: Scene, min_score: float, stem: str) -> list[dict[str, Any]]:
    rows, size_px = motion.rows, (scene.result.width_px, scene.result.height_px)
    rotations, cams = weak_cameras(motion, size_px)
    validity = joint_validity(rows.keypoints2d[..., 2] >= min_score)
    return [
        {
            "parm_pose": rotations[i].round(_DIGITS).tolist(),
            "parm_shape": rows.betas[i].astype(float).round(_DIGITS).tolist(),
            "parm_cam": cams[i].round(_DIGITS).tolist(),
            "bbox_scale": float(rows.crop_size_px[i]) / BBOX_SIDE_PX,
            "bbox_center": rows.crop_center_px[i].astype(float).tolist(),
            "joint_validity_openpose18": validity[i].tolist(),
            "smpltype": "smpl",
            "subjectId": motion.track_id,
            "imageName": image_name(stem, int(rows.frame[i])),
        }
        for i in range(len(rows))
    ]


def weak_cameras(motion: Motion, size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Poses as the crop sees them and orthographic cameras that fit.

    Args:
        motion: in the camera frame.
        size_px: width and height of the full frame.

    Returns:
        (F, 24, 3, 3) rotations; (F, 3) s, tx, ty for the joints that SMPL has without translation.
    """
    rows = motion.rows
    image = torch.tensor(size_px, dtype=torch.float64).expand(len(rows), 2)
    center, focal = (torch.from_numpy(a.astype(np.float64)) for a in (
        rows.crop_center_px, rows.focal_length_px))  # fmt: skip
    turn = crop_view_rotation(center, image, focal).numpy()
    rotations = motion.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    joints = rows.joints3d.astype(np.float64)
    px = (
        joints[..., :2]
        / np.maximum(joints[..., 2:], MIN_DEPTH_M)
        * rows.focal_length_px[:, None, None]
    )
    px += np.array(size_px) / 2.0
    want = (px - rows.crop_center_px[:, None]) / (0.5 * rows.crop_size_px[:, None, None])
    pelvis = joints[:, :1]
    rest_pelvis = pelvis - rows.transl[:, None]
    flat = (np.einsum("fij,fkj->fki", turn, joints - pelvis) + rest_pelvis)[..., :2]
    mean_flat, mean_want = flat.mean(1, keepdims=True), want.mean(1, keepdims=True)
    scale = ((flat - mean_flat) * (want - mean_want)).sum((1, 2)) / (
        ((flat - mean_flat) ** 2).sum((1, 2))
    )
    shift = mean_want[:, 0] - scale[:, None] * mean_flat[:, 0]
    return rotations, np.concatenate([scale[:, None], shift], axis=1)


def joint_validity(seen: np.ndarray) -> np.ndarray:
    """(N, 17) bool in COCO's order to (N, 18) int in OpenPose's; the neck needs both shoulders."""
    columns = [
        seen[:, COCO17.index(name)]
        if name != "neck"
        else seen[:, COCO17.index("left_shoulder")] & seen[:, COCO17.index("right_shoulder")]
        for name in OPENPOSE18
    ]
    return np.stack(columns, axis=1).astype(int)

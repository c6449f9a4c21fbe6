"""3DPW: SMPL bodies of one or two people before a moving camera, from IMUs and video.

von Marcard et al., "Recovering Accurate 3D Human Pose in The Wild Using IMUs and a Moving Camera",
ECCV 2018. The data need a licence (https://virtualhumans.mpi-inf.mpg.de/3DPW) and are not shipped.
One pickle per sequence, of Python 2; see docs/protocols.md for what is scored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from eftvideo.errors import ResultFormatError, WeightsCorruptError
from eftvideo.evaluate.truth import Truth, make_truth
from eftvideo.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from eftvideo.weights.unpickle import load_pickle, to_array

FPS = 30.0
"""Of the pictures and of everything read here; the 60 Hz arrays are left alone."""
MIN_KEYPOINTS = 6
"""The data set gives 2D poses only where at least so many joints were found (its readme)."""
OPENPOSE18: tuple[str, ...] = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
"""Order of `poses2d`, which are a detector's answers, not truth."""
_GENDERS = {"m": "male", "f": "female"}
_KEYS = (
    *("poses", "trans", "betas", "genders", "cam_poses", "cam_intrinsics"),
    *("jointPositions", "campose_valid", "poses2d"),
)


def load_sequence(path: str | Path) -> Truth:
    """Read one sequence file.

    Returns:
        Every person in every picture, camera frame. Frame i is picture image_%05d of number i.
        Not scored where the camera's pose was not aligned with the picture (`campose_valid` 0), or
        the person was not seen there (`poses2d` has fewer than 6 joints). Bodies are named "male"
        and "female": SMPL's of that gender, which the betas are for.

    Raises:
        ResultFormatError: no such file, keys missing, or arrays of other lengths.
        UnsafeFileError: the file asks for more than arrays; nothing was run.
        WeightsCorruptError: no readable pickle.
    """
    path = Path(path)
    if not path.is_file():
        raise ResultFormatError(f"{path} not found: expected a sequence file of 3DPW")
    data = load_pickle(path)
    missing = [k for k in _KEYS if not isinstance(data, dict) or k not in data]
    if missing:
        raise ResultFormatError(
            f"{path} lacks {', '.join(missing)}; expected a pkl of 3DPW's sequenceFiles"
        )
    try:
        people = [_person(data, i) for i in range(len(data["poses"]))]
    except (ValueError, IndexError, TypeError, KeyError) as e:
        reason = " ".join(str(e).split())
        raise ResultFormatError(f"{path} is not as 3DPW's files are: {reason}") from e
    except WeightsCorruptError as e:
        raise ResultFormatError(str(e)) from e
    rows = {name: np.concatenate([person[name] for person in people]) for name in people[0]}
    order = np.lexsort((rows["track_id"], rows["frame"]))
    intrinsics = to_array(data["cam_intrinsics"])
    return make_truth(
        **{name: value[order] for name, value in rows.items()},
        focal_length_px=float(intrinsics[0, 0] + intrinsics[1, 1]) / 2.0,
        principal_px=intrinsics[:2, 2],
        source=str(data.get("sequence", path.stem)),
    )


def _person(data: dict[str, Any], index: int) -> dict[str, np.ndarray]:
    """The rows of one person, in order of time."""
    poses = to_array(data["poses"][index]).astype(np.float64)
    num = len(poses)
    cameras = _shaped(data["cam_poses"], "cam_poses", num, 16).reshape(num, 4, 4)
    joints = _shaped(data["jointPositions"][index], "jointPositions", num, 72).reshape(num, 24, 3)
    trans = _shaped(data["trans"][index], "trans", num, 3)
    turn, shift = cameras[:, :3, :3], cameras[:, None, :3, 3]
    joints_cam = joints @ turn.swapaxes(1, 2) + shift
    orient = axis_angle_to_matrix(torch.from_numpy(poses[:, :3]))
    orient = matrix_to_axis_angle(torch.from_numpy(turn) @ orient).numpy()
    # SMPL turns about its pelvis: the pelvis goes where the camera sees it, transl follows.
    rest_pelvis = joints[:, 0] - trans
    seen = _keypoints(data["poses2d"][index], num)
    visible = (seen > 0).sum(axis=1) >= MIN_KEYPOINTS
    valid = _shaped(data["campose_valid"][index], "campose_valid", num, 1)[:, 0] > 0
    betas = to_array(data["betas"][index]).astype(np.float64).ravel()[:10]
    return {
        "frame": np.arange(num),
        "track_id": np.full(num, index + 1),
        "time_s": np.arange(num) / FPS,
        "joints3d": joints_cam,
        "global_orient": orient,
        "body_pose": poses[:, 3:72],
        "betas": np.broadcast_to(betas, (num, 10)),
        "transl": joints_cam[:, 0] - rest_pelvis,
        "body": np.full(num, _gender(data["genders"][index])),
        "scored": valid & visible,
    }


def _gender(value: object) -> str:
    text = value.decode("latin1") if isinstance(value, bytes) else str(value)
    return _GENDERS.get(text[:1].lower(), text)


def _shaped(value: object, name: str, num: int, width: int) -> np.ndarray:
    """(num, width) float64.

    Raises:
        ValueError: fewer rows, or rows of another width.
    """
    array = to_array(value).astype(np.float64)
    array = array.reshape(len(array), -1)
    if len(array) < num or array.shape[1] != width:
        raise ValueError(f"{name} has shape {array.shape}, expected ({num}, {width})")
    return array[:num]


def _keypoints(value: object, num: int) -> np.ndarray:
    """(num, 18) scores of the 2D detections, from (num, 3, 18)."""
    return _shaped(value, "poses2d", num, 3 * len(OPENPOSE18)).reshape(num, 3, -1)[:, 2]

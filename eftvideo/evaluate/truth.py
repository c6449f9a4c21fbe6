"""What is known of the people in a clip, to score a result against; and its file.

A truth file is an npz without pickle in the rows of a result (docs/protocols.md): `frame` and
`track_id`, and `joints3d`, `keypoints3d` or both; all else may be missing. A result is such a file
too, so that two results can be compared.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from eftvideo.errors import ResultFormatError

_POINTS: dict[str, tuple[int, ...]] = {
    "joints3d": (24, 3),
    "keypoints3d": (17, 3),
    "keypoints2d": (17, 3),
}
_BODY: dict[str, tuple[int, ...]] = {
    "global_orient": (3,),
    "body_pose": (69,),
    "betas": (10,),
    "transl": (3,),
}
_NUMBERS = (*_POINTS, *_BODY, "time_s", "focal_length_px")


@dataclass(frozen=True)
class Truth:
    """N rows, one per person and frame; NaN is for what is not known.

    Camera frame as in a result: x right, y down, z forward, metres.
    """

    frame: np.ndarray
    """(N,) int64 index of the frame in the file."""
    track_id: np.ndarray
    """(N,) int64"""
    time_s: np.ndarray
    """(N,) float64; NaN: the result's times are taken."""
    joints3d: np.ndarray
    """(N, 24, 3) SMPL joints."""
    keypoints3d: np.ndarray
    """(N, 17, 3) COCO keypoints."""
    keypoints2d: np.ndarray
    """(N, 17, 3) x px, y px, score; score 0 where not known. Taken before projected ones."""
    global_orient: np.ndarray
    """(N, 3) axis-angle, radians."""
    body_pose: np.ndarray
    """(N, 69)"""
    betas: np.ndarray
    """(N, 10)"""
    transl: np.ndarray
    """(N, 3)"""
    focal_length_px: np.ndarray
    """(N,) NaN: the result's camera is taken."""
    body: np.ndarray
    """(N,) str: name of the body that the parameters are for; "" if there are none."""
    scored: np.ndarray
    """(N,) bool; rows that are not scored still keep people from being counted as false."""
    principal_px: np.ndarray
    """(2,) principal point, px; NaN: the middle of the result's picture."""
    source: str = ""

    def __post_init__(self) -> None:
        n = len(self.frame)
        for name, shape in (_POINTS | _BODY).items():
            got = getattr(self, name).shape
            if got != (n, *shape):
                raise ValueError(f"{name} must have shape {(n, *shape)}, but got {got}")

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, rows: np.ndarray) -> Truth:
        """The rows at `rows` (a boolean mask or indices)."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        whole = {"principal_px", "source"}
        return Truth(**{k: v if k in whole else v[rows] for k, v in values.items()})


def make_truth(**known: Any) -> Truth:
    """A truth of what is known; the rest is filled in with NaN.

    Args:
        known: fields of `Truth`; `frame` and `track_id` must be there. `focal_length_px` and `body`
            may be one value for all rows.

    Raises:
        ValueError: a shape does not fit, or a name is not a field.
    """
    n = len(known["frame"])
    values: dict[str, Any] = {
        name: np.full((n, *shape), np.nan) for name, shape in (_POINTS | _BODY).items()
    }
    values["keypoints2d"][..., 2] = 0.0
    values |= {"time_s": np.full(n, np.nan), "principal_px": np.full(2, np.nan)}
    values |= {"scored": np.ones(n, bool), "focal_length_px": np.nan, "body": "", "source": ""}
    unknown = known.keys() - {f.name for f in fields(Truth)}
    if unknown:
        raise ValueError(f"a truth has no {', '.join(sorted(unknown))}")
    values |= known
    for name in _NUMBERS:
        values[name] = np.asarray(values[name], np.float64)
    for name in ("frame", "track_id"):
        values[name] = np.asarray(values[name], np.int64)
    values["focal_length_px"] = np.broadcast_to(values["focal_length_px"], n)
    values["body"] = np.broadcast_to(np.asarray(values["body"], np.str_), n)
    values["scored"] = np.asarray(values["scored"], bool)
    values["principal_px"] = np.asarray(values["principal_px"], np.float64)
    return Truth(**values)


def save_truth(path: Path, truth: Truth) -> None:
    """Write an npz, under a temporary name until it is whole."""
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        np.savez_compressed(file, **{f.name: getattr(truth, f.name) for f in fields(truth)})
    part.replace(path)


def load_truth(path: str | Path) -> Truth:
    """Read a truth file, or a result as the truth.

    Raises:
        ResultFormatError: no such file, no npz, keys missing, or shapes that do not fit.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as data:
            stored = {k: data[k] for k in data.files}
    except FileNotFoundError as e:
        raise ResultFormatError(f"{path} not found: expected an npz with the truth") from e
    except (OSError, ValueError, zipfile.BadZipFile) as e:
        raise ResultFormatError(f"{path} is no npz with the truth: {e}") from e
    missing = [k for k in ("frame", "track_id") if k not in stored]
    if missing or not {"joints3d", "keypoints3d"} & stored.keys():
        raise ResultFormatError(
            f"{path} has {', '.join(sorted(stored)) or 'nothing'}; a truth needs frame, track_id, "
            "and joints3d (N, 24, 3) or keypoints3d (N, 17, 3)"
        )
    if "config" in stored:  # a result: what its detector saw is no truth
        stored.pop("keypoints2d", None)
        stored["body"] = stored.pop("body_model", np.str_("")).item()
    names = {f.name for f in fields(Truth)} & stored.keys()
    known: dict[str, Any] = {name: stored[name] for name in names}
    known["source"] = str(known.get("source", path.name))
    try:
        return make_truth(**known)
    except ValueError as e:
        raise ResultFormatError(f"{path} is no truth: {e}; see docs/protocols.md") from e

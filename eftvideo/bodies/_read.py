"""Body model files to checked arrays: our npz, SMPL's npz, SMPL's python-2 pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eftvideo.bodies import _coco
from eftvideo.bodies._reduced import BodyTables
from eftvideo.errors import UnsafeFileError, WeightsCorruptError
from eftvideo.geometry.skeletons import COCO17, SMPL24, SMPL24_PARENTS
from eftvideo.weights.unpickle import SMPL_ALLOWED, load_pickle, to_array

NUM_BETAS = 10
_SHAPES: dict[str, tuple[int | str | None, ...]] = {
    "v_template": ("V", 3),
    "shapedirs": ("V", 3, None),
    "posedirs": ("V", 3, 9 * (len(SMPL24) - 1)),
    "J_regressor": (len(SMPL24), "V"),
    "weights": ("V", len(SMPL24)),
    "kintree_table": (2, len(SMPL24)),
    "f": (None, 3),
}
REQUIRED_KEYS: tuple[str, ...] = tuple(_SHAPES)
SMPL_LICENCE = "SMPL model licence, https://smpl.is.tue.mpg.de (not free; your own copy)"


@dataclass(frozen=True)
class BodyFile:
    """A body as read and checked."""

    path: Path
    tables: BodyTables
    faces: np.ndarray
    """(F, 3) int32."""
    kintree_table: np.ndarray
    """(2, 24) int64, parents in row 0."""
    keypoint_regressor: np.ndarray
    """(K, V) rows that sum to 1; the first 17 are COCO's."""
    keypoint_names: tuple[str, ...]
    licence: str


def read_body(path: str | Path) -> BodyFile:
    """Read a body model file.

    Raises:
        WeightsCorruptError: not a body file, a key is missing or has another shape.
        UnsafeFileError: the file holds objects that are not plain numbers.
    """
    path = Path(path)
    arrays = read_arrays(path)
    check_arrays(path, arrays)
    regressor, names = _keypoints(path, arrays)
    tables = BodyTables(
        v_template=arrays["v_template"].astype(np.float32),
        shapedirs=arrays["shapedirs"][..., :NUM_BETAS].astype(np.float32),
        posedirs=arrays["posedirs"].astype(np.float32),
        j_regressor=arrays["J_regressor"].astype(np.float32),
        skin_weights=arrays["weights"].astype(np.float32),
    )
    return BodyFile(
        path=path,
        tables=tables,
        faces=arrays["f"].astype(np.int32),
        kintree_table=arrays["kintree_table"].astype(np.int64),
        keypoint_regressor=regressor,
        keypoint_names=names,
        licence=str(arrays.get("licence", SMPL_LICENCE)),
    )


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a body file by name, unchecked.

    Raises:
        WeightsCorruptError: neither npz nor pickle, or broken.
        UnsafeFileError: see read_body.
    """
    if path.suffix == ".npz":
        return _read_npz(path)
    if path.suffix == ".pkl":
        return _plain(path, load_pickle(path, SMPL_ALLOWED))
    raise WeightsCorruptError(f"{path}: a body model is a .npz or .pkl file, not {path.suffix!r}")


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: _npz_entry(path, file, key) for key in file.files}
    except UnsafeFileError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as e:
        raise WeightsCorruptError(
            f"{path} is not a readable npz file ({e}): get a whole copy of it"
        ) from e


def _npz_entry(path: Path, file: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    try:
        return file[key]
    except ValueError as e:
        if "pickle" not in str(e).lower():
            raise
        raise UnsafeFileError(
            f"{path}: key {key!r} holds pickled objects, expected plain numbers; "
            "use the .pkl file with: eftvideo weights import FILE"
        ) from e


def _plain(path: Path, content: object) -> dict[str, np.ndarray]:
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise WeightsCorruptError(f"{path}: a SMPL pickle holds a dict, but this one a {kind}")
    return {key: _number(path, key, content[key]) for key in REQUIRED_KEYS if key in content}


def _number(path: Path, key: str, value: object) -> np.ndarray:
    try:
        return to_array(value)
    except (ValueError, KeyError, AttributeError, TypeError, IndexError, RecursionError) as e:
        raise WeightsCorruptError(
            f"{path}: {key} should be an array, but cannot be read as one ({e}): "
            "get a whole copy of the file"
        ) from e


def check_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Check keys, shapes, the tree and the numbers.

    Raises:
        WeightsCorruptError: which key, what was expected, what was found.
    """
    missing = [key for key in REQUIRED_KEYS if key not in arrays]
    if missing:
        raise WeightsCorruptError(
            f"{path} is not a SMPL body model: keys missing: {', '.join(missing)}; "
            f"found: {', '.join(sorted(arrays)) or 'none'}"
        )
    num_vertices = len(arrays["v_template"]) if arrays["v_template"].ndim else 0
    for key, shape in _SHAPES.items():
        _check_shape(path, key, arrays[key], tuple(num_vertices if s == "V" else s for s in shape))
    if arrays["shapedirs"].shape[2] < NUM_BETAS:
        _wrong(path, "shapedirs", f"at least {NUM_BETAS} columns", arrays["shapedirs"].shape[2])
    parents = arrays["kintree_table"][0].astype(np.int64)[1:]
    if tuple(parents) != SMPL24_PARENTS[1:]:
        _wrong(path, "kintree_table", f"SMPL's parents {SMPL24_PARENTS[1:]}", parents.tolist())
    faces = arrays["f"].astype(np.int64)
    if faces.size and (faces.min() < 0 or faces.max() >= num_vertices):
        _wrong(path, "f", f"vertex indices below {num_vertices}", int(faces.max()))


def _check_shape(path: Path, key: str, value: np.ndarray, shape: tuple[object, ...]) -> None:
    fits = value.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, value.shape, strict=True)
    )
    if not fits:
        want = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
        _wrong(path, key, f"shape {want}", value.shape)
    if value.dtype.kind not in "biuf" or not np.isfinite(value).all():
        _wrong(path, key, "finite numbers", f"{value.dtype} with other values")


def _wrong(path: Path, key: str, expected: str, found: object) -> None:
    raise WeightsCorruptError(f"{path}: {key} should have {expected}, but has {found}")


def _keypoints(path: Path, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    num_vertices = len(arrays["v_template"])
    if "keypoint_regressor" not in arrays:
        if num_vertices != _coco.NUM_VERTICES:
            _wrong(path, "v_template", f"{_coco.NUM_VERTICES} vertices (SMPL)", num_vertices)
        return _coco.smpl_keypoint_regressor(arrays["J_regressor"]), _coco.KEYPOINT_NAMES
    if "keypoint_names" not in arrays:
        raise WeightsCorruptError(f"{path}: keypoint_regressor needs keypoint_names beside it")
    regressor = arrays["keypoint_regressor"].astype(np.float64)
    names = tuple(str(name) for name in arrays["keypoint_names"].ravel())
    _check_shape(path, "keypoint_regressor", regressor, (len(names), num_vertices))
    if not np.allclose(regressor.sum(1), 1.0, atol=1e-4):
        _wrong(path, "keypoint_regressor", "rows that sum to 1", regressor.sum(1).tolist())
    absent = [name for name in COCO17 if name not in names]
    if absent:
        _wrong(path, "keypoint_names", f"all of COCO17; missing {', '.join(absent)}", names)
    ordered = COCO17 + tuple(name for name in names if name not in COCO17)
    return regressor[[names.index(name) for name in ordered]], ordered

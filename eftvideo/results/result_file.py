"""Results as npz files without pickle, whole or not there."""

from __future__ import annotations

import json
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from eftvideo.errors import ResultFormatError
from eftvideo.files import whole_file
from eftvideo.results.result import LATER, ROWS, Result, typed_rows
from eftvideo.types.masks import Masks

SCHEMA_VERSION = 1
_MASKS = {"mask": "cells", "mask_region": "region"}
"""Keys that are there if masks were asked for, and the arrays of `Masks`."""


def save_result(path: Path, result: Result) -> None:
    """Write an npz under a temporary name and rename it when whole.

    Raises:
        VideoWriteError: the folder cannot be written.
    """
    header: dict[str, Any] = {
        "schema_version": np.int64(SCHEMA_VERSION),
        "source": np.str_(result.source),
        "width_px": np.int64(result.width_px),
        "height_px": np.int64(result.height_px),
        "fps_num": np.int64(result.fps.numerator),
        "fps_den": np.int64(result.fps.denominator),
        "num_frames": np.int64(result.num_frames),
        "body_model": np.str_(result.body_model),
        "config": np.str_(json.dumps(result.config, sort_keys=True)),
    }
    arrays = {name: getattr(result, name) for name in ROWS}
    if result.masks.asked:
        arrays |= {key: getattr(result.masks, name) for key, name in _MASKS.items()}
    with whole_file(path, "folder") as file:
        np.savez_compressed(file, **arrays, **header)


def load_result(path: str | Path) -> Result:
    """Read what `save_result` wrote.

    Raises:
        ResultFormatError: missing file, no npz, missing keys, or another schema version.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as data:
            stored = {k: data[k] for k in data.files}
    except FileNotFoundError as e:
        raise ResultFormatError(f"{path} not found: expected an npz from `eftvideo run`") from e
    except (OSError, ValueError, zipfile.BadZipFile) as e:
        raise ResultFormatError(
            f"{path} is no npz from `eftvideo run`: give the .npz that a run wrote"
        ) from e
    version = int(stored.get("schema_version", 0))
    if version != SCHEMA_VERSION:
        raise ResultFormatError(
            f"{path} has schema version {version}, expected {SCHEMA_VERSION}: "
            "run the clip again, or use the eftvideo that wrote it"
        )
    missing = sorted(ROWS.keys() - stored.keys() - set(LATER))
    if missing:
        raise ResultFormatError(f"{path} lacks {', '.join(missing)}: run the clip again")
    rows: dict[str, Any] = typed_rows({k: stored[k] for k in ROWS if k in stored})
    masks = {name: stored[key] for key, name in _MASKS.items() if key in stored}
    return Result(
        **rows,
        masks=Masks(**masks) if masks else Masks.none(len(rows["frame"])),
        source=str(stored["source"]),
        width_px=int(stored["width_px"]),
        height_px=int(stored["height_px"]),
        fps=Fraction(int(stored["fps_num"]), int(stored["fps_den"])),
        num_frames=int(stored["num_frames"]),
        body_model=str(stored["body_model"]),
        config=json.loads(str(stored["config"])),
    )

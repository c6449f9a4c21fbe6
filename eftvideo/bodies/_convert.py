"""A user's licensed SMPL file to a npz that loads without pickle (`eftvideo weights import`)."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import numpy as np

from eftvideo.bodies import _coco
from eftvideo.bodies._read import SMPL_LICENCE, check_arrays, read_arrays
from eftvideo.errors import ConfigError, VideoWriteError, WeightsCorruptError, WeightsNotFoundError
from eftvideo.weights.locate import sha256_of, user_folder

_GENDERS = {"neutral": "NEUTRAL", "n": "NEUTRAL", "female": "FEMALE", "f": "FEMALE"}
_GENDERS |= {"male": "MALE", "m": "MALE"}


def import_smpl(path: str | Path, out_dir: str | Path | None = None) -> Path:
    """Read a licensed SMPL file safely and write `SMPL_<GENDER>.npz`.

    Args:
        path: .pkl or .npz, named as the SMPL site names it (`basicmodel_m_...`, `SMPL_MALE`).
        out_dir: made if need be; None: `$EFTVIDEO_WEIGHTS`, else the cache folder.

    Returns:
        The file written, whole or not at all.

    Raises:
        WeightsNotFoundError: no such file.
        WeightsCorruptError: not a SMPL body model. UnsafeFileError: it asks for more than arrays.
        ConfigError: the name does not tell the gender.
        VideoWriteError: the folder cannot be written.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise WeightsNotFoundError(f"{path} not found: expected a SMPL file, check the path")
    gender = gender_of(path)
    arrays = read_arrays(path)
    check_arrays(path, arrays)
    if len(arrays["v_template"]) != _coco.NUM_VERTICES:
        raise WeightsCorruptError(
            f"{path}: SMPL has {_coco.NUM_VERTICES} vertices, but this body has "
            f"{len(arrays['v_template'])}; use it directly with --body"
        )
    target = Path(out_dir if out_dir is not None else user_folder()) / f"SMPL_{gender}.npz"
    _save(target, _safe_copy(path, arrays))
    return target


def gender_of(path: Path) -> str:
    """NEUTRAL, FEMALE or MALE, from a word in the file's name.

    Raises:
        ConfigError: no such word.
    """
    for word in re.split(r"[^a-z]+", path.stem.lower()):
        if word in _GENDERS:
            return _GENDERS[word]
    raise ConfigError(
        f"cannot tell the gender from the name {path.name}: expected one like "
        "basicmodel_neutral_... or SMPL_NEUTRAL, rename the file"
    )


def _safe_copy(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    numbers = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    return {
        **{key: arrays[key].astype(np.float32) for key in numbers},
        "kintree_table": arrays["kintree_table"].astype(np.int64),
        "f": arrays["f"].astype(np.int32),
        "licence": np.array(SMPL_LICENCE),
        "source": np.array(f"{path.name} sha256 {sha256_of(path)}"),
    }


def _save(target: Path, arrays: dict[str, np.ndarray]) -> None:
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as file:
            temporary = file.name
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, target)
    except OSError as e:
        raise VideoWriteError(f"cannot write {target} ({e}): choose another folder with -o") from e
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)

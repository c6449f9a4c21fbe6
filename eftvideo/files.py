"""What is written: folders that are made, files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from eftvideo.errors import VideoWriteError


def make_folder(folder: Path) -> Path:
    """The folder for results, made if missing.

    Raises:
        VideoWriteError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise VideoWriteError(
            f"cannot make folder {folder}: {e.strerror}; choose another with -o"
        ) from e
    return folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it when whole.

    Raises:
        VideoWriteError: the folder cannot be written.
    """
    part: str | None = None
    try:
        handle, part = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        Path(part).chmod(0o666 & ~mask)
        Path(part).replace(path)
    except OSError as e:
        raise VideoWriteError(
            f"cannot write {path}: {e.strerror}; choose another place with -o"
        ) from e
    finally:
        if part is not None:
            with contextlib.suppress(FileNotFoundError):
                Path(part).unlink()

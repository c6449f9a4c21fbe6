"""Folders for what is written."""

from __future__ import annotations

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

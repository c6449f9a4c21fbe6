"""What is written: folders that are made, files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

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
    """Write a file that is whole or not there.

    Raises:
        VideoWriteError: the folder cannot be written.
    """
    with whole_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def whole_file(path: Path, where: str = "place") -> Iterator[IO[bytes]]:
    """A file under a temporary name, renamed when whole.

    Args:
        where: what another of may be chosen with -o, for the message.

    Raises:
        VideoWriteError: the folder cannot be written.
    """
    part: str | None = None
    try:
        handle, part = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        Path(part).chmod(0o666 & ~mask)
        Path(part).replace(path)
    except OSError as e:
        raise VideoWriteError(
            f"cannot write {path}: {e.strerror}; choose another {where} with -o"
        ) from e
    finally:
        if part is not None:
            with contextlib.suppress(FileNotFoundError):
                Path(part).unlink()

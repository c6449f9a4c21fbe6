"""One file out of a tar archive, and nothing else of it."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from eftvideo.errors import WeightsCorruptError


def take_member(archive: Path, pattern: str, target: Path) -> None:
    """Write the one file of an archive whose name fits a pattern.

    Nothing else is unpacked, and names inside the archive are no paths here.

    Args:
        archive: tar, also compressed. pattern: of the file's own name, as `*.ckpt`.
        target: written whole or not at all.

    Raises:
        WeightsCorruptError: no archive, or not whole, or no such file in it, or several.
        OSError: the target cannot be written.
    """
    part = target.with_name(f"{target.name}.unpacked")
    try:
        names = _write(archive, pattern, part)
        if len(names) != 1:
            found = ", ".join(names) if names else "none"
            raise WeightsCorruptError(
                f"{archive} should have one file {pattern}, but has {found}: get another copy of it"
            )
        part.replace(target)
    except (tarfile.TarError, EOFError) as e:
        raise WeightsCorruptError(
            f"{archive} is not a whole tar archive ({e}): get it again"
        ) from e
    finally:
        part.unlink(missing_ok=True)


def _write(archive: Path, pattern: str, part: Path) -> list[str]:
    """Names of all that fit; the first one is written. The archive is read through once."""
    names: list[str] = []
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            # Names with a leading point: macOS' notes beside each file.
            if not member.isfile() or not name.match(pattern) or name.name.startswith("."):
                continue
            content = tar.extractfile(member)
            if not names and content is not None:
                with open(part, "wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
            names.append(member.name)
    return names

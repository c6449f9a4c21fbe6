"""Weight files: where they are searched, whether they are whole, under which licence they come.

A part (body, regressor, detector) declares each file that it uses as a `WeightSpec` in its own
module; `resolve` finds it. Nothing is downloaded here (`fetch.py` does).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eftvideo.errors import WeightsCorruptError, WeightsNotFoundError

if TYPE_CHECKING:
    from torch import Tensor

ENV_FOLDER = "EFTVIDEO_WEIGHTS"
"""Environment variable that names a folder with the user's own weight files."""

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class WeightSpec:
    """One weight file that the program can use."""

    file: str
    """Bare file name, the same in every folder searched."""
    sha256: str | None
    """Hex digest of the only accepted content; None where users bring files of their own."""
    licence: str
    origin: str
    """Where the content comes from: who made it, of what."""
    url: str | None = None
    """Page where a user gets the file; None for files that are shipped."""
    download: str | None = None
    """Address of the file itself, for `eftvideo weights fetch`; None: fetched by hand."""
    member: str | None = None
    """If an archive is at that address: pattern of the file's name in it."""

    @property
    def name(self) -> str:
        """What the command line calls it: the file's name without its ending."""
        return self.file.rpartition(".")[0]


@dataclass(frozen=True)
class WeightStatus:
    """A spec and what was found of it."""

    spec: WeightSpec
    path: Path | None
    problem: str | None
    """One line if the file is missing or is not the recorded one."""


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/eftvideo`, else `~/.cache/eftvideo`. May not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eftvideo"


def shipped_folder() -> Path:
    """The folder that came with the program: inside an installed wheel, or of the checkout."""
    inside = _PACKAGE / "_weights"
    return inside if inside.is_dir() else _PACKAGE.parent / "weights"


def user_folder() -> Path:
    """Where files of the user's own are put: `$EFTVIDEO_WEIGHTS`, else the cache folder."""
    own = os.environ.get(ENV_FOLDER)
    return Path(own) if own else cache_folder()


def search_folders() -> list[Path]:
    """Folders in the order of search; they need not exist."""
    own = os.environ.get(ENV_FOLDER)
    return [*([Path(own)] if own else []), shipped_folder(), cache_folder()]


def resolve(spec: WeightSpec, explicit: str | Path | None = None) -> Path:
    """The file of `spec`: `explicit` if given, else the first hit in `search_folders()`.

    A file that the user names explicitly is the user's choice and not compared with the recorded
    digest; one that is found by its name must be the recorded one.

    Raises:
        WeightsNotFoundError: no such file; the message lists the places.
        WeightsCorruptError: the file found has another sha256.
    """
    if explicit is not None:
        path = Path(explicit).expanduser()
        if not path.is_file():
            raise WeightsNotFoundError(f"{path} not found: expected a weights file, check the path")
        return path
    path = find(spec)
    if path is None:
        raise WeightsNotFoundError(_not_found(spec))
    check_sha256(path, spec)
    return path


def find(spec: WeightSpec) -> Path | None:
    """First file of that name in `search_folders()`, unchecked; None if there is none."""
    hits = (folder / spec.file for folder in search_folders())
    return next((path for path in hits if path.is_file()), None)


def check_sha256(path: Path, spec: WeightSpec) -> None:
    """Compare a file with the recorded digest.

    Where the program does not know the digest of a file that can be fetched, the one at its first
    use is written beside it, and holds from then on. Other specs without one accept any file.

    Raises:
        WeightsCorruptError: the digests differ.
    """
    if spec.sha256 is None:
        if spec.download is not None:
            _check_first_use(path)
        return
    found = sha256_of(path)
    if found != spec.sha256:
        raise WeightsCorruptError(
            f"{path} is not the expected file: sha256 should be {spec.sha256}, but is {found}; "
            f"remove it and {_remedy(spec)}"
        )


def _check_first_use(path: Path) -> None:
    record, found = path.with_name(f"{path.name}.sha256"), sha256_of(path)
    if not record.is_file():
        with contextlib.suppress(OSError):  # a folder that cannot be written holds no record
            record.write_text(f"{found}  {path.name}\n", encoding="utf-8")
        return
    known = record.read_text(encoding="utf-8").split(maxsplit=1)[:1]
    if known != [found]:
        raise WeightsCorruptError(
            f"{path} has changed since its first use: its sha256 is {found}, {record.name} says "
            f"{' '.join(known) or 'nothing'}; remove both and fetch it again"
        )


def _remedy(spec: WeightSpec) -> str:
    if spec.download is not None:
        return f"get it with: eftvideo weights fetch {spec.name} (licence: {spec.licence})"
    if spec.url is None and spec.sha256 is None:
        return "name yours with --weights FILE"
    if spec.url is None:
        return "reinstall with: pip install --force-reinstall eftvideo"
    return f"get it from {spec.url}, then set {ENV_FOLDER} to its folder"


def _not_found(spec: WeightSpec) -> str:
    places = ", ".join(str(folder) for folder in search_folders())
    return f"{spec.file} not found. Looked in: {places}; {_remedy(spec)}"


_DIGESTS: dict[tuple[str, int, int], str] = {}


def sha256_of(path: str | Path) -> str:
    """Hex sha256 of a file; computed once per path, time of change and size."""
    stat = Path(path).stat()
    key = (str(Path(path).resolve()), stat.st_mtime_ns, stat.st_size)
    if key not in _DIGESTS:
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        _DIGESTS[key] = digest.hexdigest()
    return _DIGESTS[key]


def list_weights(specs: Iterable[WeightSpec]) -> list[WeightStatus]:
    """What is found of each spec; digests are checked."""
    return [_status(spec) for spec in specs]


def _status(spec: WeightSpec) -> WeightStatus:
    try:
        return WeightStatus(spec, resolve(spec), None)
    except (WeightsNotFoundError, WeightsCorruptError) as e:
        return WeightStatus(spec, find(spec), str(e))


def load_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file, on the CPU, and its metadata (text to text).

    Raises:
        WeightsCorruptError: the file is not a whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, OSError) as e:
        raise WeightsCorruptError(
            f"{path} is not a readable safetensors file ({e}): get a whole copy of it"
        ) from e

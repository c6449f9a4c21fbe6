"""A part (regressor, exporter, ...) is a module found by its name in its folder.

A name with a dot is that of a module elsewhere: an installed one, or one below the current folder.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
from types import ModuleType
from typing import Any

from eftvideo.errors import ConfigError, MissingDependencyError

_SINGULAR = {
    "bodies": "body",
    "exporters": "export format",
    "regressors": "regressor",
    "renderers": "renderer",
}
KINDS = tuple(_SINGULAR)

_DEBIAN = {
    "libGL": "libgl1",
    "libEGL": "libegl1",
    "libOSMesa": "libosmesa6",
    "libglib-2.0": "libglib2.0-0",
    "libgthread-2.0": "libglib2.0-0",
    "libSM": "libsm6",
    "libICE": "libice6",
    "libX11": "libx11-6",
    "libXext": "libxext6",
    "libXrender": "libxrender1",
    "libxcb": "libxcb1",
    "libgomp": "libgomp1",
    "libstdc++": "libstdc++6",
    "libz": "zlib1g",
}
"""Shared libraries that pip cannot bring, and the Debian and Ubuntu package of each."""


def available(kind: str) -> list[str]:
    """Names of the parts of a kind, sorted.

    Raises:
        ValueError: `kind` is not one of KINDS.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, but got {kind!r}")
    package = importlib.import_module(f"eftvideo.{kind}")
    return sorted(
        m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")
    )


def load(kind: str, name: str) -> Any:
    """The class `Model` of module `eftvideo.<kind>.<name>`, or of module `name` if it has a dot.

    For a name with a dot the current folder is put on `sys.path`, as `python -m` does.

    Raises:
        ConfigError: no such part; the message lists those there are.
        MissingDependencyError: the part's library cannot be imported.
    """
    names = available(kind)
    if name in names:
        try:
            return importlib.import_module(f"eftvideo.{kind}.{name}").Model
        except ImportError as e:
            raise missing(f"{_SINGULAR[kind]} {name!r}", e) from e
    if "." in name and all(part.isidentifier() for part in name.split(".")):
        module = _module_elsewhere(_SINGULAR[kind], name, names)
        if not hasattr(module, "Model"):
            raise ConfigError(
                f"{_SINGULAR[kind]} {name!r} is a module without a class Model: write one, or "
                f"choose one of {', '.join(names)}"
            )
        return module.Model
    raise ConfigError(f"unknown {_SINGULAR[kind]} {name!r}: choose one of {', '.join(names)}")


def _module_elsewhere(what: str, name: str, names: list[str]) -> ModuleType:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if not f"{name}.".startswith(f"{e.name}."):
            raise missing(f"{what} {name!r}", e, "install what it imports") from e
        raise ConfigError(
            f"unknown {what} {name!r}: there is no module {e.name} in {folder} or installed; "
            f"choose one of {', '.join(names)}, or run from the folder that {name} is below"
        ) from e
    except ImportError as e:
        raise missing(f"{what} {name!r}", e, "mend its imports") from e


_REINSTALL = "reinstall with: pip install --force-reinstall eftvideo"


def missing(what: str, error: ImportError, remedy: str = _REINSTALL) -> MissingDependencyError:
    """The error for something that needs a library which cannot be imported, with the remedy.

    Args:
        what: the thing that needs it.
        error: from the import. Where a system library is at fault, its package is named.
        remedy: what to do where it is none.
    """
    cause: BaseException | None = error
    while cause is not None:
        found = re.search(r"\b(lib[\w+.-]*?)\.so[.\d]*", str(cause))
        if found:
            return _missing_system_library(what, found)
        cause = cause.__cause__ or cause.__context__
    reason = " ".join(str(error).split())
    return MissingDependencyError(f"{what} cannot be loaded: {reason}; {remedy}")


def _missing_system_library(what: str, found: re.Match[str]) -> MissingDependencyError:
    library, package = found.group(0), _DEBIAN.get(found.group(1))
    remedy = f"apt-get install {package}" if package else f"install the package that has {library}"
    return MissingDependencyError(
        f"{what} needs the system library {library}, which is missing; "
        f"on Debian and Ubuntu: {remedy}"
    )

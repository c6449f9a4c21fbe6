"""A part (detector, regressor, renderer, body) is a module found by its name in its folder."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from eftvideo.errors import ConfigError, MissingDependencyError

_SINGULAR = {
    "bodies": "body",
    "detectors": "detector",
    "regressors": "regressor",
    "renderers": "renderer",
}
KINDS = tuple(_SINGULAR)


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
    """The class `Model` of module `eftvideo.<kind>.<name>`.

    Raises:
        ConfigError: no such part; the message lists those there are.
        MissingDependencyError: the part's library cannot be imported.
    """
    if name not in available(kind):
        names = ", ".join(available(kind))
        raise ConfigError(f"unknown {_SINGULAR[kind]} {name!r}: choose one of {names}")
    try:
        return importlib.import_module(f"eftvideo.{kind}.{name}").Model
    except ImportError as e:
        raise MissingDependencyError(
            f"{_SINGULAR[kind]} {name!r} cannot be loaded: {e}; "
            "reinstall with: pip install --force-reinstall eftvideo"
        ) from e

"""What a run is told, from a preset, a file, options and `--set`: the later of these holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from eftvideo.cli.options import FIELDS
from eftvideo.config import RunConfig
from eftvideo.config.dotted import leaves, set_values, unfit, with_values
from eftvideo.config.files import read_toml
from eftvideo.config.old_names import OLD_NAMES
from eftvideo.config.presets import PRESETS
from eftvideo.config.values import UnfitError, likeness
from eftvideo.errors import ConfigError

_EXCLUDES = {"--focal-px": "fov_deg", "--fov-deg": "focal_length_px"}
"""What an option puts out of force, wherever it was set before."""


def settled(
    preset: str | None, file: Path | None, options: Mapping[str, str], settings: Iterable[str]
) -> RunConfig:
    """The configuration: defaults < preset < file < options < settings.

    Args:
        preset: Its name; None is the default.
        file: TOML.
        options: Those of FIELDS that were given, with what was typed after them.
        settings: `name=value` each.

    Raises:
        ConfigError: Something of it is wrong; says what and where.
    """
    cfg = set_values(RunConfig(), _preset(preset))
    if file is not None:
        cfg = read_toml(file, cfg, OLD_NAMES)
    cfg = set_values(_with_options(cfg, options), settings, OLD_NAMES)
    if cfg.focal_length_px is not None and cfg.fov_deg is not None:
        raise ConfigError("focal_length_px and fov_deg are both set: set one of them to none")
    return cfg


def _preset(name: str | None) -> tuple[str, ...]:
    if name is None:
        return ()
    if name not in PRESETS:
        near = sorted(PRESETS, key=lambda known: -likeness(name, known))
        raise ConfigError(f"--preset must be one of {', '.join(near)}, but got {name!r}")
    return PRESETS[name]


def _with_options(cfg: RunConfig, options: Mapping[str, str]) -> RunConfig:
    if _EXCLUDES.keys() <= options.keys():
        raise ConfigError(f"give {' or '.join(_EXCLUDES)}, not both")
    known = leaves(cfg)
    values = {_EXCLUDES[name]: None for name in options if name in _EXCLUDES}
    for name, text in options.items():
        leaf = known[FIELDS[name]]
        try:
            values[leaf.name] = leaf.kind.parse(text)
        except UnfitError as e:
            raise ConfigError(unfit(leaf._replace(name=name), e.value, e)) from None
    return with_values(cfg, values)

"""Settings that moved: what results, scripts and habits of earlier versions call them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, TypeVar

from eftvideo.config.dotted import check, field_kinds
from eftvideo.config.values import Kind

Config = TypeVar("Config")

OLD_NAMES: dict[str, str] = {
    "crop": "fit.crop",
    "eft.min_score": "keypoints.min_score",
    "eft.face_weight": "keypoints.face_weight",
    "eft.hip_weight": "keypoints.hip_weight",
    "eft.ankle_weight": "keypoints.ankle_weight",
    "eft.min_joints": "keypoints.min_joints",
    "eft.max_loss_px": "fit.accept.max_loss_px",
    "eft.max_rise_px": "fit.accept.max_rise_px",
    "eft.max_abs_beta": "fit.accept.max_abs_beta",
    "eft.max_pose_change_rad": "fit.accept.max_pose_change_rad",
    "eft.max_warm_gap_s": "fit.max_warm_gap_s",
    "eft": "fit.eft",
    "smplify": "fit.smplify",
    "smooth.fill_gaps": "refine.gaps.enabled",
    "smooth.max_gap_s": "refine.gaps.max_gap_s",
    "smooth": "refine.smooth",
    "render.draw": "draw.mode",
    "render": "draw",
    "method": "fit.method",
    "warm_start": "fit.warm_start",
    "shape": "fit.shape.enabled",
    "piece_frames": "fit.chunks.num_frames",
    "run_in_frames": "fit.chunks.warm_up_frames",
    "detect.second_look": "detect.second_look.whom",
    "detect.lean_deg": "detect.second_look.lean_deg",
    "detect.min_track_s": "track.unlikely.min_track_s",
    "detect.min_track_confidence": "track.unlikely.min_track_confidence",
    "detect.min_track_evidence": "track.unlikely.min_track_evidence",
    "detect.max_people": "track.max_people",
    "detect.track_ids": "track.track_ids",
}
"""Fields and groups of version 0.1 to the present ones, by dotted names."""

_MEANS: dict[str, dict[Any, Any]] = {
    "shape": {"per-track": True, "per-frame": False},
    "detect.second_look": {"off": "leaning"},
}


def take_old_names(cls: type[Config]) -> type[Config]:
    """Let the old names of a dataclass's fields do too: `RunConfig(eft=...)`, `cfg.eft`."""
    init = cls.__init__
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]

    @functools.wraps(init)
    def with_old_names(self: Config, *args: Any, **given: Any) -> None:
        old = {name: given.pop(name) for name in list(given) if name not in names}
        init(self, *args, **given)
        for name, value in old.items():
            path = OLD_NAMES.get(name)
            if path is None:
                init(self, **{name: value})  # Python's own error for an unknown argument
                continue
            value = _now(name, value)
            first, _, rest = path.partition(".")
            part = getattr(self, first)
            object.__setattr__(self, first, _replaced(part, rest, value) if rest else value)
        if old:
            check(self)

    def old_name(self: Config, name: str) -> Any:
        if name.startswith("_") or name not in OLD_NAMES:
            raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}")
        value = functools.reduce(getattr, OLD_NAMES[name].split("."), self)
        meant = [was for was, new in _MEANS.get(name, {}).items() if new == value]
        return meant[0] if meant else value

    cls.__init__ = with_old_names  # type: ignore[method-assign]
    cls.__getattr__ = old_name  # type: ignore[attr-defined]
    return cls


def _now(name: str, value: Any) -> Any:
    return _MEANS.get(name, {}).get(value, value) if isinstance(value, str) else value


def _replaced(part: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    new = _replaced(getattr(part, name), rest, value) if rest else value
    return dataclasses.replace(part, **{name: new})


def part_of(config: Mapping[str, Any], name: str, kind: type[Config]) -> Config:
    """A part of the configuration that a result was made with, whatever version made it.

    Args:
        config: `Result.config`. name: of the part, as `draw`. kind: its class.

    Returns:
        The part; fields that are not known there have their defaults. Groups in it are left out.
    """
    names = [n for n, of in field_kinds(kind).items() if isinstance(of, Kind)]
    found = {n: value_of(config, f"{name}.{n}") for n in names}
    found = {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()}
    return kind(**{n: v for n, v in found.items() if v is not None})


def value_of(config: Mapping[str, Any], name: str) -> Any:
    """A setting that a result was made with, whatever version made it; None: it is not told.

    Args:
        config: `Result.config`. name: dotted, as it is now.
    """
    old = {new: was for was, new in OLD_NAMES.items()}
    group, _, last = name.rpartition(".")
    for path in (name, old.get(name), f"{old[group]}.{last}" if group in old else None):
        found = _found(config, path.split(".")) if path else None
        if path and found is not None and not isinstance(found, Mapping):
            return found if path == name else as_now(path, found)[1]
    return None


def as_now(name: str, value: Any) -> tuple[str, Any]:
    """A setting of version 0.1, by its dotted name there, as it is called and said now."""
    parts = name.split(".")
    value = _now(name, value)
    for end in range(len(parts), 0, -1):
        if new := OLD_NAMES.get(".".join(parts[:end])):
            return ".".join([new, *parts[end:]]), value
    return name, value


def _found(config: Any, path: list[str]) -> Any:
    for name in path:
        config = config.get(name) if isinstance(config, Mapping) else None
    return config

"""A result file to the formats of other programs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eftvideo import plugins
from eftvideo.config.export import ExportConfig
from eftvideo.errors import ConfigError
from eftvideo.exporters import Exporter, Scene
from eftvideo.exporters._motion import Motion, motions, usual_fps
from eftvideo.files import make_folder
from eftvideo.results.posing import body_of
from eftvideo.results.result import Result
from eftvideo.results.result_file import load_result

log = logging.getLogger(__name__)

TELL_SHAPE_M = 1e-3
"""One shape per person is mentioned if it moves joints by more than this."""


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written, and what is in it."""

    path: Path
    track_ids: tuple[int, ...]
    num_samples: int
    """Of the person with the most."""
    fps: float | None
    """None: at the frames' own times."""
    start_s: float
    """Time of the first sample, from the start of the range that was run."""
    shape_error_m: float
    """Largest distance that a joint moved because the format holds one shape per person; 0 where
    it holds the shape of each frame."""


def export_result(
    source: str | Path,
    to: str,
    out: str | Path | None = None,
    cfg: ExportConfig | None = None,
    *,
    body: str | None = None,
) -> list[ExportedFile]:
    """Write a result in another format.

    Args:
        source: npz of a run.
        to: "amass", "glb", "bvh", "json" or "eft-json".
        out: a file with the format's suffix, or a folder (made if missing); None: beside `source`.
        cfg: who and how; None: everybody, as the format usually is.
        body: where the body model's file is now; None: where the run found it.

    Returns:
        What was written: one file, or one for each person.

    Raises:
        ConfigError: an unknown format or person, or something that the format cannot have.
        ResultFormatError: `source` is no result. VideoWriteError: a file cannot be written.
        WeightsNotFoundError: the body's file is gone.
    """
    exporter = load_exporter(to)
    cfg = cfg or ExportConfig()
    _check(to, exporter, cfg)
    source = Path(source)
    result = _people(load_result(source), cfg.track_ids)
    targets = _targets(source, out, exporter, result.track_ids)
    rate = exporter.rate(usual_fps(result), cfg.fps)
    model = body_of(result, body)
    if to == "amass" and not cfg.mean_shape and (body or result.config.get("body")) is None:
        log.warning(
            "the betas are those of the free body, which mean another shape to SMPL+H: give "
            "--mean-shape for a program that brings its own body"
        )
    axis = exporter.ups[0] if cfg.up is None else cfg.up
    people = motions(result, model, axis, rate)
    groups = [(p,) for p in people] if exporter.one_person_a_file else [tuple(people)]
    written = []
    for path, group in zip(targets, groups, strict=True):
        ids = [p.track_id for p in group]
        rows = result.select(np.isin(result.track_id, ids))
        exporter.save(path, Scene(group, rows, model, axis, rate, cfg.mean_shape, cfg.metres))
        written.append(_told(path, group, rate, exporter))
    return written


def formats() -> list[str]:
    """Names that `to` may have."""
    return [name.replace("_", "-") for name in plugins.available("exporters")]


def load_exporter(name: str) -> Exporter:
    """The exporter of a format.

    Raises:
        ConfigError: no such format.
    """
    if name not in formats():
        raise ConfigError(f"unknown format {name!r}: choose one of {', '.join(formats())}")
    return plugins.load("exporters", name.replace("-", "_"))()


def _check(to: str, exporter: Exporter, cfg: ExportConfig) -> None:
    if cfg.up is not None and cfg.up not in exporter.ups:
        axes = " or ".join(repr(a) for a in exporter.ups if a) or "the camera's axes"
        raise ConfigError(
            f"--up {cfg.up} cannot be had in {to}: the format has {axes}; leave it out"
        )
    if cfg.fps is not None and exporter.no_fps:
        raise ConfigError(f"--fps cannot be had in {to}: {exporter.no_fps}; leave it out")
    if cfg.fps is not None and not 0.0 < cfg.fps <= 1000.0:
        raise ConfigError(f"--fps must be above 0 and at most 1000, but got {cfg.fps:g}")
    if cfg.mean_shape and to != "amass":
        raise ConfigError(f"--mean-shape is for amass only, not for {to}: leave it out")
    if cfg.metres and to != "bvh":
        raise ConfigError(f"--metres is for bvh only: {to} is in metres anyway; leave it out")


def _people(result: Result, track_ids: Sequence[int]) -> Result:
    missing = sorted(set(track_ids) - set(result.track_ids))
    if missing:
        there = ", ".join(map(str, result.track_ids)) or "none"
        raise ConfigError(f"no person {missing[0]} in the result; there are: {there}")
    if not len(result):
        raise ConfigError("the result has nobody in it: there is nothing to export")
    if not track_ids:
        return result
    return result.select(np.isin(result.track_id, np.array(track_ids)))


def _targets(
    source: Path, out: str | Path | None, exporter: Exporter, ids: Sequence[int]
) -> list[Path]:
    """A path for each file; its folder is made."""
    suffix = exporter.suffix
    where = source.parent if out is None else Path(out)
    one_file = len(ids) == 1 or not exporter.one_person_a_file
    if where.suffix.lower() == suffix and not where.is_dir():
        if not one_file:
            raise ConfigError(
                f"-o {where} is one file, but there are {len(ids)} people and the format holds "
                "one a file: give a folder, or --track-id"
            )
        targets = [where]
    else:
        names = [f"_person{i}" for i in ids] if exporter.one_person_a_file else [""]
        targets = [where / f"{source.stem}{name}{exporter.tag}{suffix}" for name in names]
    if any(t.resolve() == source.resolve() for t in targets):
        raise ConfigError(f"-o would write over {source}: give another place")
    make_folder(targets[0].parent)
    return targets


def _told(
    path: Path, group: tuple[Motion, ...], rate: float | None, exporter: Exporter
) -> ExportedFile:
    one_shape = exporter.one_person_a_file
    error = max(float(p.shape_error_m.max()) for p in group) if one_shape else 0.0
    if error > TELL_SHAPE_M:
        log.warning(
            "%s holds one shape, but the fitted shape changes over the track: joints are up to "
            "%.0f mm off",
            path.name,
            1000.0 * error,
        )
    return ExportedFile(
        path=path,
        track_ids=tuple(p.track_id for p in group),
        num_samples=max(len(p) for p in group),
        fps=rate,
        start_s=min(float(p.times_s[0]) for p in group),
        shape_error_m=error,
    )

"""A report of a run: one HTML file that needs nothing else, to read, keep and send."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eftvideo.config import DrawConfig
from eftvideo.config.old_names import part_of
from eftvideo.draw.people import drawn_by_run
from eftvideo.draw.result import open_for
from eftvideo.files import make_folder, write_whole
from eftvideo.progress import Progress
from eftvideo.report.page import page
from eftvideo.report.pictures import take_shots
from eftvideo.results.posing import body_of
from eftvideo.results.result import Result


def write_report(
    result: Result,
    clip: str | Path,
    out_dir: str | Path,
    *,
    body: str | None = None,
    stem: str | None = None,
    timings_s: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write STEM_report.html: tracks, errors, steps, rejected fits, speed, settings, key frames.

    Args:
        result: of `run_video` or `load_result`.
        clip: the video that it was made from; read once more for the pictures.
        out_dir: folder, made if missing.
        body: body file; None: the one that the run used.
        stem: first part of the name; None: the clip's.
        timings_s: seconds by stage; None: the result's own, which a loaded one does not have.
        progress: listener; None is silent.

    Returns:
        The file written.

    Raises:
        ConfigError: another clip or body than the result's.
        EftVideoError: the clip cannot be read, the folder not written.
    """
    # The progress that listens may be the one whose seconds these are: not those of the report.
    timings_s = dict(result.timings_s if timings_s is None else timings_s)
    render = part_of(result.config, "draw", DrawConfig)
    with open_for(result, clip) as frames:
        model = body_of(result, body)
        target = make_folder(Path(out_dir)) / f"{stem or Path(clip).stem}_report.html"
        draw = drawn_by_run(render)
        shots = take_shots(frames, result, model, draw, render, progress or Progress())
        text = page(result, shots, frames.times_s, timings_s)
    write_whole(target, text.encode("utf-8"))
    return target

"""What a person at a terminal sees of a run: progress, warnings, summary."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from eftvideo.config import RunConfig
from eftvideo.errors import EftVideoError
from eftvideo.pipeline import run_video
from eftvideo.progress import Progress
from eftvideo.results import Result
from eftvideo.types import FITTED

PLAIN_INTERVAL_S = 5.0
"""Time between progress lines where the output is no terminal."""
SHARE_OF_OLD = 0.9
"""Weight of the old value in the running means of the figures shown."""


def set_up_logging(console: Console, *, quiet: bool, verbose: bool) -> None:
    """Show the package's own log on the console: warnings, or more, or errors only."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    handler = RichHandler(
        console=console, show_time=verbose, show_path=False, show_level=True, markup=False
    )
    logger = logging.getLogger("eftvideo")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level)


class _Shown(Progress):
    """Keeps the figures that both displays show."""

    def begin(self, stage: str, total: int) -> None:
        self._name, self._total, self._done = stage, total, 0
        self._began = time.perf_counter()
        self._figures: dict[str, float] = {}

    def advance(self, frames: int, **figures: float) -> None:
        self._done += frames
        for name, value in figures.items():
            old = self._figures.get(name, value)
            self._figures[name] = (
                value if name == "people" else SHARE_OF_OLD * old + (1 - SHARE_OF_OLD) * value
            )

    def _text(self) -> str:
        rate = self._done / max(1e-6, time.perf_counter() - self._began)
        people = f"{self._figures.get('people', 0):.0f} people"
        px = f", {self._figures['px']:.1f} px" if "px" in self._figures else ""
        return f"{people}{px}, {rate:.1f} frames/s"


class LiveProgress(_Shown):
    """A bar per stage."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__()
        self._bar = Bar(
            TextColumn("{task.description:>8}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        console.print(title)

    def begin(self, stage: str, total: int) -> None:
        super().begin(stage, total)
        self._task = self._bar.add_task(stage, total=total, text="")
        self._bar.start()

    def advance(self, frames: int, **figures: float) -> None:
        super().advance(frames, **figures)
        self._bar.update(self._task, advance=frames, text=self._text())

    def end(self) -> None:
        self._bar.stop()
        self._bar.remove_task(self._task)


class PlainProgress(_Shown):
    """A line now and then, for logs and pipes."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__()
        self._console, self._title = console, title

    def begin(self, stage: str, total: int) -> None:
        super().begin(stage, total)
        self._last = self._began

    def advance(self, frames: int, **figures: float) -> None:
        super().advance(frames, **figures)
        now = time.perf_counter()
        if now - self._last >= PLAIN_INTERVAL_S:
            self._last = now
            self._line()

    def end(self) -> None:
        self._line()

    def _line(self) -> None:
        spent = time.perf_counter() - self._began
        left = spent / max(1, self._done) * (self._total - self._done)
        self._console.print(
            f"{self._title}: {self._name} frame {self._done}/{self._total}, {self._text()}, "
            f"{left:.0f} s left"
        )


def run_clips(
    clips: Sequence[Path],
    out: Path,
    cfg: RunConfig,
    output: Console,
    errors: Console,
    *,
    quiet: bool,
) -> int:
    """Run clips one after the other; a bad one is reported and the others go on.

    Returns:
        How many failed.
    """
    failed = 0
    for clip in clips:
        try:
            result = run_video(clip, out, cfg, _progress(clip, output, quiet=quiet))
        except EftVideoError as e:
            failed += 1
            text = str(e).replace("[", r"\[")
            errors.print(f"[red]error:[/red] {text}")
            continue
        if not quiet:
            summarize(clip, result, out, cfg, output)
    if failed and len(clips) > 1:
        errors.print(f"{failed} of {len(clips)} clips failed")
    return failed


def _progress(clip: Path, output: Console, *, quiet: bool) -> Progress:
    if quiet:
        return Progress()
    return (LiveProgress if output.is_terminal else PlainProgress)(output, clip.name)


def summarize(clip: Path, result: Result, out: Path, cfg: RunConfig, output: Console) -> None:
    """The closing words: who was seen, how well they fit, how fast it went, where it is."""
    if not len(result):
        output.print(f"{clip.name}: nobody was found in it; the result has no rows")
    else:
        output.print(_table(result))
        output.print(_fit_words(result, cfg))
    frames = _frames_run(result, cfg)
    speeds = [f"{name} {frames / max(s, 1e-6):.1f}" for name, s in result.timings_s.items()]
    total = sum(result.timings_s.values())
    output.print(f"{total:.1f} s; frames/s by stage: {', '.join(speeds)}")
    output.print(f"wrote {out / (clip.stem + '.npz')}")
    if cfg.render.enabled:
        output.print(f"wrote {out / (clip.stem + '_overlay.mp4')}")


def _frames_run(result: Result, cfg: RunConfig) -> int:
    seconds = result.num_frames / float(result.fps)
    end = min(cfg.clip.end_s or seconds, seconds)
    share = max(0.0, end - cfg.clip.start_s) / max(seconds, 1e-9)
    return max(1, round(result.num_frames * share / cfg.clip.stride))


def _table(result: Result) -> Table:
    table = Table("track", "frames", "seconds", "mean score", "px before", "px after", box=None)
    for track_id in result.track_ids:
        t = result.track(track_id)
        table.add_row(
            str(track_id),
            str(len(t)),
            f"{t.time_s[0]:.2f} - {t.time_s[-1]:.2f}",
            f"{t.bbox_score.mean():.2f}",
            f"{np.median(t.loss_px_start):.1f}",
            f"{np.median(t.loss_px):.1f}",
        )
    return table


def _fit_words(result: Result, cfg: RunConfig) -> str:
    if cfg.method == "regress":
        return f"{len(result)} person-frames, not fitted (--method regress)"
    rejected = int((result.status != FITTED).sum())
    return (
        f"{len(result)} person-frames; 2D error (median, px of a 224 px crop) "
        f"{np.median(result.loss_px_start):.1f} before, {np.median(result.loss_px):.1f} after "
        f"{result.num_steps.mean():.1f} steps on average; {rejected} fits rejected"
    )

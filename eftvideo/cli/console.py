"""What a person at a terminal sees: progress, warnings, tables, summary.

Progress and warnings go to the error stream, the tables and the closing words to the output.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from eftvideo.bodies import load_body
from eftvideo.cli.doctor import Check
from eftvideo.config import RunConfig
from eftvideo.errors import EftVideoError
from eftvideo.pipeline import run_video
from eftvideo.progress import Progress
from eftvideo.regressors._load import load_regressor
from eftvideo.results.result import Result
from eftvideo.setup import choose_device
from eftvideo.types import REJECTED
from eftvideo.types.track_table import TrackRow
from eftvideo.weights.locate import WeightStatus

PLAIN_INTERVAL_S = 5.0
"""Time between progress lines where the error stream is no terminal."""
SHARE_OF_OLD = 0.9
"""Weight of the old value in the running means of the figures shown."""
_COLOURS = {"error": "red", "warning": "yellow"}


class _LogLines(logging.Handler):
    """The package's log as lines like those of errors; a live display stays below them."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        name = record.levelname.lower()
        text = f"{name}: {record.getMessage()}"
        self._console.print(text, style=_COLOURS.get(name, "dim"), markup=False, soft_wrap=True)


def set_up_logging(console: Console, *, quiet: bool, verbose: bool) -> None:
    """Show the package's own log on the console: warnings, or more, or errors only."""
    logger = logging.getLogger("eftvideo")
    logger.handlers, logger.propagate = [_LogLines(console)], False
    logger.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)


class _Shown(Progress):
    """Keeps the figures that both displays show, and prints who was found."""

    def __init__(self, console: Console, output: Console, title: str) -> None:
        super().__init__()
        self._console, self._output, self._title = console, output, title

    def begin(self, stage: str, total: int) -> None:
        if not self.seconds:  # the first stage: the clip can be read
            self._console.print(self._title, style="bold", markup=False)
        self._stage, self._total, self._done = stage, total, 0
        self._began = time.perf_counter()
        self._figures: dict[str, float] = {}

    def advance(self, frames: int, **figures: float) -> None:
        self._done += frames
        for name, value in figures.items():
            old = self._figures.get(name, value)
            self._figures[name] = (
                value if name == "people" else SHARE_OF_OLD * old + (1 - SHARE_OF_OLD) * value
            )

    def found(self, tracks: Sequence[TrackRow]) -> None:
        if tracks:
            self._output.print(tracks_table(tracks))

    def _text(self) -> str:
        rate = self._done / max(1e-6, time.perf_counter() - self._began)
        people = f"{self._figures.get('people', 0):.0f} people, "
        px = f"{self._figures['px']:.1f} px, " if "px" in self._figures else ""
        return f"{people}{px}{rate:.1f} frames/s"


class LiveProgress(_Shown):
    """A bar per stage; it stays in view when the stage is over."""

    def begin(self, stage: str, total: int) -> None:
        super().begin(stage, total)
        self._bar = Bar(
            TextColumn("{task.description:>8}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self._console,
        )
        self._task = self._bar.add_task(stage, total=total, text="")
        self._bar.start()

    def advance(self, frames: int, **figures: float) -> None:
        super().advance(frames, **figures)
        self._bar.update(self._task, advance=frames, text=self._text())

    def end(self) -> None:
        self._bar.stop()


class PlainProgress(_Shown):
    """A line now and then, for logs and pipes."""

    def begin(self, stage: str, total: int) -> None:
        super().begin(stage, total)
        self._last = self._began

    def advance(self, frames: int, **figures: float) -> None:
        super().advance(frames, **figures)
        now = time.perf_counter()
        if now - self._last >= PLAIN_INTERVAL_S:
            self._last = now
            left = (now - self._began) / max(1, self._done) * (self._total - self._done)
            self._line(f"{left:.0f} s left")

    def end(self) -> None:
        self._line(f"{time.perf_counter() - self._began:.1f} s")

    def _line(self, clock: str) -> None:
        self._console.print(
            f"{self._title}: {self._stage} frame {self._done}/{self._total}, "
            f"{self._text()}, {clock}",
            markup=False,
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

    Raises:
        EftVideoError: with several clips, settings that would make every one of them fail.
    """
    if len(clips) > 1:
        _try_settings(cfg)
    failed = 0
    for number, clip in enumerate(clips, start=1):
        title = clip.name if len(clips) == 1 else f"[{number}/{len(clips)}] {clip.name}"
        try:
            result = run_video(clip, out, cfg, make_progress(errors, output, title, quiet=quiet))
        except EftVideoError as e:
            failed += 1
            errors.print(f"[red]error:[/red] {escape(str(e))}")
            continue
        if not quiet:
            summarize(clip, result, out, cfg, output)
    if failed and len(clips) > 1:
        errors.print(f"{failed} of {len(clips)} clips failed")
    return failed


def _try_settings(cfg: RunConfig) -> None:
    """A wrong device, network or body is said once, not once per clip."""
    device = choose_device(cfg.device)
    load_regressor(cfg, device, load_body(cfg.body, device))


def make_progress(errors: Console, output: Console, title: str, *, quiet: bool) -> Progress:
    """A listener that suits the error stream: a live bar, plain lines, or silence."""
    if quiet:
        return Progress()
    return (LiveProgress if errors.is_terminal else PlainProgress)(errors, output, title)


def tracks_table(tracks: Sequence[TrackRow]) -> Table:
    """Who was found, as `--track-id` wants to know it."""
    table = _table("track", "frames", "from s", "seconds", "mean score")
    for t in tracks:
        figures = (t.track_id, t.num_frames, f"{t.start_s:.2f}", f"{t.seconds:.2f}")
        table.add_row(*map(str, figures), f"{t.mean_score:.2f}")
    return table


def summarize(clip: Path, result: Result, out: Path, cfg: RunConfig, output: Console) -> None:
    """The closing words: how well everybody fits, how fast it went, where it is."""
    if not len(result):
        output.print(f"{clip.name}: nobody was found in it; the result has no rows", markup=False)
    elif cfg.fit.method == "regress":
        output.print(f"{len(result)} person-frames, not fitted (--method regress)")
    else:
        output.print(_fits_table(result))
    stages = [f"{name} {seconds:.1f} s" for name, seconds in result.timings_s.items()]
    output.print(f"{', '.join(stages)}; {sum(result.timings_s.values()):.1f} s in all")
    output.print(f"wrote {out / (clip.stem + '.npz')}", markup=False)
    if cfg.draw.enabled:
        output.print(f"wrote {out / (clip.stem + '_overlay.mp4')}", markup=False)
    if cfg.draw.report:
        output.print(f"wrote {out / (clip.stem + '_report.html')}", markup=False)


def _fits_table(result: Result) -> Table:
    """Medians for each person, and for all where there are several; px of a 224 px crop."""
    table = _table("track", "frames", "px before", "px after", "steps", "rejected")
    people = {str(i): result.track(i) for i in result.track_ids}
    for name, t in (people | ({"all": result} if len(people) > 1 else {})).items():
        table.add_row(
            name,
            str(len(t)),
            f"{np.median(t.loss_px_start):.1f}",
            f"{np.median(t.loss_px):.1f}",
            f"{t.num_steps.mean():.1f}",
            str(int((t.status == REJECTED).sum())),
        )
    return table


def print_checks(checks: Sequence[Check], output: Console) -> None:
    """The doctor's report: a line for each part, and below it what to do."""
    marks = {
        True: "[green]ok[/green]     ",
        False: "[red]missing[/red]",
        None: "[yellow]-[/yellow]      ",
    }
    for check in checks:
        output.print(f"{marks[check.ok]} {escape(check.name)}: {escape(check.found)}")
        if check.remedy:
            output.print(f"        {escape(check.remedy)}")


def print_weights(statuses: Sequence[WeightStatus], output: Console) -> None:
    """For each weight file: where it is, its licence, where it comes from."""
    absent = [s.spec for s in statuses if s.spec.url and not s.path]
    for status in statuses:
        spec = status.spec
        if spec in absent:
            continue
        where = str(status.path) if status.path else "not found"
        output.print(f"[bold]{spec.file}[/bold]: {escape(where)}")
        output.print(f"    {escape(spec.origin)}; licence {escape(spec.licence)}")
        if status.problem:
            output.print(f"    [red]{escape(status.problem)}[/red]")
    for origin in dict.fromkeys(spec.origin for spec in absent):
        some = [spec for spec in absent if spec.origin == origin]
        output.print("optional, not found: " + ", ".join(spec.file for spec in some))
        output.print(f"    {escape(origin)}; licence {escape(some[0].licence)}")
    output.print("published networks: eftvideo weights fetch")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    return table

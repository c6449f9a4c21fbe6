"""What is shown of a run: figures, tables, logs, plain lines and live bars."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from eftvideo.cli import console
from eftvideo.cli.doctor import Check
from eftvideo.config import RenderConfig, RunConfig
from eftvideo.errors import ConfigError, VideoOpenError
from eftvideo.progress import Progress
from eftvideo.types.track_table import TrackRow
from eftvideo.weights.locate import WeightSpec, WeightStatus
from tests.results.test_results import made_up

TRACKS = [TrackRow(1, 88, 0, 87, 0.0, 2.9, 0.804), TrackRow(12, 9, 3, 11, 0.1, 0.27, 0.5)]


def screen(terminal=False):
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, highlight=False)


def text(shown):
    return shown.file.getvalue()


def test_plain_progress_prints_a_line_now_and_then(monkeypatch):
    clock = iter(np.arange(0.0, 1000.0, 0.5).tolist())
    monkeypatch.setattr(console.time, "perf_counter", lambda: next(clock))
    errors, output = screen(), screen()
    progress = console.PlainProgress(errors, output, "clip [1].mp4")
    with progress.stage("fit", 40):
        for _ in range(40):
            progress.advance(1, people=3, px=2.5)
    lines = text(errors).splitlines()
    assert lines[0] == "clip [1].mp4"
    assert 4 <= len(lines) <= 15
    assert lines[1].startswith("clip [1].mp4: fit frame ") and lines[1].endswith(" s left")
    assert "frame 40/40, 3 people, 2.5 px, " in lines[-1] and "frames/s" in lines[-1]
    assert text(output) == ""


def test_title_comes_once_and_only_when_work_begins():
    errors = screen()
    progress = console.PlainProgress(errors, screen(), "clip.mp4")
    assert text(errors) == ""
    for stage in ("detect", "fit"):
        with progress.stage(stage, 1):
            progress.advance(1)
    assert text(errors).splitlines().count("clip.mp4") == 1


def test_live_progress_shows_stage_frames_people_error_and_rate():
    errors = screen(terminal=True)
    progress = console.LiveProgress(errors, screen(), "clip.mp4")
    with progress.stage("fit", 20):
        for _ in range(20):
            progress.advance(1, people=2, px=3.0)
    shown = text(errors)
    for part in ("clip.mp4", "fit", "20/20", "2 people, 3.0 px", "frames/s"):
        assert part in shown


def test_live_display_ends_with_the_stage_even_after_an_error():
    errors = screen(terminal=True)
    progress = console.LiveProgress(errors, screen(), "clip.mp4")
    with pytest.raises(KeyboardInterrupt), progress.stage("fit", 20):
        raise KeyboardInterrupt
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert text(errors).rfind(show) > text(errors).rfind(hide) >= 0
    assert "fit" in progress.seconds


def test_tracks_are_printed_when_found():
    output = screen()
    console.PlainProgress(screen(), output, "clip.mp4").found(TRACKS)
    header, first, second = (line.split() for line in text(output).splitlines())
    assert header == ["track", "frames", "from", "s", "seconds", "mean", "score"]
    assert first == ["1", "88", "0.00", "2.90", "0.80"]
    assert second == ["12", "9", "0.10", "0.27", "0.50"]


def test_nobody_found_prints_no_table():
    output = screen()
    console.PlainProgress(screen(), output, "clip.mp4").found([])
    assert text(output) == ""


def test_summary_of_a_fit(tmp_path):
    result = replace(
        made_up(),
        loss_px_start=np.array([4.0, 8.0, 10.0, 6.0, 12.0], np.float32),
        loss_px=np.array([2.0, 3.0, 5.0, 4.0, 4.0], np.float32),
        num_steps=np.array([5, 0, 3, 7, 6]),
        status=np.array([0, 1, 0, 0, 0]),
        timings_s={"detect": 10.0, "fit": 2.0, "draw": 4.0},
    )
    output = screen()
    console.summarize(Path("a/clip [1].mp4"), result, tmp_path, RunConfig(), output)
    lines = text(output).replace("\n" + str(tmp_path), str(tmp_path)).splitlines()
    assert lines[1].split() == ["1", "2", "5.0", "3.0", "6.0", "0"]
    assert lines[2].split() == ["2", "3", "10.0", "4.0", "3.0", "1"]
    assert lines[3].split() == ["all", "5", "8.0", "4.0", "4.2", "1"]
    assert lines[4] == "detect 10.0 s, fit 2.0 s, draw 4.0 s; 16.0 s in all"
    assert "clip [1].npz" in text(output) and "clip [1]_overlay.mp4" in text(output)


def test_summary_of_a_regression_and_of_nobody(tmp_path):
    output = screen()
    cfg = RunConfig(method="regress", render=RenderConfig(enabled=False))
    console.summarize(Path("c.mp4"), made_up(), tmp_path, cfg, output)
    assert "5 person-frames, not fitted" in text(output)
    assert "overlay" not in text(output) and "px after" not in text(output)
    output = screen()
    console.summarize(Path("c.mp4"), made_up(0), tmp_path, cfg, output)
    assert "c.mp4: nobody was found in it; the result has no rows" in text(output)


@pytest.mark.parametrize(
    ("quiet", "verbose", "shown"),
    [(False, False, ["warning"]), (True, False, []), (False, True, ["info", "warning"])],
)
def test_log_lines(quiet, verbose, shown):
    errors = screen()
    logger = logging.getLogger("eftvideo")
    before = (logger.handlers, logger.propagate, logger.level)
    try:
        console.set_up_logging(errors, quiet=quiet, verbose=verbose)
        child = logging.getLogger("eftvideo.video.reader.reader.reader")
        child.debug("never [x]")
        child.info("frame %d [bold]", 3)
        child.warning("a.mp4 is damaged")
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])
    all_lines = {"info": "info: frame 3 [bold]", "warning": "warning: a.mp4 is damaged"}
    assert text(errors).splitlines() == [all_lines[name] for name in shown]


def test_one_bad_clip_does_not_stop_the_others(monkeypatch, tmp_path):
    ran = []

    def run(clip, out, cfg, progress):
        ran.append(clip.name)
        if clip.name == "bad.mp4":
            raise VideoOpenError("bad.mp4 is [not] a video: give an mp4")
        return made_up(0)

    monkeypatch.setattr(console, "run_video", run)
    monkeypatch.setattr(console, "_try_settings", lambda cfg: None)
    output, errors = screen(), screen()
    clips = [Path("a.mp4"), Path("bad.mp4"), Path("c.mp4")]
    failed = console.run_clips(clips, tmp_path, RunConfig(), output, errors, quiet=False)
    assert failed == 1 and ran == ["a.mp4", "bad.mp4", "c.mp4"]
    assert "error: bad.mp4 is [not] a video: give an mp4" in text(errors)
    assert text(errors).endswith("1 of 3 clips failed\n")
    assert text(output).count("wrote") == 4


def test_wrong_settings_are_said_once_for_many_clips(monkeypatch, tmp_path):
    def run(*args):
        raise AssertionError("nothing must be run")

    monkeypatch.setattr(console, "run_video", run)
    for cfg in (RunConfig(device="tpu"), RunConfig(regressor="hmr9")):
        with pytest.raises(ConfigError, match=r"unknown|not supported"):
            console.run_clips(
                [Path("a.mp4"), Path("b.mp4")], tmp_path, cfg, screen(), screen(), quiet=False
            )


def test_quiet_progress_keeps_the_time():
    progress = console.make_progress(screen(), screen(), "a.mp4", quiet=True)
    assert type(progress) is Progress
    with progress.stage("draw", 3):
        progress.advance(3, people=1)
    assert progress.seconds["draw"] >= 0.0


def test_display_follows_the_terminal():
    for terminal, kind in ((True, console.LiveProgress), (False, console.PlainProgress)):
        assert type(console.make_progress(screen(terminal), screen(), "a", quiet=False)) is kind


def test_doctors_report_tells_the_remedy():
    output = screen()
    checks = [
        Check("Python", True, "3.11 [x]"),
        Check("OpenGL", None, "no EGL", "apt-get install libegl1"),
        Check("torch", False, "not installed", "pip install torch"),
    ]
    console.print_checks(checks, output)
    assert text(output).splitlines() == [
        "ok      Python: 3.11 [x]",
        "-       OpenGL: no EGL",
        "        apt-get install libegl1",
        "missing torch: not installed",
        "        pip install torch",
    ]


def test_weights_report():
    output = screen()
    here = WeightSpec("a.npz", None, "CC0-1.0", "made here")
    there = WeightSpec("b.npz", None, "research only", "theirs", url="https://example.org")
    console.print_weights(
        [
            WeightStatus(here, Path("x/a.npz"), None),
            WeightStatus(replace(here, file="c.npz"), Path("x/c.npz"), "c.npz is broken"),
            WeightStatus(there, None, "b.npz not found"),
        ],
        output,
    )
    shown = text(output)
    assert "a.npz: x/a.npz" in shown and "made here; licence CC0-1.0" in shown
    assert "c.npz is broken" in shown
    assert "optional, not found: b.npz\n    theirs; licence research only" in shown

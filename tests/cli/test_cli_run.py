"""The command line at work: what is printed where, interrupts, the other commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from cli_case import fails, runner
from media import make_clip

from eftvideo.cli import console
from eftvideo.cli.app import app

pytestmark = pytest.mark.usefixtures("wide")


def test_missing_system_library(numbers, tmp_path, monkeypatch):
    def bare(*args, **kwargs):
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(console, "run_clips", bare)
    assert fails(numbers).endswith("on Debian and Ubuntu: apt-get install libgl1")


def test_quiet_prints_nothing(numbers, tmp_path):
    result = runner.invoke(app, ["run", str(numbers), "-q", "-o", str(tmp_path)])
    assert (result.exit_code, result.output) == (0, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["numbers.npz", "numbers_overlay.mp4"]


def test_progress_goes_to_the_error_stream(numbers, tmp_path):
    result = runner.invoke(app, ["run", str(numbers), "-o", str(tmp_path), "--no-overlay"])
    assert result.exit_code == 0
    assert "numbers.mp4: detect frame 6/6, 0 people" in result.stderr
    assert "wrote " in result.stdout and "frame 6/6" not in result.stdout


def test_interrupt_is_one_line(numbers, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(console, "run_video", interrupted)
    result = runner.invoke(app, ["run", str(numbers), "-o", str(tmp_path)])
    assert result.exit_code == 130
    assert result.stderr.splitlines() == ["interrupted: nothing unfinished was kept"]


@pytest.mark.parametrize("stage", ["detect", "draw"])
def test_real_interrupt_leaves_no_broken_file(tmp_path, stage):
    """Ctrl-C goes to the whole process group, ffmpeg's too, as a terminal sends it."""
    clip = make_clip(tmp_path / "long.mp4", num_frames=60)
    script = f"""
import os, signal, time
from eftvideo.cli import console
from eftvideo.__main__ import main

advance = console.PlainProgress.advance
def slow(self, frames, **figures):
    advance(self, frames, **figures)
    if self._stage == {stage!r} and self._done == 6:
        print("now", flush=True)
    time.sleep(0.02 if self._stage == {stage!r} else 0.0)
console.PlainProgress.advance = slow
main()
"""
    command = [sys.executable, "-c", script, "run", str(clip), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "now\n"
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "interrupted: nothing unfinished was kept"
    assert "Traceback" not in err
    left = {p.name for p in (tmp_path / "out").iterdir()}
    assert left == ({"long.npz"} if stage == "draw" else set())


def test_doctor_and_weights_list():
    report = runner.invoke(app, ["doctor"])
    assert report.exit_code == 0, report.output
    for part in ("Python", "torch", "ffmpeg", "OpenGL", "lifter.safetensors", "neutral_body.npz"):
        assert part in report.output
    listed = runner.invoke(app, ["weights", "list"])
    assert listed.exit_code == 0
    for part in ("lifter.safetensors", "yolo11n-pose.pt", "licence", "smpl.is.tue.mpg.de"):
        assert part in listed.output


def test_import_of_an_own_body(tmp_path):
    from smpl_files import write_smpl_pickle

    source = tmp_path / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl"
    write_smpl_pickle(source)
    done = runner.invoke(app, ["weights", "import", str(source), "-o", str(tmp_path / "w")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "w" / "SMPL_NEUTRAL.npz").is_file() and "SMPL_NEUTRAL.npz" in done.stdout
    bad = runner.invoke(app, ["weights", "import", str(tmp_path / "none.pkl")])
    assert bad.exit_code == 2 and bad.stderr.startswith("error: ")


def test_train_refuses_nonsense(tmp_path):
    for args in (["--steps", "0"], []):
        poses = ["--poses", str(tmp_path / "none.npz"), "-o", str(tmp_path / "t")]
        done = runner.invoke(app, ["train", "lifter", *poses, *args])
        assert done.exit_code == 2 and done.stderr.startswith("error: "), done.output

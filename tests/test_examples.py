"""The examples run as they stand, and the example clip is what the notice beside it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from media import ffmpeg

from eftvideo.results.result_file import load_result
from eftvideo.video.probe import probe
from tests.conftest import EXAMPLE, ROOT, FinishedRun

SCRIPTS = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))


@pytest.fixture(scope="module")
def few_frames(tmp_path_factory):
    path = tmp_path_factory.mktemp("few") / "few.mp4"
    small = ("-vf", "scale=884:496", "-preset", "ultrafast", "-an")
    ffmpeg("-i", str(EXAMPLE), "-frames:v", "3", *small, str(path))
    return path


@pytest.mark.parametrize("script", SCRIPTS, ids=[p.name for p in SCRIPTS])
def test_runs(script, few_frames, tmp_path):
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        [sys.executable, str(script), str(few_frames), str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": os.pathsep.join(places)},
    )
    assert done.returncode == 0, done.stderr
    assert len(load_result(tmp_path / "few.npz")) == 6
    for line in done.stdout.splitlines():
        if line.startswith("wrote ") and "obj" in line:
            text = (tmp_path / "few_first.obj").read_text()
            assert text.count("\nf ") > 10_000 and "nan" not in text
            break
    else:
        assert (tmp_path / "few_overlay.mp4").is_file()


def test_scripts_are_numbered():
    assert [p.name[:3] for p in SCRIPTS] == ["00_", "01_"]


def test_example_clip():
    clip = probe(EXAMPLE)
    assert EXAMPLE.stat().st_size < 2e6 and 2.0 < clip.duration_s < 6.0
    notice = EXAMPLE.with_name("LICENSE.sports2d_demo").read_text()
    assert "BSD 3-Clause License" in notice and "Sports2D" in notice


def test_two_people_are_in_it(finished: FinishedRun):
    assert finished.result.track_ids == [1, 2]

"""What tests of the command line share."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from eftvideo.cli import console
from eftvideo.cli.app import app

runner = CliRunner()


def fails(*args, code=2):
    """Run, expect the exit code, return the only line of the error stream."""
    result = runner.invoke(app, ["run", *map(str, args)])
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.output
    assert "Traceback" not in result.output
    return lines[0]


def run_nothing(monkeypatch):
    """Let `eftvideo run` only tell what it would do, in the dictionary that is returned."""
    seen = {}

    def run_clips(clips, out, cfg, output, errors, *, quiet):
        seen.update(clips=clips, out=out, cfg=cfg, quiet=quiet)
        return 0

    monkeypatch.setattr(console, "run_clips", run_clips)
    monkeypatch.setattr(console, "set_up_logging", lambda *a, **k: None)
    return seen


def run_python(script, *args):
    return subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True)

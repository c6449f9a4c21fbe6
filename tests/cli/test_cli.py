"""The command line: help, exit codes, one line for each thing that a user can get wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import torch
from cli_case import fails, run_nothing, run_python, runner
from media import ffmpeg, tone
from safetensors.torch import save_file

from eftvideo.cli.app import app
from eftvideo.config import RunConfig
from eftvideo.regressors.lifter import LifterConfig, Model
from tests.conftest import EXAMPLE

pytestmark = pytest.mark.usefixtures("wide")


@pytest.mark.parametrize(
    "line",
    [
        *("--help", "run --help", "--version", "doctor --help", "config --help", "weights --help"),
        *("config", "config fit.eft", "config --preset best --set clip.stride=2"),
    ],
)
def test_help_is_quick(line):
    """It imports neither torch nor numpy nor a video library."""
    script = """
import sys
from eftvideo.__main__ import main
try:
    main()
finally:
    heavy = {"torch", "numpy", "cv2", "decord", "ultralytics", "smplx", "scipy"} & set(sys.modules)
    print(*sorted(heavy), file=sys.stderr)
"""
    done = run_python(script, *line.split())
    assert done.returncode == 0 and done.stderr.strip() == ""


@pytest.mark.parametrize(
    "line",
    [
        *("run a.mp4 --steps 5", "run a.mp4 --stride 0", "run a.mp4 --set x=1", "run"),
        *("run a.mp4 --config none.toml", "run a.mp4 --preset x", "run a.mp4 b/a.mp4"),
        "config zzz",
    ],
)
def test_mistakes_are_found_before_anything_heavy_is_loaded(line):
    script = """
import sys
from eftvideo.__main__ import main
try:
    main()
finally:
    heavy = {"torch", "numpy", "cv2", "decord", "ultralytics", "smplx", "scipy"} & set(sys.modules)
    print(*sorted(heavy))
"""
    done = run_python(script, *line.split())
    assert (done.returncode, done.stdout.strip()) == (2, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_help_fits_eighty_columns_and_tells_every_default():
    text = runner.invoke(app, ["run", "--help"]).output
    assert max(map(len, text.splitlines())) <= 80
    plain = " ".join(text.replace("│", " ").split())
    assert "eftvideo run clip.mp4 --start 3 --end 8" in plain
    cfg = RunConfig()
    for words in (
        f"({cfg.detect.model})",
        f"({cfg.fit.method})",
        f"({cfg.regressor})",
        f"({cfg.draw.mode})",
        f"({cfg.device})",
        f"at this time ({cfg.clip.start_s:g})",
        f"n-th frame ({cfg.clip.stride})",
    ):
        assert words in plain
    for panel in ("Which frames", "Finding people", "Fitting", "Body and camera", "Overlay video"):
        assert f" {panel} " in text
    assert " Everything else " in text


def test_version():
    assert runner.invoke(app, ["--version"]).output == f"eftvideo {version('eftvideo')}\n"


def test_python_dash_m():
    done = subprocess.run(
        [sys.executable, "-m", "eftvideo", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"eftvideo {version('eftvideo')}\n")


def test_threads_wait_asleep(monkeypatch):
    """Set before torch is imported, unless the user has chosen."""
    script = """
import os, sys
from eftvideo.__main__ import main
assert "torch" not in sys.modules
try:
    main()
finally:
    print(os.environ["OMP_WAIT_POLICY"])
"""
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert run_python(script, "--version").stdout.splitlines()[-1] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert run_python(script, "--version").stdout.splitlines()[-1] == "ACTIVE"


def test_options_reach_the_configuration(monkeypatch):
    seen = run_nothing(monkeypatch)
    assert runner.invoke(app, ["run", "a.mp4"]).exit_code == 0
    assert seen["cfg"] == RunConfig() and str(seen["out"]) == "out" and not seen["quiet"]
    words = (
        "run a.mp4 b.mov -o x --device cpu -q --start 1 --end 2.5 --stride 3 --max-people 4 "
        "--track-id 2 --track-id 5 --detector yolo11m-pose --set detect.tracker=botsort "
        "--method regress --set fit.eft.num_steps=7 --set fit.warm_start=no --regressor other "
        "--weights w.safetensors --body b.npz --fov-deg 50 --no-overlay --draw both "
        "--behind --report"
    )
    assert runner.invoke(app, words.split()).exit_code == 0
    cfg = seen["cfg"]
    assert [p.name for p in seen["clips"]] == ["a.mp4", "b.mov"] and seen["quiet"]
    assert (cfg.clip.start_s, cfg.clip.end_s, cfg.clip.stride) == (1.0, 2.5, 3)
    assert (cfg.track.max_people, cfg.track.track_ids) == (4, (2, 5))
    assert (cfg.detect.model, cfg.detect.tracker) == ("yolo11m-pose", "botsort")
    assert (cfg.fit.method, cfg.fit.eft.num_steps, cfg.fit.warm_start) == ("regress", 7, False)
    assert (cfg.regressor, cfg.regressor_weights, cfg.body) == ("other", "w.safetensors", "b.npz")
    assert (cfg.fov_deg, cfg.focal_length_px, cfg.device) == (50.0, None, "cpu")
    assert (cfg.draw.enabled, cfg.draw.mode, cfg.draw.report) == (False, "both", True)
    assert cfg.draw.behind and cfg.wants_masks and not RunConfig().wants_masks
    assert runner.invoke(app, ["run", "a.mp4", "--focal-px", "900"]).exit_code == 0
    assert (seen["cfg"].fov_deg, seen["cfg"].focal_length_px) == (None, 900.0)


@pytest.fixture
def bad_clips(tmp_path):
    """Files that are no videos, by name."""
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    ffmpeg(*tone(0.5), str(tmp_path / "sound.m4a"))
    whole = EXAMPLE.read_bytes()
    ffmpeg("-i", str(EXAMPLE), "-c", "copy", "-movflags", "0", str(tmp_path / "slow.mp4"))
    whole = (tmp_path / "slow.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text.mp4", "is not a video"),
        ("empty.mp4", "is empty (0 bytes)"),
        ("folder.mp4", "is not a file"),
        ("sound.m4a", "has only sound in it"),
        ("cut.mp4", "is cut off"),
        ("missing.mp4", "does not exist"),
    ],
)
def test_bad_clips(bad_clips, tmp_path, name, words):
    line = fails(bad_clips / name, "-o", tmp_path / "out")
    assert name in line and words in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--stride", "0"], "--stride must be a whole number of 1 or more, but got 0"),
        (["--start", "-1"], "--start must be a number of 0 or more, but got -1"),
        (["--start", "2", "--end", "1"], "end must be after start"),
        (["--start", "100"], "choose an earlier start"),
        (["--set", "fit.eft.num_steps=-1"], "num_steps must be a whole number of 0 or more, but"),
        (["--max-people", "0"], "--max-people must be a whole number of 1 or more, or none, but "),
        (["--set", "refine.smooth.strength=-1"], "strength must be a number from 0 to 10, but got"),
        (["--stride", "x"], "--stride must be a whole number of 1 or more, but got 'x'"),
        (["--draw", "lines"], "--draw must be one of "),
        (["--method", "smplfy"], "--method must be one of smplify, eft, regress, but got 'smplfy'"),
        (["--track-id", "2", "--track-id", "b"], "--track-id must be a list of whole numbers, but"),
        (["--focal-px", "500", "--fov-deg", "50"], "give --focal-px or --fov-deg, not both"),
        (["--focal-px", "0"], "--focal-px must be a number above 0, or none, but got 0"),
        (["--fov-deg", "180"], "must be a number above 0 and below 180"),
        (["--device", "tpu"], "unknown device 'tpu': use auto, cpu, cuda or cuda:1"),
        (["--device", "cuda:99"], "use --device cpu"),
        (["--regressor", "none"], "unknown regressor 'none': choose one of hmr, "),
        (["--regressor", "nowhere.net"], "regressor 'nowhere.net': there is no module nowhere in "),
        (["--detector", "yolo-none"], "unknown pose detector 'yolo-none'"),
        (["--detector", "none.pt"], "no detector file at none.pt"),
        (["--weights", "none.safetensors"], "none.safetensors not found"),
        (["--body", "none.npz"], "none.npz not found"),
        (["--track-id", "3"], "no track 3 in this clip: choose from (nobody was found)"),
    ],
)
def test_bad_options(numbers, tmp_path, args, words):
    line = fails(numbers, "-q", "-o", tmp_path / "out", *args)
    assert words in line
    assert not list(tmp_path.rglob("*.np*")) and not list(tmp_path.rglob("*.mp4"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["a.mp4", "--nonsense"], "no such option: --nonsense"),
        (["a.mp4", "--detektor", "x"], "--detector"),
        (["a.mp4", "--stride"], "option '--stride' requires an argument"),
        (["a.mp4", "--no-overlay=1"], "option '--no-overlay' does not take a value"),
        ([], "missing argument 'CLIP'"),
    ],
)
def test_usage_errors(args, words):
    line = fails(*args)
    assert words in line and " run --help` shows all" in line


def checkpoints(folder):
    torch.manual_seed(0)
    small = Model(LifterConfig(width=16, hidden=16, num_blocks=1, context_offsets_s=()))
    other = {"conv.weight": torch.zeros(2, 2)}
    save_file(other, folder / "foreign.safetensors")
    save_file(other, folder / "keys.safetensors", metadata=small.metadata())
    (folder / "text.safetensors").write_text("hello, this is no network")
    (folder / "empty.safetensors").touch()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("foreign", "is not a lifter checkpoint"),
        ("keys", "does not fit the lifter"),
        ("text", "is not a readable safetensors file"),
        ("empty", "is not a readable safetensors file"),
    ],
)
def test_wrong_checkpoints(numbers, tmp_path, name, words):
    checkpoints(tmp_path)
    file = tmp_path / f"{name}.safetensors"
    assert words in fails(numbers, "-q", "-o", tmp_path / "out", "--weights", file)


def test_wrong_body(numbers, tmp_path):
    np.savez(tmp_path / "body.npz", a=np.zeros(3))
    line = fails(numbers, "-q", "-o", tmp_path / "out", "--body", tmp_path / "body.npz")
    assert "keys missing" in line


def test_folders_that_cannot_be_written(numbers, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "sub"):
        assert "choose another with -o" in fails(numbers, "-q", "-o", out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(numbers, tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot write to folder" in fails(numbers, "-q", "-o", tmp_path)


def test_results_of_two_clips_must_not_collide(numbers, tmp_path):
    other = tmp_path / "numbers.mov"
    line = fails(numbers, other, "-o", tmp_path)
    assert "would both write numbers.npz" in line and "two -o folders" in line
    clips = [tmp_path / "a.mp4", tmp_path / "a_overlay.mp4"]
    assert "would write over" in fails(*clips, "-o", tmp_path)


def test_bad_clip_among_good_ones(numbers, bad_clips, tmp_path):
    out = tmp_path / "out"
    clips = [bad_clips / "text.mp4", numbers, bad_clips / "empty.mp4"]
    result = runner.invoke(app, ["run", *map(str, clips), "-o", str(out), "--no-overlay"])
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines].count("error") == 2
    assert lines[-1] == "2 of 3 clips failed"
    assert "numbers.mp4: nobody was found" in result.stdout
    assert [p.name for p in out.iterdir()] == ["numbers.npz"]


@pytest.mark.parametrize("missing", [OSError, TypeError, AttributeError])
def test_a_system_without_mallopt_is_left_alone(monkeypatch, missing):
    from eftvideo import __main__ as program

    def library(_):
        raise missing

    program.keep_memory()
    monkeypatch.setattr(program.ctypes, "CDLL", library)
    program.keep_memory()

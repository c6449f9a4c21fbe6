"""What this machine has and lacks for eftvideo: the checks of `eftvideo doctor`."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eftvideo import plugins
from eftvideo.errors import EftVideoError
from eftvideo.weights import locate as weights
from eftvideo.weights.locate import WeightSpec, WeightStatus

MIN_FREE_GB = 1.0
"""An hour of 1080p overlay is about this big."""
_REINSTALL = "pip install --force-reinstall eftvideo"
_LIBRARIES: tuple[tuple[str, str, str], ...] = (
    ("torchvision", "torchvision", "pip install torchvision, of the release that fits torch"),
    ("ultralytics", "", "pip install ultralytics"),
    ("opencv", "cv2", "apt install libgl1 libglib2.0-0 (if a shared library is missing)"),
    ("decord", "decord", "pip install decord (x86-64) or eva-decord (elsewhere)"),
    ("smplx", "", "pip install smplx"),
    ("safetensors", "safetensors", "pip install safetensors"),
    ("openvino", "", "pip install openvino"),
)
"""Name, module to import (empty: only the version is read, the import is slow), remedy."""
_DISTRIBUTIONS = {
    "opencv": ("opencv-python", "opencv-python-headless"),
    "decord": ("decord", "eva-decord"),
}


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    ok: bool | None
    """True: fine. False: `eftvideo run` cannot work. None: works without, less well."""
    found: str
    remedy: str = ""
    """What to do; empty if there is nothing to do."""


def checks() -> list[Check]:
    """Run every check. Takes seconds (torch is imported, a GL context is made); never raises."""
    report = [_guarded("Python", _python, "install Python 3.10, 3.11 or 3.12")]
    report.append(_guarded("torch", _torch, "pip install torch, see https://pytorch.org"))
    for name, module, remedy in _LIBRARIES:
        report.append(_guarded(name, lambda n=name, m=module: _library(n, m), remedy))
    report.append(_guarded("ffmpeg", _ffmpeg, "pip install --force-reinstall imageio-ffmpeg"))
    report.append(_opengl())
    report.extend(_weights())
    report.append(_guarded("working folder", _working_folder, "go to a folder you may write to"))
    return report


def _guarded(name: str, check: Callable[[], Check], remedy: str) -> Check:
    try:
        return check()
    except Exception as e:  # a broken library can raise anything when it is imported
        return Check(name, False, _first_line(e), remedy)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    ok = (3, 10) <= sys.version_info < (3, 13)
    return Check("Python", ok, found, "" if ok else "install Python 3.10, 3.11 or 3.12")


def _torch() -> Check:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Check("torch", True, f"{torch.__version__}, CUDA {torch.version.cuda}: {names}")
    return Check("torch", True, f"{torch.__version__}, CPU with {torch.get_num_threads()} threads")


def _library(name: str, module: str) -> Check:
    if module:
        importlib.import_module(module)
    for distribution in _DISTRIBUTIONS.get(name, (name,)):
        try:
            return Check(name, True, importlib.metadata.version(distribution))
        except importlib.metadata.PackageNotFoundError:
            continue
    raise ModuleNotFoundError(f"{name} is not installed")


def _ffmpeg() -> Check:
    from eftvideo.video.probe import ffmpeg_exe

    exe = ffmpeg_exe()
    done = subprocess.run([exe, "-version"], capture_output=True, text=True, check=True, timeout=30)
    version = done.stdout.split("Copyright")[0].removeprefix("ffmpeg version").strip()
    return Check("ffmpeg", True, f"{version} at {exe}")


def _opengl() -> Check:
    remedy = "apt install libegl1 libgl1-mesa-dri (or libosmesa6); until then skeletons are drawn"
    try:
        from eftvideo.renderers.pyrender_mesh import probe_gl

        backend, renderer = probe_gl()
    except Exception as e:  # drivers fail in many ways; none of them stops a run
        return Check("OpenGL", None, _first_line(e), remedy)
    return Check("OpenGL", True, f"{backend}: {renderer}")


def _weights() -> list[Check]:
    try:
        from eftvideo.bodies.smpl import WEIGHTS as BODIES

        statuses = list_weights()
    except Exception as e:  # torch or smplx may be missing
        return [Check("weights", False, _first_line(e), _REINSTALL)]
    needed = [_weight_check(status) for status in statuses if status.spec.url is None]
    own = [status for status in statuses if status.spec.url is not None]
    found = [_weight_check(status) for status in own if status.path is not None]
    smpl = [status for status in own if status.spec in BODIES]
    if not smpl or any(status.path is not None for status in smpl):
        return needed + found
    remedy = f"optional: get it from {smpl[0].spec.url}, then eftvideo weights import FILE"
    return [*needed, *found, Check("your SMPL", None, "none (the free body is used)", remedy)]


def _weight_check(status: WeightStatus) -> Check:
    name = f"weights: {status.spec.file}"
    if status.problem is not None:
        return Check(name, False, status.problem, _REINSTALL)
    return Check(name, True, f"{status.path} ({status.spec.licence})")


def list_weights() -> list[WeightStatus]:
    """Every weight file that the program can use: detector, regressors, bodies; what is found.

    Raises:
        ImportError: torch or smplx is missing.
    """
    from eftvideo.bodies.smpl import WEIGHTS as BODIES
    from eftvideo.landmarks.network import SPECS
    from eftvideo.weights.shipped import POSE_PRIOR

    regressors = [plugins.load("regressors", name) for name in plugins.available("regressors")]
    specs: list[WeightSpec] = [m.spec for m in regressors if m.spec.download is None]
    specs += [s for s in published_weights().values() if weights.find(s) is not None]
    return [
        _detector_status(),
        *weights.list_weights([*specs, *SPECS.values(), POSE_PRIOR, *BODIES]),
    ]


def published_weights() -> dict[str, WeightSpec]:
    """What `eftvideo weights fetch` can get, by the names that it takes.

    Raises:
        ImportError: torch is missing.
    """
    models = [plugins.load("regressors", name) for name in plugins.available("regressors")]
    specs = [s for m in models for s in getattr(m, "published", {"": m.spec}).values()]
    return {s.name: s for s in specs if s.download is not None}


def _detector_status() -> WeightStatus:
    from eftvideo.detect._yolo_weights import PACKAGED, packaged_file

    try:
        return WeightStatus(PACKAGED, packaged_file(), None)
    except EftVideoError as e:
        return WeightStatus(PACKAGED, None, str(e))


def _working_folder() -> Check:
    folder = Path.cwd()
    free_gb = shutil.disk_usage(folder).free / 1e9
    found = f"{folder}, {free_gb:.1f} GB free"
    if not os.access(folder, os.W_OK):
        return Check("working folder", None, f"{found}, not writable", "choose one with -o DIR")
    if free_gb < MIN_FREE_GB:
        return Check(
            "working folder", None, found, "free some space, or choose another with -o DIR"
        )
    return Check("working folder", True, found)

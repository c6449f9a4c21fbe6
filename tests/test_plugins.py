"""Parts are found by name; what is missing is named with its remedy."""

from __future__ import annotations

import builtins
import sys

import pytest

from eftvideo import plugins
from eftvideo.errors import ConfigError, MissingDependencyError


def test_available():
    assert plugins.available("regressors") == ["hmr", "hmr2", "lifter"]
    assert plugins.available("bodies") == ["smpl"]
    assert "yolo_pose" in plugins.available("detectors")
    assert {"pyrender_mesh", "skeleton"} <= set(plugins.available("renderers"))
    with pytest.raises(ValueError, match="bodies, detectors"):
        plugins.available("wheels")


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_every_part_loads(kind):
    for name in plugins.available(kind):
        assert isinstance(plugins.load(kind, name), type)


@pytest.mark.parametrize("name", ["spin", "", "_private", "../cli", "lifter.Model"])
def test_unknown_part(name):
    with pytest.raises(ConfigError) as error:
        plugins.load("regressors", name)
    assert repr(name) in str(error.value) and "choose one of hmr, hmr2, lifter" in str(error.value)


@pytest.mark.parametrize(
    ("library", "package"),
    [("libGL.so.1", "libgl1"), ("libgthread-2.0.so.0", "libglib2.0-0"), ("libEGL.so.1", "libegl1")],
)
def test_missing_system_library_is_named_with_its_package(monkeypatch, library, package):
    """What `import cv2` says on a bare machine, however deep it is raised."""
    real = builtins.__import__

    def bare(name, *args, **kwargs):
        if name == "cv2":
            raise ImportError(
                f"{library}: cannot open shared object file: No such file or directory"
            )
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "eftvideo.detectors.yolo_pose", raising=False)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(builtins, "__import__", bare)
    with pytest.raises(MissingDependencyError) as error:
        plugins.load("detectors", "yolo_pose")
    message = str(error.value)
    assert "detector 'yolo_pose'" in message and library in message and "\n" not in message
    assert message.endswith(f"apt-get install {package}")


def test_missing_python_library(monkeypatch):
    monkeypatch.delitem(sys.modules, "eftvideo.bodies.smpl", raising=False)
    monkeypatch.setitem(sys.modules, "smplx", None)
    with pytest.raises(MissingDependencyError, match=r"body 'smpl' .*smplx.*; reinstall with: pip"):
        plugins.load("bodies", "smpl")


def test_cause_deep_in_the_chain():
    try:
        try:
            raise OSError("libweird-2.so.7: cannot open shared object file")
        except OSError as e:
            raise ImportError("numpy-like wrapper text") from e
    except ImportError as e:
        message = str(plugins.missing("renderer 'x'", e))
    assert "libweird-2.so.7" in message and "install the package that has" in message

"""Parts are found by name; what is missing is named with its remedy."""

from __future__ import annotations

import builtins
import sys

import pytest

from eftvideo import plugins
from eftvideo.config import DetectConfig
from eftvideo.detect.people import load_detector
from eftvideo.errors import ConfigError, MissingDependencyError


def test_available():
    assert plugins.available("regressors") == ["hmr", "hmr2", "landmark_hmr", "lifter"]
    assert plugins.available("bodies") == ["smpl"]
    assert {"pyrender_mesh", "skeleton"} <= set(plugins.available("renderers"))
    with pytest.raises(ValueError, match="bodies, exporters"):
        plugins.available("wheels")


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_every_part_loads(kind):
    for name in plugins.available(kind):
        assert isinstance(plugins.load(kind, name), type)


@pytest.mark.parametrize("name", ["spin", "", "_private", "../cli", "lifter.Model"])
def test_unknown_part(name):
    with pytest.raises(ConfigError) as error:
        plugins.load("regressors", name)
    assert repr(name) in str(
        error.value
    ) and "choose one of hmr, hmr2, landmark_hmr, lifter" in str(error.value)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """The current folder, with modules of the user's own in it; forgotten afterwards."""
    package = tmp_path / "my_networks"
    (package / "deep").mkdir(parents=True)
    (package / "good.py").write_text("class Model:\n    pass\n")
    (package / "deep" / "down.py").write_text("class Model:\n    pass\n")
    (package / "empty.py").write_text("Network = 1\n")
    (package / "hungry.py").write_text("import library_nobody_has\n")
    (package / "stale.py").write_text("from eftvideo.types import Nothing\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] == "my_networks"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["my_networks.good", "my_networks.deep.down"])
def test_a_name_with_a_dot_is_a_module(own_folder, name):
    model = plugins.load("regressors", name)
    assert (model.__name__, model.__module__) == ("Model", name)
    assert plugins.load("regressors", name) is model
    assert sys.path.count(str(own_folder)) == 1
    assert name not in plugins.available("regressors")


def test_the_current_folder_is_looked_in_for_such_names_only(own_folder):
    plugins.load("regressors", "lifter")
    for name in ("good", "my_networks", "my_networks/good.py", ".good", "my_networks..good"):
        with pytest.raises(ConfigError, match="choose one of hmr, hmr2, landmark_hmr, lifter"):
            plugins.load("regressors", name)
    assert str(own_folder) not in sys.path


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("nowhere.net", ConfigError, "there is no module nowhere in "),
        ("my_networks.net", ConfigError, "there is no module my_networks.net in "),
        ("my_networks.good.net", ConfigError, "there is no module my_networks.good.net in "),
        ("my_networks.empty", ConfigError, "'my_networks.empty' is a module without a class Model"),
        ("my_networks.deep", ConfigError, "'my_networks.deep' is a module without a class Model"),
        ("my_networks.hungry", MissingDependencyError, "library_nobody_has'; install what it"),
        ("my_networks.stale", MissingDependencyError, "cannot import name 'Nothing'"),
    ],
)
def test_what_is_wrong_with_a_module_is_one_line(own_folder, name, error, says):
    with pytest.raises(error) as raised:
        plugins.load("regressors", name)
    message = str(raised.value)
    assert says in message and repr(name) in message and "\n" not in message
    assert "pip install --force-reinstall eftvideo" not in message


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

    monkeypatch.delitem(sys.modules, "eftvideo.detect.yolo_pose", raising=False)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(builtins, "__import__", bare)
    with pytest.raises(MissingDependencyError) as error:
        load_detector(DetectConfig(), "cpu")
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

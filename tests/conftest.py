"""Clips and one finished run that several test files look at; each is made once."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.media import ffmpeg, make_clip

if TYPE_CHECKING:
    from eftvideo.bodies import BodyModel
    from eftvideo.regressors.lifter import Model
    from eftvideo.results.result import Result

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `eftvideo` does, before torch is imported
# What a shell starts in the background ignores interrupts, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "sports2d_demo_short.mp4"
NUM_TINY = 8


@dataclass(frozen=True)
class FinishedRun:
    """A run with the default settings, for all to look at and none to change."""

    clip: Path
    folder: Path
    result: Result


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """The program sets up the package's log; no test shall see what another one left of it."""
    logger = logging.getLogger("eftvideo")
    before = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = before[:2]
    logger.setLevel(before[2])


@pytest.fixture(scope="session")
def body() -> BodyModel:
    """The free body; nobody changes it."""
    from eftvideo.bodies import load_body

    return load_body()


@pytest.fixture(scope="session")
def regressor() -> Model:
    """The lifter that is shipped; nobody changes it."""
    from eftvideo.regressors.lifter import Model
    from eftvideo.weights.locate import resolve

    return Model.from_weights(resolve(Model.spec))


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the example clip, both people in them, half as large, with its sound."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    scale = ("-vf", "scale=884:496", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "18")
    cut = ("-frames:v", str(NUM_TINY), "-shortest")
    ffmpeg("-i", str(EXAMPLE), *scale, *cut, str(path))
    return path


@pytest.fixture(scope="session")
def finished(tiny_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """`eftvideo run` on the tiny clip, with the weights that are shipped."""
    from eftvideo.pipeline import run_video

    folder = tmp_path_factory.mktemp("run")
    return FinishedRun(tiny_clip, folder, run_video(tiny_clip, folder))


@pytest.fixture
def no_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without OpenGL; `caplog` sees what the package says about it."""
    from eftvideo import plugins
    from eftvideo.errors import MissingDependencyError

    real = plugins.load

    def load(kind: str, name: str) -> Any:
        if name in ("pyrender_mesh", "wireframe"):
            raise MissingDependencyError("no OpenGL: apt-get install libegl1")
        return real(kind, name)

    monkeypatch.setattr(plugins, "load", load)
    monkeypatch.setattr(logging.getLogger("eftvideo"), "propagate", True)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of the error stream are not broken, whatever the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of six little frames with nobody in it."""
    return make_clip(tmp_path_factory.mktemp("numbers") / "numbers.mp4", num_frames=6)

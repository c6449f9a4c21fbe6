"""The walk through the calls, on a made-up package."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

from call_graph import walk
from call_package import Package
from call_walk import receives, stays

FILES = {
    "pipeline.py": """
from pack.config import RunConfig
from pack.fit import fit_tracks
from pack.setup import Setup
from pack.track import mend, soften

def run_video(path, cfg: RunConfig | None = None):
    setup = Setup.load(cfg)
    tracks = []
    for step in (mend, soften):
        tracks = step(tracks, cfg.track)
    return fit_tracks(tracks, setup, cfg)

def never(cfg: RunConfig): ...
""",
    "config.py": """
class TrackConfig: ...

@dataclass
class RunConfig:
    track: TrackConfig
    regressor: str = "lifter"
""",
    "setup.py": """
from pack.regressors import Regressor, load

@dataclass
class Setup:
    regressor: Regressor

    @classmethod
    def load(cls, cfg):
        return cls(load(cfg.regressor))
""",
    "regressors/__init__.py": "from pack.regressors._load import Regressor, load\n",
    "regressors/_load.py": """
class Regressor(Protocol):
    def encode(self, crops): ...

class Lifter:
    def encode(self, crops):
        return self._told(crops)

    def _told(self, crops): ...

def load(name: str) -> Regressor: ...
""",
    "track.py": """
def mend(tracks, cfg: "TrackConfig"): ...

def soften(tracks, settings: list[TrackConfig]): ...
""",
    "fit/__init__.py": "from pack.fit.all import fit_tracks\n",
    "fit/all.py": """
from pack.fit.eft import Engine, fit as fit_eft

METHODS = {"eft": fit_eft}

def fit_tracks(tracks, setup: "Setup", cfg):
    return METHODS[cfg.method](tracks, setup)
""",
    "fit/eft.py": """
from pack.regressors import Regressor
from pack.setup import Setup

class Engine:
    def __init__(self, regressor: Regressor):
        self.regressor = regressor

    def __iter__(self):
        yield self._one()

    def _one(self):
        return self.regressor.encode(None)

    def unused(self, regressor): ...

def fit(tracks, setup: Setup):
    which = (setup.regressor, tracks)
    return list(Engine(setup.regressor))
""",
}


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """Places that the walk reaches, by name without the package's."""
    pack = tmp_path_factory.mktemp("walk") / "pack"
    for name, code in FILES.items():
        path = pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    found = walk(Package(pack), "pack.pipeline.run_video")
    return {place.name.removeprefix("pack."): place for place in found}


def test_walk_follows_faces_tables_methods_and_protocols(reached):
    assert reached.keys() == {
        "pipeline.run_video",
        "setup.Setup.load",
        "setup.Setup.__init__",
        "regressors._load.load",
        "regressors._load.Lifter.encode",
        "regressors._load.Lifter._told",
        "track.mend",
        "track.soften",
        "fit.all.fit_tracks",
        "fit.eft.fit",
        "fit.eft.Engine.__init__",
        "fit.eft.Engine.__iter__",
        "fit.eft.Engine._one",
    }


def test_what_holds_an_argument_does_not_receive_it(reached):
    given = {name for name, place in reached.items() if receives(place, "regressor")}
    assert given == {"setup.Setup.__init__", "fit.eft.Engine.__init__"}


def test_any_config_is_received(reached):
    given = {name for name, place in reached.items() if receives(place, "cfg")}
    assert given == {
        "pipeline.run_video",
        "setup.Setup.load",
        "track.mend",
        "track.soften",
        "fit.all.fit_tracks",
    }


def test_stays_are_parameters_and_what_is_handed_on(reached):
    num = {name: n for name, place in reached.items() if (n := stays(place, "regressor"))}
    assert num == {"setup.Setup.__init__": 1, "fit.eft.fit": 2, "fit.eft.Engine.__init__": 1}
    assert stays(reached["pipeline.run_video"], "cfg") == 3


def test_unknown_entry_is_refused(tmp_path):
    (tmp_path / "pack").mkdir()
    with pytest.raises(SystemExit, match="no function"):
        walk(Package(tmp_path / "pack"), "pack.pipeline.run_video")

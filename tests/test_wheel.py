"""The wheel works outside the checkout: its weights travel in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.conftest import ROOT

SCRIPT = """
from eftvideo import plugins
from eftvideo.bodies import load_body
from eftvideo.weights import locate as weights
body = load_body()
model = plugins.load("regressors", "lifter")
model.from_weights(weights.resolve(model.spec))
print(body.path)
print(weights.resolve(model.spec))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the unpacked wheel and nothing else."""
    builder = WheelBuilder(str(ROOT))
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = builder.build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def test_weights_are_found_in_it(site, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(site / "eftvideo" / "_weights" / name)
        for name in ("neutral_body.npz", "lifter.safetensors")
    ]


def test_licences_and_types_are_in_it(site):
    info = next(site.glob("eftvideo-*.dist-info"))
    assert "License-Expression: AGPL-3.0-or-later" in (info / "METADATA").read_text("utf-8")
    assert (info / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    for part in ("neutral_body", "landmarks"):
        assert (site / "eftvideo" / "_weights" / f"LICENSE.{part}").is_file()
    assert (site / "eftvideo" / "py.typed").is_file()
    assert {p.name for p in site.iterdir()} == {"eftvideo", info.name}

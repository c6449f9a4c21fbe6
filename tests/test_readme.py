"""What the documents say is true: commands parse, code runs, tables are complete, links lead."""

from __future__ import annotations

import re
import shlex
import sys
import types
from pathlib import Path

import pytest
import torch
import typer

import eftvideo
from eftvideo.bodies import load_body
from eftvideo.cli.app import app
from eftvideo.config.dotted import set_values
from eftvideo.errors import ConfigError
from eftvideo.fit.batch import Batch
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.geometry.camera import Camera
from eftvideo.setup import Setup
from eftvideo.types import Crops
from tests.conftest import ROOT
from tests.results.test_results import ROWS

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / name / "README.md" for name in ("weights", "examples", "research/image_evidence")),
    *sorted((ROOT / "docs").glob("*.md")),
]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(path, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


def commands():
    """Lines of all documents that call the program, in blocks with fences or indented."""
    texts = [d.read_text("utf-8").replace("\\\n", " ") for d in DOCUMENTS]
    found = [re.findall(r"^(?:    )?(eftvideo .*)$", text, re.MULTILINE) for text in texts]
    return sorted({line for lines in found for line in lines})


def test_there_are_commands():
    assert len(commands()) > 30


@pytest.mark.parametrize("line", commands())
def test_commands_parse(line):
    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    assert command.make_context("command", words).command is command


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    text = "\n".join(block for d in DOCUMENTS for block in blocks(d, ""))
    for target in set(re.findall(r"^make (\w+)", text, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_first_commands_come_first():
    assert blocks(ROOT / "README.md", "")[0].splitlines()[0].startswith("make demo")
    for line in ("make demo", "make test", "pip install ."):
        assert line in blocks(ROOT / "README.md", "")[0]


def test_python_lines_run(finished, tmp_path, monkeypatch, capsys):
    (code,) = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(finished.clip.read_bytes())
    cheap = eftvideo.RunConfig(method="regress")
    run = eftvideo.run_video
    monkeypatch.setattr(eftvideo, "run_video", lambda a, b: run(a, b, cheap), raising=False)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("[1, 2] 30\n")
    assert eftvideo.load_result("out/clip.npz").track_ids == [1, 2]


def test_every_key_is_in_the_table():
    text = (ROOT / "docs" / "result.md").read_text(encoding="utf-8")
    table = text.partition("## Coordinates")[0]
    header = ["schema_version", "source", "width_px", "height_px", "fps_num", "fps_den"]
    for key in [*ROWS, *header, "num_frames", "body_model", "config"]:
        assert f"`{key}`" in table, key


def test_every_option_is_in_the_table():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    table = text.partition("## Options of `run`")[2].partition("\n## ")[0]
    run = typer.main.get_command(app).commands["run"]
    for parameter in run.params:
        for name in parameter.opts:
            if name.startswith("-") and name != "--help":
                assert f"`{name}" in table, name


def test_the_readme_is_short():
    assert len(README.split()) <= 1200


@pytest.mark.parametrize("document", DOCUMENTS, ids=[d.name for d in DOCUMENTS])
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", text):
        if not target.startswith("https://"):
            path = document.parent / target if target else document
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), anchor


def anchors(path):
    """What headings of a document can be linked as."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_acknowledgement():
    text = " ".join(README.split())
    assert (
        "The data used in this project was obtained from mocap.cs.cmu.edu. The database was "
        "created with funding from NSF EIA-0196217." in text
    )


@pytest.fixture
def direct(monkeypatch):
    """The regressor of CONTRIBUTING.md as a module."""
    (code,) = [b for b in blocks(ROOT / "CONTRIBUTING.md", "python") if "class Model" in b]
    module = types.ModuleType("direct")
    monkeypatch.setitem(sys.modules, "direct", module)
    exec(compile(code, "CONTRIBUTING.md", "exec"), vars(module))
    return module


def some_crops(num):
    g = torch.Generator().manual_seed(0)
    x = torch.rand(num, 17, 2, generator=g) - 0.5
    return Crops(
        torch.cat([x, torch.full((num, 17, 1), 0.9)], dim=2),
        torch.full((num, 2), 300.0),
        torch.full((num,), 200.0),
        torch.full((num,), 800.0),
        torch.full((num, 2), 600.0),
    )


def test_regressor_of_the_guide_works(direct, tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = tmp_path / "direct.safetensors"
    save_file(dict(direct.Model().state_dict()), path)
    model = direct.Model.from_weights(path)
    settings = ["fit.eft.num_steps=15", "fit.eft.threshold_px=0.1", "fit.accept.enabled=no"]
    cfg = set_values(eftvideo.RunConfig(), settings)
    setup = Setup(cfg, model, load_body(), Camera(800.0, 600, 600))
    fit = fit_eft(Batch.of(some_crops(3), setup), setup)
    assert (fit.loss_px < fit.loss_px_start).all() and (fit.num_steps == 15).all()
    with pytest.raises(ConfigError, match="tune must be one of"):
        model.tunable("nothing")


def test_licence_is_the_agpl():
    text = Path(ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.split("\n")[0].strip() == "GNU AFFERO GENERAL PUBLIC LICENSE"
    assert "Version 3, 19 November 2007" in text and len(text) == 34523

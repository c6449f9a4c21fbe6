"""What the documents name is there: settings, files, modules, and the programs they call."""

from __future__ import annotations

import importlib
import re

import pytest
from test_readme import DOCUMENTS, blocks

from eftvideo.config import RunConfig
from eftvideo.config.dotted import groups_of, leaves, set_values
from eftvideo.errors import ConfigError
from tests.conftest import ROOT

LEAVES = leaves(RunConfig())
GROUPS = groups_of(LEAVES)
_TOP = "|".join(sorted(name for name in GROUPS if "." not in name))
_FILES = {"avi", "glb", "gif", "json", "md", "mkv", "mov", "mp4", "npz", "pkl", "png", "py", "toml"}
MADE_UP = {"direct.py", "network.py", "my_project/", "out/"}
"""Files of the examples."""
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[d.relative_to(ROOT).as_posix() for d in DOCUMENTS]
)


def settings(text: str) -> list[tuple[str, str]]:
    """Dotted names in backticks or after --set, each with the value given there or nothing."""
    name = rf"((?:{_TOP})(?:\.\w+)+)"
    found = re.findall(rf"`{name}(?:=([^`\s]*))?`", text)
    found += re.findall(rf"--set {name}=([^`\s]*)", text)
    return [(n, value) for n, value in found if n.rpartition(".")[2] not in _FILES]


def unknown_settings(text: str) -> list[str]:
    """Names that are no setting and no group, and values that cannot be."""
    wrong = []
    for name, value in settings(text):
        if name not in LEAVES and name not in GROUPS:
            wrong.append(name)
        elif value and not (value.isupper() or value == "..."):
            set_values(RunConfig(), [f"{name}={value}"])
    return wrong


def missing_files(text: str, near) -> list[str]:
    """Files and folders of the repository that are named and not there.

    A path counts from the repository, the package or the document's own folder; it may have stars.
    """
    names = set(re.findall(r"`([\w./*-]+\.py|[\w./-]+/)`", text))
    names |= set(re.findall(r"\b((?:eftvideo|tests|tools|benchmarks)/[\w/]+\.py)\b", text))
    places = (ROOT, ROOT / "eftvideo", near)
    return [
        name
        for name in sorted(names - MADE_UP)
        if not any(any(place.glob(name.rstrip("/"))) for place in places)
    ]


def unknown_objects(text: str) -> list[str]:
    """Dotted names of the package in backticks that cannot be imported."""
    return [name for name in re.findall(r"`(eftvideo(?:\.\w+)+)", text) if not is_there(name)]


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute) or bool(
            importlib.import_module(name)
        )
    except ImportError:
        return False


def unknown_programs(text: str) -> list[str]:
    """`python PATH --option` and `python -m MODULE --option` of ours without the file or option."""
    wrong = []
    calls = r"python (-m )?((?:benchmarks|tools|research)[\w./]*)((?: [^`\n]*)?)"
    for is_module, name, rest in re.findall(calls, text.replace("\\\n", " ")):
        path = ROOT / (name.replace(".", "/") if is_module else name)
        files = [path, path.with_suffix(".py"), path / "__main__.py", path / "__init__.py"]
        sources = [f.read_text("utf-8") for f in files if f.is_file()]
        wrong += [] if sources else [name]
        wrong += [
            f"{name} {option}"
            for option in re.findall(r"(--[\w-]+)", rest)
            if sources and not any(f'"{option}"' in source for source in sources)
        ]
    return wrong


def text_of(document) -> str:
    return document.read_text(encoding="utf-8")


@each_document
def test_settings_exist(document):
    assert unknown_settings(text_of(document)) == []


@each_document
def test_files_exist(document):
    assert missing_files(text_of(document), document.parent) == []


@each_document
def test_objects_exist(document):
    assert unknown_objects(text_of(document)) == []


@each_document
def test_programs_exist(document):
    assert unknown_programs(text_of(document)) == []


@each_document
def test_imports_of_python_blocks_work(document):
    for block in blocks(document, "python"):
        for line in re.findall(r"^(?:from eftvideo|import eftvideo).*", block, re.MULTILINE):
            exec(line, {})


def test_documents_name_many():
    texts = [text_of(d) for d in DOCUMENTS]
    assert len({name for text in texts for name, _ in settings(text)}) > 60


def test_what_is_not_there_is_noticed():
    assert unknown_settings("`fit.eft.lanes` and `refine.smooth`, `clip.mp4`") == ["fit.eft.lanes"]
    assert unknown_settings("--set track.swaps.enabled=no") == ["track.swaps.enabled"]
    with pytest.raises(ConfigError, match="strength"):
        unknown_settings("`refine.smooth.strength=much`")
    assert missing_files("`eftvideo/streams.py`, eftvideo/eft_engine.py, `fit/batch.py`", ROOT) == [
        "eftvideo/eft_engine.py",
        "eftvideo/streams.py",
    ]
    assert unknown_objects("`eftvideo.export.export_result(x)`, `eftvideo.run_video`") == [
        "eftvideo.export.export_result"
    ]
    assert unknown_programs("python tools/nothing.py x\npython tools/golden.py record --often") == [
        "tools/nothing.py",
        "tools/golden.py --often",
    ]

"""Every script of the folder tells how it is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import research.image_evidence as folder

SCRIPTS = sorted(
    path.stem
    for path in Path(folder.__path__[0]).glob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)


def test_there_are_scripts():
    assert len(SCRIPTS) == 8


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_printed(name, monkeypatch, capsys):
    module = importlib.import_module(f"{folder.__name__}.{name}")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0 and "usage: " in capsys.readouterr().out
    assert f"python -m {module.__name__} " in (module.__doc__ or "")

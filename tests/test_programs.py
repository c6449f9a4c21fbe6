"""Every script beside the package tells how it is called."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = {
    path.relative_to(ROOT).as_posix(): text
    for folder in ("benchmarks", "tools", "research")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "tests" not in path.parts[len(ROOT.parts) :]
    and 'if __name__ == "__main__":' in (text := path.read_text(encoding="utf-8"))
}
# One process for all of them: most of the time goes into importing torch.
DRIVER = """
import contextlib, io, json, runpy, sys
kept = list(sys.path)
for path, module in json.loads(sys.argv[1]):
    sys.modules.pop(module, None)  # another script may have imported it
    sys.path[:] = kept if module else [path.rpartition("/")[0], *kept]
    sys.argv, out = [path, "--help"], io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            run = runpy.run_module if module else runpy.run_path
            run(module or path, run_name="__main__")
            end = "did not end"
        except SystemExit as e:
            end = e.code or 0
        except BaseException as e:
            end = repr(e)
    print(json.dumps([end, out.getvalue()]))
"""


def module_of(path: str) -> str | None:
    """The module that `python -m` takes, if the script says that it is called so."""
    name = path.removesuffix(".py").removesuffix("/__main__").replace("/", ".")
    return name if f"python -m {name} " in doc_of(path) else None


def doc_of(path: str) -> str:
    return ast.get_docstring(ast.parse(SCRIPTS[path])) or ""


@pytest.fixture(scope="module")
def ends():
    calls = [(path, module_of(path)) for path in SCRIPTS]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(calls)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(SCRIPTS, lines, strict=True))


@pytest.mark.parametrize("path", SCRIPTS)
def test_help_is_printed(path, ends):
    end, text = ends[path]
    assert end == 0 and text.startswith("usage: "), f"{end}: {text}"
    assert "  -h, --help" in text


@pytest.mark.parametrize("path", SCRIPTS)
def test_the_top_tells_the_call(path):
    assert f"python {path} " in doc_of(path) or module_of(path)

"""Functions take few arguments, files are short, the main path and every face fit one look."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import eftvideo

PACKAGE = Path(eftvideo.__file__).parent
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
Function = ast.FunctionDef | ast.AsyncFunctionDef

MAX_PARAMETERS = 6
MAX_LINES = 300
MAX_FACE_LINES = 40
MAX_MAIN_PATH_LINES = 40
MAX_TOP_LEVEL_FILES = 14

CARRIERS = re.compile(r"\w*Config|Setup|Tracks?|\w*Progress|\w*Listener")
"""Classes made to be carried along: settings, what a run works with, a person, a listener."""
LISTENERS = {"progress", "listener", "done", "told"}
"""Names of parameters that listen, if they are said to be a Callable."""


def functions(tree: ast.AST, before: str = "") -> Iterator[tuple[str, Function, bool]]:
    """Every function, also a nested one, with its dotted name; whether it is a class's own."""
    for node in ast.iter_child_nodes(tree):
        name = before
        if isinstance(node, Function | ast.ClassDef):
            name = f"{before}.{node.name}"
        if isinstance(node, Function):
            yield name, node, isinstance(tree, ast.ClassDef)
        yield from functions(node, name)


def parameters(node: Function, is_method: bool) -> list[ast.arg]:
    """What a caller may give: not `self` or `cls`."""
    a = node.args
    first = [*a.posonlyargs, *a.args]
    is_static = any(ast.unparse(d) == "staticmethod" for d in node.decorator_list)
    if is_method and not is_static:
        first = first[1:]
    return [arg for arg in (*first, a.vararg, *a.kwonlyargs, a.kwarg) if arg is not None]


def is_carried(arg: ast.arg) -> bool:
    """Whether a parameter is one of those that are made to be carried along."""
    said = ast.unparse(arg.annotation) if arg.annotation is not None else ""
    if "Callable" in said:
        return arg.arg in LISTENERS
    return any(CARRIERS.fullmatch(word) for word in re.findall(r"\w+", said))


def is_command(file: str, node: Function) -> bool:
    """Whether typer makes a command line of it."""
    return file.startswith("cli") or any(".command" in ast.unparse(d) for d in node.decorator_list)


def too_many(file: str, code: str) -> list[str]:
    """Functions of a file that take more than they should, each with what it takes."""
    return [
        f"{file}:{node.lineno} {name[1:]} takes {len(plain)}: {', '.join(a.arg for a in plain)}"
        for name, node, is_method in functions(ast.parse(code))
        if len(plain := [a for a in parameters(node, is_method) if not is_carried(a)])
        > MAX_PARAMETERS
        and not is_command(file, node)
    ]


def longer_than(most: int, files: dict[str, Path]) -> list[str]:
    """Files with more lines than that."""
    counts = {file: path.read_text(encoding="utf-8").count("\n") for file, path in files.items()}
    return [f"{file} has {num} lines" for file, num in counts.items() if num > most]


def report(what: str, offenders: list[str]) -> None:
    """Fail with the whole list, if there is one."""
    if offenders:
        pytest.fail("\n".join([f"{what}:", *offenders]), pytrace=False)


def test_functions_take_few_parameters():
    offenders = [
        line for file, path in FILES.items() for line in too_many(file, path.read_text("utf-8"))
    ]
    report(f"more than {MAX_PARAMETERS} parameters beside those that are carried", offenders)


def test_main_path_fits_one_look():
    tree = ast.parse((PACKAGE / "pipeline.py").read_text(encoding="utf-8"))
    (node,) = (n for n in tree.body if isinstance(n, Function) and n.name == "run_video")
    assert node.end_lineno - node.lineno + 1 <= MAX_MAIN_PATH_LINES


def test_few_modules_stand_at_the_top():
    top = [file for file in FILES if "/" not in file]
    assert len(top) <= MAX_TOP_LEVEL_FILES, f"{len(top)} of them: {', '.join(top)}"


def test_files_are_short():
    report("longer files", longer_than(MAX_LINES, FILES))


def test_faces_are_short():
    faces = {file: path for file, path in FILES.items() if path.name == "__init__.py"}
    report("longer faces", longer_than(MAX_FACE_LINES, faces))


@pytest.mark.parametrize(
    ("code", "is_reported"),
    [
        ("def f(a, b, c, d, e, g): ...", False),
        ("def f(a, b, c, d, e, g, h): ...", True),
        ("def f(a, b, c, /, d, *, e, g, h): ...", True),
        ("def f(a, b, c, d, e, g, *h): ...", True),
        ("def f(a, b, c, d, e, g, **h): ...", True),
        ("def f(self, a, b, c, d, e, g): ...", True),
        ("class C:\n    def f(self, a, b, c, d, e, g): ...", False),
        ("class C:\n    def __init__(self, a, b, c, d, e, g, h): ...", True),
        ("class C:\n    @classmethod\n    def f(cls, a, b, c, d, e, g): ...", False),
        ("class C:\n    @staticmethod\n    def f(a, b, c, d, e, g, h): ...", True),
        ("def f():\n    def inner(a, b, c, d, e, g, h): ...", True),
        ("def f(a, b, c, d, e, g, cfg: FitConfig | None): ...", False),
        ("def f(a, b, c, d, e, g, setup: Setup, cfg: 'config.FitConfig'): ...", False),
        ("def f(a, b, c, d, e, g, tracks: Sequence[Track]): ...", False),
        ("def f(a, b, c, d, e, g, tracks: Sequence[TrackRow]): ...", True),
        ("def f(a, b, c, d, e, g, progress: Progress | None = None): ...", False),
        ("def f(a, b, c, d, e, g, done: Callable[[int], None]): ...", False),
        ("def f(a, b, c, d, e, g, make: Callable[[DetectConfig], Detect]): ...", True),
        ("@app.command('x')\ndef f(a, b, c, d, e, g, h): ...", False),
    ],
)
def test_parameters_are_counted(code, is_reported):
    assert bool(too_many("fit/batch.py", code)) == is_reported
    assert too_many("cli/run.py", code) == []


def test_report_says_where_and_what():
    code = "class C:\n    def f(self, a, b, c, d, e, g, h, cfg: FitConfig): ..."
    assert too_many("x.py", code) == ["x.py:2 C.f takes 7: a, b, c, d, e, g, h"]

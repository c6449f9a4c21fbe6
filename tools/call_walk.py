"""How often `regressor` and `cfg` stay somewhere on their way through the calls of `run_video`.

python tools/call_walk.py [--list] [--parts]

The files are read, not run (`ast`). From `eftvideo.pipeline.run_video` on, the walk goes to each
function, method and constructor of the package that is called, or named as a value (a callback, an
entry of a table); methods are found by what annotations, constructors and `self.x = ...` say of a
value, those of a protocol in each class that has them all, special methods and `forward` with the
constructor. Parts that `plugins.load` finds by name are only entered with `--parts`.

Counted in the places that the walk reaches:

- *functions*: those that receive it as a parameter. That is a parameter annotated `Regressor`, or a
  class whose name ends in `Config`, also within a union or a container; or one named `regressor`
  or `cfg` that is not said to be a plain str or Tensor. A dataclass counts by its fields, once,
  unless it is a config itself. What only holds it (`self.cfg`, a Setup) does not receive it.
- *stays*: parameters that are named `regressor` or `cfg`, and each time that one so named, or an
  attribute of that name, is handed on: an argument of a call, or a member of a tuple.
"""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

from call_graph import walk
from call_package import Package, Place

ARGUMENTS = {"regressor": r"\bRegressor\b", "cfg": r"\w*Config\b"}
"""Names of parameters, and how the classes of what they hold are called."""
_PLAIN = r"(str|Tensor)( \| None)?"


def receives(place: Place, argument: str) -> bool:
    """Whether a parameter is the argument, by its annotation or its name."""
    if isinstance(place.node, ast.ClassDef) and place.node.name.endswith("Config"):
        return False
    said = [(name, ast.unparse(note) if note else "") for name, note in place.parameters()]
    return any(
        re.search(ARGUMENTS[argument], note)
        or (name == argument and not re.fullmatch(_PLAIN, note))
        for name, note in said
    )


def stays(place: Place, argument: str) -> int:
    """Parameters of this name, and how often something of this name is handed on."""
    if isinstance(place.node, ast.ClassDef) and not receives(place, argument):
        return 0
    num = sum(name == argument for name, _ in place.parameters())
    if isinstance(place.node, ast.ClassDef):
        return num
    for node in ast.walk(place.node):
        handed: list[ast.expr] = []
        if isinstance(node, ast.Call):
            handed = [*node.args, *(k.value for k in node.keywords)]
        elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
            handed = node.elts
        num += sum(_last_name(value) == argument for value in handed)
    return num


def _last_name(value: ast.expr) -> str:
    if isinstance(value, ast.Attribute):
        of_config = _last_name(value.value) == "cfg"  # cfg.regressor is a name
        return "" if of_config else value.attr
    return value.id if isinstance(value, ast.Name) else ""


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="each place, with its stays")
    parser.add_argument("--parts", action="store_true", help="enter what plugins.load finds too")
    options = parser.parse_args()
    package = Package(Path(__file__).parents[1] / "eftvideo", options.parts)
    reached = sorted(walk(package, "eftvideo.pipeline.run_video"), key=lambda p: p.name)
    print(f"reached: {len(reached)} functions, methods and constructors")
    for argument in ARGUMENTS:
        given = [p for p in reached if receives(p, argument)]
        num = sum(stays(p, argument) for p in reached)
        print(f"{argument}: {len(given)} functions receive it, {num} stays")
        for place in reached if options.list else ():
            mark = "*" if place in given else " "
            if place in given or stays(place, argument):
                print(f"  {mark} {stays(place, argument):2d} {place.name}")


if __name__ == "__main__":
    main()

"""Which module may import which: rooms stand on floors, imports point down, none in a circle.

A tree is a mapping from each module to the modules of the package that it imports, all without the
package's own name; a folder's name means its `__init__`, `__init__` alone the package's. A room is
a folder or a module at the top. The functions only look at such mappings, `read_tree` makes one.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

Tree = Mapping[str, Collection[str]]
Floors = Sequence[Collection[str]]
"""Names of rooms, the lowest floor first."""

FACE = "__init__"


def room_of(name: str, folder: str = "") -> str | None:
    """The part of `folder` that a module stands in, `__init__` for its face; None: not in it.

    >>> room_of("fit.eft.engine"), room_of("fit.eft.engine", "fit"), room_of("fit", "fit")
    ('fit', 'eft', '__init__')
    """
    if folder and name == folder:
        return FACE
    inside = name if not folder else name.removeprefix(folder + ".")
    return None if folder and inside == name else inside.split(".")[0]


def homeless(tree: Tree, floors: Floors, inner: Mapping[str, Floors] | None = None) -> list[str]:
    """Rooms that stand on no floor or on two, and names on a floor that are no room."""
    found: list[str] = []
    for folder, order in {"": floors, **(inner or {})}.items():
        named = [name for floor in order for name in floor]
        rooms = {room for name in tree if (room := room_of(name, folder))}
        where = folder or "the package"
        found += [f"{room} of {where} has no floor" for room in sorted(rooms - set(named))]
        found += [f"{name} of {where} is not there" for name in sorted(set(named) - rooms)]
        twice = {name for name in named if named.count(name) > 1}
        found += [f"{name} of {where} has two floors" for name in sorted(twice)]
    return found


def climbs(tree: Tree, floors: Floors, inner: Mapping[str, Floors] | None = None) -> list[str]:
    """Imports that neither point to a lower floor nor stay within their room.

    Args:
        floors: of the rooms of the package.
        inner: floors within a folder, `{"fit": [["losses"], ["eft", "smplify"], ["__init__"]]}`;
            the same rule holds there. Folders that are not named are free inside.
    """
    return [
        f"{name} imports {other}, which is {how}"
        for folder, order in {"": floors, **(inner or {})}.items()
        for name, other, how in _climbs(tree, order, folder)
    ]


def _climbs(tree: Tree, floors: Floors, folder: str) -> Iterator[tuple[str, str, str]]:
    level = {name: number for number, floor in enumerate(floors) for name in floor}
    for name in sorted(tree):
        here = room_of(name, folder)
        for other in sorted(tree[name]):
            there = room_of(other, folder)
            if here == there or here not in level or there not in level:
                continue
            if level[there] >= level[here]:
                yield name, other, "above it" if level[there] > level[here] else "on its floor"


def circles(tree: Tree) -> list[list[str]]:
    """Groups of modules that import each other, directly or by way of others of the group."""
    reach = {name: _reached(tree, name) for name in tree}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach.get(other, ())))
        for name in tree
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def _reached(tree: Tree, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(tree[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += tree.get(name, ())
    return seen


def circles_in(tree: Tree, folder: str) -> list[list[str]]:
    """`circles` among the modules of one folder, its `__init__` and sub-folders included."""
    inside = {name for name in tree if room_of(name, folder)}
    return circles({name: inside & set(tree[name]) for name in inside})


def moved(tree: Tree, name: str, to: str) -> dict[str, set[str]]:
    """The tree after a module got another name; whoever imports it follows."""
    return {
        (to if n == name else n): {to if other == name else other for other in others}
        for n, others in tree.items()
    }


def on_floor(
    tree: Tree, floors: Floors, name: str, number: int, room: str = "moved"
) -> tuple[dict[str, set[str]], list[set[str]]]:
    """Tree and floors after a module was moved into a new room of floor `number`."""
    higher = [set(f) | ({room} if i == number else set()) for i, f in enumerate(floors)]
    return moved(tree, name, f"{room}.{name.rpartition('.')[2]}"), higher


def fitting_floors(tree: Tree, floors: Floors, name: str) -> list[int]:
    """Floors that a module could be moved to, into a new room, without an import that climbs.

    `climbs` reports each other floor as wrong. Empty: its own room is the only place.
    """
    before = set(climbs(moved(tree, name, "moved.it"), floors))
    return [
        number
        for number in range(len(floors))
        if not set(climbs(*on_floor(tree, floors, name, number))) - before
    ]


def read_tree(package: Path) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """All imports of a package's modules, and those without `if TYPE_CHECKING`.

    The first is for `climbs`, the second for `circles`. Imports within functions count in both.
    """
    files = {
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix("." + FACE): path
        for path in sorted(package.rglob("*.py"))
    }
    every, running = dict[str, set[str]](), dict[str, set[str]]()
    for name, path in files.items():
        syntax = ast.parse(path.read_text(encoding="utf-8"))
        every[name] = imported(syntax, package.name, files)
        running[name] = imported(_without_type_checking(syntax), package.name, files)
    return every, running


def imported(syntax: ast.AST, package: str, names: Collection[str]) -> set[str]:
    """Modules of `package` (which has `names`) that are imported anywhere in a file.

    `from package.fit import losses` imports `fit.losses` where that is a module, else `fit`.
    """
    found: set[str] = set()
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno}: an import that is relative")
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = full.removeprefix(package + ".") in names
                found.add(full if is_module else str(node.module))
    inside = {name for name in found if name.split(".")[0] == package}
    return {name.removeprefix(package).removeprefix(".") or FACE for name in inside}


class _Running(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test).endswith("TYPE_CHECKING") else node


def _without_type_checking(syntax: ast.Module) -> ast.Module:
    return _Running().visit(ast.parse(ast.unparse(syntax)))

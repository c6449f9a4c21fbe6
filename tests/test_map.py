"""CONTRIBUTING's map of the package is whole, names nothing else, and stands in order."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from test_layers import FLOORS, INNER

from tests.conftest import ROOT

PACKAGE = ROOT / "eftvideo"
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (\d+) \| `([\w/.]+)` \| (.+?) \| (.*?) ?\|$", re.MULTILINE)


def map_rows(guide: str = GUIDE) -> list[tuple[int, str, str, list[str]]]:
    """Floor, room, what it is for, and its modules, from the guide's table."""
    part = guide.partition("## Where things are")[2].partition("\n## ")[0]
    return [
        (int(floor), room, words, re.findall(r"`(\w+)`", modules))
        for floor, room, words, modules in _ROW.findall(part)
    ]


def named(rows: list[tuple[int, str, str, list[str]]]) -> list[str]:
    """Files that the map names, from the package's folder; a folder's row means its face."""
    found = []
    for _, room, _, modules in rows:
        found += [room + "__init__.py" if room.endswith("/") else room]
        found += [f"{room}{module}.py" for module in modules]
    return found


def there() -> set[str]:
    """All files of the package."""
    return {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}


def wrong(rows: list[tuple[int, str, str, list[str]]]) -> list[str]:
    """What the map leaves out, makes up, or has twice."""
    names = named(rows)
    return [
        *(f"{name} is not in the map" for name in sorted(there() - set(names))),
        *(f"{name} is not there" for name in sorted(set(names) - there())),
        *(f"{name} is named twice" for name in sorted(set(names)) if names.count(name) > 1),
    ]


def misplaced(rows: list[tuple[int, str, str, list[str]]]) -> list[str]:
    """Rooms whose number is not that of their floor, or that stand out of order."""
    floor_of = {name: number for number, floor in enumerate(FLOORS, 1) for name in floor}
    numbers = [floor for floor, *_ in rows]
    found = [] if numbers == sorted(numbers) else ["the floors are out of order"]
    for floor, room, *_ in rows:
        right = floor_of.get(Path(room.split("/")[0]).stem)
        found += [f"{room} is on floor {right}, not {floor}"] if right != floor else []
    return found


def test_every_module_is_in_the_map_and_no_other():
    assert wrong(map_rows()) == []


def test_rooms_stand_in_the_order_of_the_floors():
    assert misplaced(map_rows()) == []


def test_every_room_says_what_it_is_for():
    assert all(len(words.split()) > 1 for _, _, words, _ in map_rows())


@pytest.mark.parametrize("folder", INNER)
def test_modules_of_a_room_with_floors_stand_in_their_order(folder):
    level = {name: number for number, floor in enumerate(INNER[folder]) for name in floor}
    (modules,) = [modules for _, room, _, modules in map_rows() if room == f"{folder}/"]
    assert [level[m] for m in modules] == sorted(level[m] for m in modules)


def test_an_error_in_the_map_is_noticed():
    rows = map_rows()
    _, room, words, modules = rows[1]
    assert wrong(rows[1:]) == ["errors.py is not in the map"]
    assert wrong([*rows, (1, "config/", words, ["nothing"])])
    assert wrong([*rows[:1], (2, room, words, modules[1:]), *rows[2:]])
    assert misplaced([*rows[1:], rows[0]]) == ["the floors are out of order"]
    assert misplaced([(2, "errors.py", "", [])]) == ["errors.py is on floor 1, not 2"]


def test_main_path_of_the_guide_is_the_one_that_runs():
    source = (PACKAGE / "pipeline.py").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(with open_video.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert textwrap.indent(block, "    ") in source

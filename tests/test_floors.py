"""The rule of the floors, on made-up trees."""

from __future__ import annotations

import ast

import pytest
from floors import (
    circles,
    circles_in,
    climbs,
    fitting_floors,
    homeless,
    imported,
    moved,
    on_floor,
    read_tree,
    room_of,
)

FLOORS = [["errors"], ["shapes", "video"], ["fit", "draw"], ["run"]]
TREE = {
    "errors": set(),
    "shapes": {"errors"},
    "video": {"video.read"},
    "video.read": {"errors"},
    "fit": {"fit.eft", "fit.smplify"},
    "fit.losses": {"shapes"},
    "fit.eft": {"fit.eft.engine"},
    "fit.eft.engine": {"fit.losses", "video.read"},
    "fit.smplify": {"fit.losses"},
    "draw": {"shapes", "video"},
    "run": {"fit", "draw", "errors"},
}
INNER = {"fit": [["losses"], ["eft", "smplify"], ["__init__"]]}


def plus(name: str, *more: str) -> dict[str, set[str]]:
    """The tree with some imports more."""
    return TREE | {name: TREE[name] | set(more)}


def test_good_tree_has_nothing_to_report():
    assert homeless(TREE, FLOORS, INNER) == []
    assert climbs(TREE, FLOORS, INNER) == []
    assert circles(TREE) == []


def test_rooms_are_folders_and_modules_at_the_top():
    assert room_of("run") == "run"
    assert room_of("fit.eft.engine") == "fit"
    assert room_of("fit.eft.engine", "fit") == "eft"
    assert room_of("fit", "fit") == "__init__"
    assert room_of("fitting", "fit") is None
    assert room_of("run", "fit") is None


def test_room_without_a_floor_is_reported():
    assert homeless(TREE | {"new.thing": set()}, FLOORS) == ["new of the package has no floor"]
    assert homeless(TREE | {"fit.new": set()}, FLOORS, INNER) == ["new of fit has no floor"]


def test_floor_of_nothing_and_two_floors_are_reported():
    assert homeless(TREE, [*FLOORS, ["gone"]]) == ["gone of the package is not there"]
    assert homeless(TREE, [*FLOORS, ["fit"]]) == ["fit of the package has two floors"]


def test_import_of_a_higher_floor_is_reported():
    assert climbs(plus("shapes", "fit.losses"), FLOORS) == [
        "shapes imports fit.losses, which is above it"
    ]


def test_rooms_of_one_floor_do_not_know_each_other():
    assert climbs(plus("draw", "fit.losses"), FLOORS) == [
        "draw imports fit.losses, which is on its floor"
    ]


def test_inner_order_holds_within_a_folder():
    tree = plus("fit.losses", "fit.eft.engine")
    assert climbs(tree, FLOORS) == []
    assert climbs(tree, FLOORS, INNER) == ["fit.losses imports fit.eft.engine, which is above it"]


def test_subfolders_of_one_inner_floor_do_not_know_each_other():
    tree = plus("fit.smplify", "fit.eft.engine")
    assert climbs(tree, FLOORS, INNER) == [
        "fit.smplify imports fit.eft.engine, which is on its floor"
    ]


def test_face_of_a_folder_is_above_its_modules():
    tree = plus("fit.losses", "fit")
    assert climbs(tree, FLOORS, INNER) == ["fit.losses imports fit, which is above it"]


def test_circles_by_way_of_others_are_found():
    tree = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}}
    assert circles(tree) == [["a", "b", "c"], ["e", "f"]]


def test_module_that_imports_itself_is_a_circle():
    assert circles({"a": {"a"}, "b": {"a"}}) == [["a"]]


def test_circle_through_the_face_is_one_of_the_folder():
    tree = plus("fit.losses", "fit")
    assert circles_in(tree, "fit") == [["fit", "fit.eft", "fit.eft.engine", "fit.losses",
                                        "fit.smplify"]]  # fmt: skip
    assert circles_in(tree, "video") == []


def test_circle_that_leaves_the_folder_is_none_of_the_folder():
    tree = plus("fit.losses", "run")
    assert circles(tree) != []
    assert circles_in(tree, "fit") == []


def test_importers_follow_a_moved_module():
    tree = moved(TREE, "fit.losses", "shapes.losses")
    assert tree["shapes.losses"] == {"shapes"}
    assert tree["fit.smplify"] == {"shapes.losses"}
    assert "fit.losses" not in tree


@pytest.mark.parametrize(
    ("name", "to", "reported"),
    [
        ("errors", "draw.errors", "shapes imports draw.errors, which is above it"),
        ("shapes", "run.shapes", "draw imports run.shapes, which is above it"),
        ("video.read", "draw.read", "video imports draw.read, which is above it"),
        ("video", "errors.video", "errors.video imports video.read, which is above it"),
        ("fit", "video.fit", "video.fit imports fit.eft, which is above it"),
        ("fit.losses", "errors.losses", "errors.losses imports shapes, which is above it"),
        ("fit.eft", "run.eft", "fit imports run.eft, which is above it"),
        ("fit.eft.engine", "shapes.engine", "shapes.engine imports fit.losses, which is above it"),
        ("fit.smplify", "draw.smplify", "fit imports draw.smplify, which is on its floor"),
        ("draw", "video.draw", "video.draw imports shapes, which is on its floor"),
        ("run", "draw.run", "draw.run imports fit, which is on its floor"),
    ],
)
def test_module_moved_to_a_wrong_room_is_reported(name, to, reported):
    assert reported in climbs(moved(TREE, name, to), FLOORS)


@pytest.mark.parametrize("name", TREE)
@pytest.mark.parametrize("number", range(len(FLOORS)))
def test_module_on_a_wrong_floor_is_reported(name, number):
    level = {room: i for i, floor in enumerate(FLOORS) for room in floor}
    below = [level[room_of(other)] for other in TREE[name]]
    above = [level[room_of(other)] for other in TREE if name in TREE[other]]
    fits = all(b < number for b in below) and all(number < a for a in above)
    tree, floors = on_floor(TREE, FLOORS, name, number)
    assert homeless(tree, floors) in ([], [f"{room_of(name)} of the package is not there"])
    assert (climbs(tree, floors) == []) == fits
    assert (number in fitting_floors(TREE, FLOORS, name)) == fits


@pytest.mark.parametrize("name", TREE)
def test_every_module_has_a_wrong_floor(name):
    assert len(fitting_floors(TREE, FLOORS, name)) < len(FLOORS)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import pack", {"__init__"}),
        ("import pack.fit.losses as x", {"fit.losses"}),
        ("from pack import fit", {"fit"}),
        ("from pack import run_video", {"__init__"}),
        ("from pack.fit import losses, fit_tracks", {"fit.losses", "fit"}),
        ("def f():\n    from pack.fit.losses import loss", {"fit.losses"}),
        ("import numpy, packer.fit", set()),
    ],
)
def test_imports_are_read(code, found):
    assert imported(ast.parse(code), "pack", {"fit", "fit.losses"}) == found


def test_relative_import_is_refused():
    with pytest.raises(ValueError, match="line 2"):
        imported(ast.parse("\nfrom . import fit"), "pack", {"fit"})


def test_type_checking_counts_for_floors_but_not_for_circles(tmp_path):
    pack = tmp_path / "pack"
    (pack / "fit").mkdir(parents=True)
    (pack / "__init__.py").write_text("")
    (pack / "fit" / "__init__.py").write_text("from pack.fit.losses import loss\n")
    (pack / "fit" / "losses.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from pack.fit import Fit\n"
        "else:\n    import pack.errors\n"
    )
    (pack / "errors.py").write_text("")
    every, running = read_tree(pack)
    assert every == {
        "__init__": set(),
        "errors": set(),
        "fit": {"fit.losses"},
        "fit.losses": {"fit", "errors"},
    }
    assert running["fit.losses"] == {"errors"}
    assert circles(running) == [] != circles(every)

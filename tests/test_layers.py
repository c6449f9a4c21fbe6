"""Imports point down, parts do not know each other, each heavy library has one home."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import eftvideo
from tests.floors import circles, climbs, homeless, on_floor, read_tree, room_of

PACKAGE = Path(eftvideo.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

FLOORS = [
    {"errors"},
    {"config", "files", "plugins", "weights"},
    {"types"},
    {"geometry", "progress"},
    {"bodies", "landmarks", "video"},
    {"regressors", "renderers", "results"},
    {"evaluate", "exporters", "outputs", "setup"},
    {"detect", "draw", "fit", "track", "train"},
    {"refine", "report", "viewer"},
    {"pipeline"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
"""The rooms from the ground up: a room may only import what is on the floors below its own."""
INNER = {
    "fit": [
        {"chunks", "losses", "optimizer", "pixels"},
        {"accept", "crops", "projection"},
        {"records", "shape"},
        {"answer"},
        {"context"},
        {"batch"},
        {"eft", "regress", "smplify", "told"},
        {"tracks"},
        {"__init__"},
    ],
}
EVERY, RUNNING = read_tree(PACKAGE)
PARTS = ("bodies", "exporters", "regressors", "renderers")
SEAMS = ("_model", "_protocol", "_palette", "_load", "_export", "_motion")
"""What of them is no part: interfaces, and what all parts of the kind share."""
KNOWS_PARTS = {"cli", "train", "setup"}
"""Rooms that may name a concrete part: the doctor checks them, the trainer trains one."""

_COMMANDS = {n for n in FILES if n.split(".")[0] == "cli"}
OWNERS = {
    "typer": _COMMANDS,
    "rich": _COMMANDS,
    "ultralytics": {"detect.yolo_pose"},
    "torchvision": set(),
    "smplx": {"bodies.smpl"},
    "pygltflib": {"exporters._gltf", "exporters.glb"},
    "pandas": {"results.result_table"},
    "viser": {"viewer.server"},
    "pyrender": {"renderers._gl"},
    "OpenGL": {"renderers._gl", "renderers._mesh_pass", "renderers._osmesa"},
    "decord": {"video.decord"},
    "imageio_ffmpeg": {"video.probe"},
    "scenedetect": {"video.cuts"},
    "roma": {"geometry.rotations"},
    "safetensors": {"weights.locate", "train.lifter", "train.landmark_hmr"},
    "cv2": {
        "detect.yolo_pose",
        "renderers._paint",
        "video.images",
        "detect.close_ups",
        "landmarks.regions",
        "landmarks.masks",
    },
    "openvino": {"landmarks._openvino"},
    "lap": {"evaluate.match"},
    "scipy": set(),
    "anny": set(),
}
LIGHT = {n for n in FILES if n.split(".")[0] in {"__init__", "cli", "config", "errors", "plugins"}}
LIGHT = (LIGHT | {"progress"}) - {"cli.console", "cli.doctor"}
"""Imported by `eftvideo --help`: numpy, torch and the like stay out."""


def imports(name: str, top_level_only: bool = False) -> set[str]:
    """Dotted names that a module imports: `eftvideo.geometry.camera`, `torch.nn`."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = full.removeprefix("eftvideo.") in FILES
                found.add(full if is_module else str(node.module))
    return found


def ours(name: str) -> set[str]:
    """Modules of the package that a module imports, without the leading `eftvideo`."""
    inside = {n for n in imports(name) if n.split(".")[0] == "eftvideo"}
    return {n.removeprefix("eftvideo").removeprefix(".") or "__init__" for n in inside}


def test_every_room_has_a_floor():
    assert homeless(EVERY, FLOORS, INNER) == []


def test_imports_point_down_and_none_goes_to_a_neighbour():
    assert climbs(EVERY, FLOORS, INNER) == []


def test_nothing_imports_itself_in_a_circle():
    assert circles(RUNNING) == []


@pytest.mark.parametrize("name", sorted(EVERY.keys() - {"__init__", "__main__"}))
def test_a_module_on_the_wrong_floor_is_noticed(name):
    """Below what it imports, or above those who import it."""
    inner = {other for other in EVERY[name] if room_of(other) != room_of(name)}
    users = {n for n in EVERY if name in EVERY[n] and room_of(n) != room_of(name)}
    if inner:
        assert climbs(*on_floor(EVERY, FLOORS, name, 0)), f"{name} on the ground"
    if users:
        assert climbs(*on_floor(EVERY, FLOORS, name, len(FLOORS) - 1)), f"{name} under the roof"


@pytest.mark.parametrize("name", FILES)
def test_concrete_parts_are_found_by_name(name):
    here = name.split(".")[0]
    for other in ours(name):
        kind, _, part = other.partition(".")
        if kind in PARTS and part and kind != here and not part.startswith(SEAMS):
            assert here in KNOWS_PARTS, f"{name} imports {other}: use plugins.load"


@pytest.mark.parametrize("library", OWNERS)
def test_heavy_libraries_have_one_home(library):
    users = {n for n in FILES if library in {i.split(".")[0] for i in imports(n)}}
    assert users <= OWNERS[library]


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_light_modules_stay_light(name):
    top = {i.split(".")[0] for i in imports(name, top_level_only=True)}
    assert not top & {"numpy", "torch", *OWNERS} - {"typer", "rich"}


@pytest.mark.parametrize("name", FILES)
def test_files_are_short_and_say_what_they_are_for(name):
    text = FILES[name].read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert text.count("\n") <= 300


def test_public_functions_are_described():
    bare = []
    for name, path in FILES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                bare += [f"{name}.{node.name}"] if not ast.get_docstring(node) else []
    assert bare == []


def test_importing_the_package_is_cheap():
    script = "import eftvideo, sys; print(*sorted({'torch', 'numpy', 'typer'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_the_command_line_is_cheap():
    script = "import eftvideo.cli.app, sys; print(*sorted({'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "")

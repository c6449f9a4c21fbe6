"""Imports point down, parts do not know each other, each heavy library has one home."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import eftvideo

PACKAGE = Path(eftvideo.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

LAYERS = (
    "errors config config_dotted config_docs config_files config_fit config_values plugins "
    "skeletons types raw_matroska",
    "rotations camera crops cutouts metrics weights unpickle unpack torch_files checkpoints probe "
    "decord_decode ffmpeg_decode pixels fetch "
    "evaluate_truth "
    "priors torso video encode shots swaps tracklets tracks progress pictures pieces "
    "outliers close_ups second_look lost smoothing warm_start",
    "bodies results gaps result_table posed losses evaluate_match",
    "detectors regressors renderers",
    "motion exporters "
    "tuning eft smplify smplify_stages retarget synthetic datasets evaluate_body rows polish "
    "capacity pose_only eft_rules eft_slots eft_engine doubt sightings shapes settle",
    "networks streams fitting overlay export rerender rerender_views rerender_panels "
    "rerender_files report report_charts report_page report_pictures viewer viewer_data "
    "viewer_places viewer_scene viewer_style "
    "evaluate doctor train_losses train pipeline",
    "options cli_export console cli cli_eval cli_render cli_report cli_view cli_weights "
    "__main__ __init__",
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
"""By a module's first name: a folder is one layer."""
PARTS = ("bodies", "detectors", "exporters", "regressors", "renderers")
KNOWS_PARTS = {"doctor", "train", "train_losses", "tuning"}
"""Modules that may name a concrete part: the doctor checks them, the trainer trains one."""

_COMMANDS = {n for n in FILES if n.split("_")[0] == "cli"}
OWNERS = {
    "typer": {"options", *_COMMANDS},
    "rich": {"console", *_COMMANDS},
    "ultralytics": {"detectors.yolo_pose"},
    "torchvision": set(),
    "smplx": {"bodies.smpl"},
    "pygltflib": {"exporters._gltf", "exporters.glb"},
    "pandas": {"result_table"},
    "viser": {"viewer"},
    "pyrender": {"renderers._gl"},
    "OpenGL": {"renderers._gl", "renderers._mesh_pass", "renderers._osmesa"},
    "decord": {"decord_decode"},
    "imageio_ffmpeg": {"probe"},
    "scenedetect": {"shots"},
    "roma": {"rotations"},
    "safetensors": {"weights", "train"},
    "cv2": {"detectors.yolo_pose", "renderers._paint", "pictures", "close_ups"},
    "lap": {"evaluate_match"},
    "scipy": set(),
    "anny": set(),
}
LIGHT = {
    "errors",
    "config",
    "config_docs",
    "config_dotted",
    "config_files",
    "config_fit",
    "config_values",
    "skeletons",
    "plugins",
    "progress",
    "__init__",
    "cli",
    "cli_eval",
    "cli_export",
    "options",
}
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


def test_every_module_has_a_layer():
    assert {name.split(".")[0] for name in FILES} <= LEVEL.keys()


@pytest.mark.parametrize("name", [n for n in FILES if n != "__init__"])
def test_imports_point_down(name):
    here = name.split(".")[0]
    for other in ours(name):
        there = other.split(".")[0]
        assert LEVEL[there] <= LEVEL[here], f"{name} imports {other}, which is above it"
        if here in PARTS and there in PARTS:
            assert here == there or LEVEL[there] < LEVEL[here], f"{name} imports {other}"


@pytest.mark.parametrize("name", FILES)
def test_concrete_parts_are_found_by_name(name):
    here = name.split(".")[0]
    for other in ours(name):
        kind, _, part = other.partition(".")
        if kind in PARTS and part and kind != here:
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

"""Import exported glb and bvh files in Blender and compare the bones with the npz.

    python3.11 -m venv BLENDER && BLENDER/bin/pip install bpy     # Blender 5.0, 0.4 GB
    eftvideo export out/clip.npz --to glb -o FOLDER
    eftvideo export out/clip.npz --to bvh -o FOLDER
    BLENDER/bin/python tools/check_blender.py out/clip.npz FOLDER

Blender turns y up into z up by itself. At three times each bone's head must be within 1 mm (BVH:
5 mm) of where the npz has the joint, in x right, y forward, z up. Needs nothing of eftvideo; the
exit code is 1 if a bone is elsewhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

try:
    import bpy  # pyright: ignore[reportMissingImports]
except ImportError:
    bpy = None

LIMIT_MM = {".glb": 1.0, ".bvh": 5.0}
JOINTS = [
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
]


def empty_scene() -> None:
    """Begin anew."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


def heads(armature: bpy.types.Object, frame: float) -> np.ndarray:
    """(24, 3) of the joints in the world at a frame of the scene, metres."""
    whole = int(np.floor(frame))
    bpy.context.scene.frame_set(whole, subframe=frame - whole)
    graph = bpy.context.evaluated_depsgraph_get()
    posed = armature.evaluated_get(graph)
    # Blender makes names unique: left_hip.001
    places = {b.name.split(".")[0]: posed.matrix_world @ b.head for b in posed.pose.bones}
    return np.array([places[name] for name in JOINTS])


def armatures() -> list[bpy.types.Object]:
    """The skeletons of the scene."""
    return [o for o in bpy.context.scene.objects if o.type == "ARMATURE"]


def person_of(armature: bpy.types.Object) -> int:
    """The track: of the armature's or its mesh's name `person_1`."""
    names = [armature.name, *(o.name for o in armature.children_recursive)]
    return int(next(n for n in names if n.startswith("person_")).split("_")[1].split(".")[0])


def check_glb(path: Path, people: dict[int, tuple[np.ndarray, np.ndarray]]) -> list[str]:
    """Lines about every person of one file; the frames are at their true times."""
    empty_scene()
    bpy.ops.import_scene.gltf(filepath=str(path))
    fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    lines = []
    for armature in armatures():
        track_id = person_of(armature)
        times_s, joints = people[track_id]
        rows = np.quantile(np.arange(len(times_s)), [0.1, 0.5, 0.9]).astype(int)
        got = np.array([heads(armature, times_s[r] * fps) for r in rows])
        lines.append(told(path, track_id, got, joints[rows]))
    return lines


def check_bvh(path: Path, people: dict[int, tuple[np.ndarray, np.ndarray]]) -> list[str]:
    """One line; three samples that are at the time of a frame. They begin at Blender's frame 1."""
    empty_scene()
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, update_scene_fps=True)
    text = path.read_text().split("MOTION")[1].split("\n")
    period_s = float(text[2].split(":")[1])
    track_id = int(path.stem.rsplit("person", 1)[1])
    times_s, joints = people[track_id]
    # The first sample is on the grid of this rate, at the first frame or less than a period later.
    phase_s = float(np.median(np.round(times_s % period_s, 6)))
    at_s = phase_s + period_s * (np.ceil((times_s[0] - phase_s) / period_s - 1e-2) + np.arange(
        int(text[1].split(":")[1])))  # fmt: skip
    row = np.abs(at_s[:, None] - times_s).argmin(1)
    good = np.flatnonzero(np.abs(times_s[row] - at_s) < 1e-3)
    some = good[np.quantile(np.arange(len(good)), [0.1, 0.5, 0.9]).astype(int)]
    got = np.array([heads(armatures()[0], 1.0 + s) for s in some])
    return [told(path, track_id, got, joints[row[some]])]


def told(path: Path, track_id: int, got: np.ndarray, want: np.ndarray) -> str:
    """A line of the answer."""
    error = 1000.0 * float(np.linalg.norm(got - want, axis=-1).max())
    fine = error < LIMIT_MM[path.suffix]
    up = float((got[:, 15, 2] - got[:, 7:9, 2].mean(1)).min())
    return (
        f"{'ok ' if fine and up > 0.0 else 'BAD'}  {path.name}, person {track_id}: "
        f"{error:.4f} mm off; the head is {up:.2f} m above the ankles at least"
    )


def main() -> int:
    """0 if every bone is where it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("folder", type=Path, help="with the exported files")
    args = parser.parse_args()
    if bpy is None:
        parser.error("Blender's Python is missing: pip install bpy (Python 3.11, 0.4 GB)")
    with np.load(args.result) as r:
        start_s = float(json.loads(str(r["config"])).get("clip", {}).get("start_s") or 0.0)
        joints = r["joints3d"][..., [0, 2, 1]] * [1.0, 1.0, -1.0]
        people = {
            int(i): (r["time_s"][r["track_id"] == i] - start_s, joints[r["track_id"] == i])
            for i in np.unique(r["track_id"])
        }
    stem = args.result.stem
    lines = [x for p in args.folder.glob(f"{stem}.glb") for x in check_glb(p, people)]
    lines += [
        x for p in sorted(args.folder.glob(f"{stem}_person*.bvh")) for x in check_bvh(p, people)
    ]
    print(f"Blender {bpy.app.version_string}", *lines, sep="\n")
    return int(not lines or any(x.startswith("BAD") for x in lines))


if __name__ == "__main__":
    sys.exit(main())

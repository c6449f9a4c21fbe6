"""Export a result to every format, read each file with other people's code, and tell how far the
joints are from those in the npz.

    npm install --prefix NODE three gltf-validator    # for glb
    pip install pybvh bvhio aitviewer                 # those that are missing are left out
    python benchmarks/export_roundtrip.py out/clip.npz --node NODE -o out/roundtrip

One line for each format, reader and person. The npz is read with numpy only. `amass` is posed by
smplx (and aitviewer) with an SMPL+H file that is made here from the free body, `glb` is played by
three.js in node, `bvh` is read by two programs from PyPI. Where a file has samples at times other
than the frames', only samples at the times of frames are compared; the number is told. The exit
code is 1 if a joint is farther off than 1 mm (BVH: 5 mm), or a reader found fault with a file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from export_bodies import HANDS, smpl_file, smplh_file
from scipy.spatial.transform import Rotation

from eftvideo.exporters._export import ExportedFile, export_result
from eftvideo.geometry.skeletons import SMPL24

LIMIT_MM = {"bvh": 5.0}
Y_UP, Z_UP = np.diag([1.0, -1.0, -1.0]), np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
PLAY = """
import * as THREE from 'three';
import {GLTFLoader} from 'three/examples/jsm/loaders/GLTFLoader.js';
import fs from 'fs';
globalThis.self = globalThis;
const bytes = fs.readFileSync(process.argv[1]);
const times = JSON.parse(fs.readFileSync(process.argv[2]));
const file = await new GLTFLoader().parseAsync(new Uint8Array(bytes).buffer, '');
const mixer = new THREE.AnimationMixer(file.scene);
mixer.clipAction(file.animations[0]).play();
const bones = Object.keys(times).map(name => {
  const found = [];
  file.scene.getObjectByName(name).traverse(node => { if (node.isBone) found.push(node); });
  return [name, found];
});
const out = {};
for (const [name, found] of bones) {
  out[name] = {names: found.map(b => b.name), places: times[name].map(seconds => {
    mixer.setTime(seconds);
    file.scene.updateMatrixWorld(true);
    return found.map(b => b.getWorldPosition(new THREE.Vector3()).toArray());
  })};
}
console.log(JSON.stringify(out));
"""
VALIDATE = """
import validator from 'gltf-validator';
import fs from 'fs';
const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])));
console.log(JSON.stringify(report.issues));
"""


@dataclass(frozen=True)
class Person:
    """What the npz has of one person: F rows."""

    track_id: int
    frame: np.ndarray
    time_s: np.ndarray
    """From the start of the range that was run."""
    joints_m: np.ndarray
    """(F, 24, 3) camera frame."""
    vectors: np.ndarray
    """(F, 24, 3) axis-angle."""

    def rows_at(self, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Samples that are at the time of a row, and those rows."""
        row = np.abs(times_s[:, None] - self.time_s).argmin(1)
        samples = np.flatnonzero(np.abs(times_s - self.time_s[row]) < 1e-4)
        return samples, row[samples]

    def error(self, joints_m: np.ndarray, times_s: np.ndarray, turn: np.ndarray) -> float:
        """Largest distance in mm of (S, 24, 3) joints in a file's axes, at samples on frames."""
        samples, rows = self.rows_at(times_s)
        want = self.joints_m[rows] @ turn.T
        return 1000.0 * float(np.linalg.norm(joints_m[samples] - want, axis=-1).max())


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    format: str
    reader: str
    who: str
    compared: str
    error_mm: float

    @property
    def fine(self) -> bool:
        """Within the limit."""
        return self.error_mm < LIMIT_MM.get(self.format, 1.0)


def people_of(path: Path) -> list[Person]:
    """Everybody in a result, read with numpy alone."""
    with np.load(path) as r:
        start_s = float(json.loads(str(r["config"])).get("clip", {}).get("start_s") or 0.0)
        return [
            Person(
                int(i),
                r["frame"][rows],
                r["time_s"][rows] - start_s,
                r["joints3d"][rows].astype(float),
                np.hstack([r["global_orient"], r["body_pose"]])[rows].reshape(-1, 24, 3),
            )
            for i in np.unique(r["track_id"])
            for rows in [r["track_id"] == i]
        ]


def amass(people: list[Person], files: list[ExportedFile], folder: Path) -> Iterator[Line]:
    """Posed by smplx; by aitviewer's own loader too, if that is there."""
    import smplx

    model_file = smplh_file(folder / "models" / "smplh")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that there are ten betas
        model = smplx.create(str(model_file), "smplh", use_pca=False, flat_hand_mean=True)
    for person, file in zip(people, files, strict=True):
        a = np.load(file.path)
        times_s, poses = a["sample_time_s"], torch.from_numpy(a["poses"]).float()
        out = model(
            global_orient=poses[:, :3],
            body_pose=poses[:, 3:66],
            left_hand_pose=poses[:, 66:111],
            right_hand_pose=poses[:, 111:],
            betas=torch.from_numpy(a["betas"]).float().expand(len(poses), -1),
            transl=torch.from_numpy(a["trans"]).float(),
        )
        joints = out.joints[:, HANDS].detach().numpy()
        yield _line("amass", f"smplx {version('smplx')}", person, times_s, joints, Z_UP)
    with contextlib.suppress(ImportError):
        yield from _aitviewer(people, files, folder)


def _aitviewer(people: list[Person], files: list[ExportedFile], folder: Path) -> Iterator[Line]:
    from aitviewer.configuration import CONFIG  # pyright: ignore[reportMissingImports]
    from aitviewer.renderables.smpl import SMPLSequence  # pyright: ignore[reportMissingImports]

    CONFIG.update_conf({"smplx_models": str(folder / "models"), "device": "cpu"})
    for person, file in zip(people, files, strict=True):
        with contextlib.redirect_stdout(io.StringIO()):
            sequence = SMPLSequence.from_amass(str(file.path), log=True)
        joints = np.asarray(sequence.joints)[:, :22] @ np.array(sequence.rotation).T
        times_s = np.load(file.path)["sample_time_s"]
        short = replace(person, joints_m=person.joints_m[:, :22])
        yield _line("amass", f"aitviewer {version('aitviewer')}", short, times_s, joints, Y_UP)


def _line(
    kind: str, reader: str, person: Person, times_s: np.ndarray, joints: np.ndarray, turn: Any
) -> Line:
    count = len(person.rows_at(times_s)[0])
    told = f"{count} of {len(times_s)} samples, {joints.shape[1]} joints"
    return Line(kind, reader, f"{person.track_id}", told, person.error(joints, times_s, turn))


def glb(people: list[Person], file: ExportedFile, folder: Path, node: Path) -> Iterator[Line]:
    """Judged by Khronos' validator, played by three.js."""
    issues = json.loads(_node(VALIDATE, node, file.path))
    number = sum(issues[k] for k in ("numErrors", "numWarnings", "numInfos", "numHints"))
    packages = node / "node_modules"
    versions = {n: json.loads((packages / n / "package.json").read_text())["version"]
                for n in ("three", "gltf-validator")}  # fmt: skip
    judge = f"gltf-validator {versions['gltf-validator']}"
    yield Line("glb", judge, "all", f"{number} issues", 0.0 if not number else np.inf)
    times = folder / "times.json"
    times.write_text(json.dumps({f"person_{p.track_id}": p.time_s.tolist() for p in people}))
    played = json.loads(_node(PLAY, node, file.path, times))
    for person in people:
        seen = played[f"person_{person.track_id}"]
        # three.js makes names unique: left_hip_1.
        names = [n if n in SMPL24 else n.rsplit("_", 1)[0] for n in seen["names"]]
        joints = np.array(seen["places"])[:, [names.index(n) for n in SMPL24]]
        yield _line("glb", f"three.js {versions['three']}", person, person.time_s, joints, Y_UP)


def _node(script: str, folder: Path, *paths: Path) -> str:
    command = ["node", "--input-type=module", "-e", script, *(str(p.resolve()) for p in paths)]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def bvh(people: list[Person], files: list[ExportedFile]) -> Iterator[Line]:
    """Read by pybvh and by bvhio, centimetres, y up."""
    for person, file in zip(people, files, strict=True):
        times_s = file.start_s + np.arange(file.num_samples) / (file.fps or 1.0)
        with contextlib.suppress(ImportError):
            import pybvh  # pyright: ignore[reportMissingImports]

            read = pybvh.read_bvh_file(str(file.path))
            order = [read.joint_names.index(n) for n in SMPL24]
            joints = np.asarray(read.joint_positions())[:, order] / 100.0
            line = _line("bvh", f"pybvh {version('pybvh')}", person, times_s, joints, Y_UP)
            turned = np.asarray(read.to_rotmat()[1])[:, order]
            degrees = _degrees_off(turned, person, times_s)
            yield replace(line, compared=f"{line.compared}; rotations {degrees:.5f} degrees off")
        with contextlib.suppress(ImportError):
            import bvhio  # pyright: ignore[reportMissingImports]

            root, places = bvhio.readAsHierarchy(str(file.path)), []
            some = np.arange(0, file.num_samples, 10)
            for sample in some:
                root.loadPose(int(sample))
                at = {j.Name: j.PositionWorld.to_tuple() for j, *_ in root.layout()}
                places.append([at[n] for n in SMPL24])
            joints = np.array(places) / 100.0
            yield _line("bvh", f"bvhio {version('bvhio')}", person, times_s[some], joints, Y_UP)


def _degrees_off(turned: np.ndarray, person: Person, times_s: np.ndarray) -> float:
    """Largest angle between (S, 24, 3, 3) rotations of a y-up file and those of the npz."""
    samples, rows = person.rows_at(times_s)
    want = Rotation.from_rotvec(person.vectors[rows].reshape(-1, 3)).as_matrix()
    want = want.reshape(-1, 24, 3, 3)
    want[:, 0] = Y_UP @ want[:, 0]
    off = Rotation.from_matrix((np.swapaxes(want, -1, -2) @ turned[samples]).reshape(-1, 3, 3))
    return float(np.degrees(off.magnitude()).max())


def plain_json(people: list[Person], file: ExportedFile) -> Iterator[Line]:
    """The places of the joints as they are written."""
    document = json.loads(file.path.read_text())
    for person, entry in zip(people, document["people"], strict=True):
        joints, times_s = np.array(entry["joints3d"]), np.array(entry["time_s"])
        yield _line("json", "json of Python", person, times_s, joints, np.eye(3))


def eft_json(people: list[Person], file: ExportedFile, folder: Path) -> Iterator[Line]:
    """Posed by smplx; the format has neither place nor heading, so both are found by fitting."""
    import smplx

    with contextlib.redirect_stdout(io.StringIO()):
        model = smplx.create(str(smpl_file(folder / "models" / "smpl")), "smpl")
    data = json.loads(file.path.read_text())["data"]
    for person in people:
        mine = [e for e in data if e["subjectId"] == person.track_id]
        pose = torch.tensor([e["parm_pose"] for e in mine], dtype=torch.float32)
        shape = torch.tensor([e["parm_shape"] for e in mine], dtype=torch.float32)
        out = model(global_orient=pose[:, :1], body_pose=pose[:, 1:], betas=shape, pose2rot=False)
        got = out.joints[:, :24].detach().double().numpy()
        got, want = (j - j.mean(1, keepdims=True) for j in (got, person.joints_m))
        u, _, v = np.linalg.svd(np.swapaxes(got, 1, 2) @ want)
        u[:, :, 2] *= np.linalg.det(u @ v)[:, None]
        error = 1000.0 * np.linalg.norm(got @ (u @ v) - want, axis=-1).max()
        told = f"{len(mine)} of {len(person.frame)} frames, 24 joints, turned back"
        reader = f"smplx {version('smplx')}"
        yield Line("eft-json", reader, str(person.track_id), told, float(error))


def main() -> int:
    """The table; 0 if every line is within its limit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("--node", type=Path, help="folder with node_modules; without it, no glb")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/roundtrip"))
    args = parser.parse_args()
    files = {to: export_result(args.result, to, args.out)
             for to in ("amass", "glb", "bvh", "json", "eft-json")}  # fmt: skip
    people = people_of(args.result)
    lines = [*amass(people, files["amass"], args.out)]
    if args.node is not None:
        lines += glb(people, files["glb"][0], args.out, args.node)
    lines += [*bvh(people, files["bvh"]), *plain_json(people, files["json"][0])]
    lines += eft_json(people, files["eft-json"][0], args.out)
    print("| format | read by | person | compared | largest error of a joint |")
    print("|---|---|---|---|---|")
    for x in lines:
        error = f"{x.error_mm:.4f} mm" if x.fine else f"**{x.error_mm:.4f} mm**"
        print(f"| {x.format} | {x.reader} | {x.who} | {x.compared} | {error} |")
    return int(not all(x.fine for x in lines))


if __name__ == "__main__":
    sys.exit(main())

"""Play an exported glb in three.js, in a headless Chromium, beside our own picture of that moment.

    npm install --prefix FOLDER three gltf-validator
    python tools/check_glb.py out/clip.npz --video clip.mp4 --node FOLDER/node_modules -o OUT

Exports the result, has Khronos' validator look at the file, opens it in three.js with the camera
that is in it, and compares at three times: every joint's place with the npz, and the outline with
that of `eftvideo render --plain`, also mirrored. OUT gets beside.png: ours, three.js', and from the
side; look at it. The last line is "all is well", or the exit code is 1. Needs node and a Chromium.
"""

from __future__ import annotations

import argparse
import http.server
import json
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from chromium import Chromium

from eftvideo.config import RerenderConfig
from eftvideo.draw.result import render_result
from eftvideo.exporters._export import export_result
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.results.result import Result
from eftvideo.results.result_file import load_result

LIMIT_MM, LIMIT_OUTLINE = 1.0, 0.95
VALIDATE = """
const fs = require('fs'), validator = require(process.argv[1]);
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])))
  .then(report => console.log(JSON.stringify(report.issues)));
"""
PAGE = """<!doctype html><body style="margin:0;overflow:hidden"><script type="importmap">
{"imports": {"three": "/node/three/build/three.module.js",
             "three/addons/": "/node/three/examples/jsm/"}}</script><script type="module">
import * as THREE from 'three';
import {GLTFLoader} from 'three/addons/loaders/GLTFLoader.js';
const renderer = new THREE.WebGLRenderer({antialias: true, preserveDrawingBuffer: true});
renderer.setSize(innerWidth, innerHeight);
document.body.append(renderer.domElement);
const file = await new GLTFLoader().loadAsync('/model.glb');
const scene = new THREE.Scene();
scene.background = new THREE.Color(0xffffff);
scene.add(file.scene, new THREE.HemisphereLight(0xffffff, 0x777777, 2.5));
const mixer = new THREE.AnimationMixer(file.scene);
mixer.clipAction(file.animations[0]).play();
file.scene.traverse(node => { node.frustumCulled = false; });
const joints = () => {
  const found = {};
  file.scene.traverse(node => {
    if (!node.isBone) return;
    let person = node;
    while (!person.name.startsWith('person_')) person = person.parent;
    const place = node.getWorldPosition(new THREE.Vector3());
    found[person.name] = [...(found[person.name] || []), place];
  });
  return Object.fromEntries(Object.entries(found).map(
    ([name, places]) => [name, places.map(p => [p.x, p.y, p.z])]));
};
const boneNames = () => {
  const names = [];
  file.scene.getObjectByName(Object.keys(joints())[0]).traverse(
    node => { if (node.isBone) names.push(node.name); });
  return names;
};
const fromSide = () => {
  const camera = new THREE.PerspectiveCamera(40, innerWidth / innerHeight, 0.1, 200);
  const middle = new THREE.Vector3(...joints()[Object.keys(joints())[0]][0]);
  camera.position.copy(middle).add(new THREE.Vector3(5, 1, 2));
  camera.lookAt(middle);
  return camera;
};
window.show = (seconds, side) => {
  mixer.setTime(seconds);
  file.scene.updateMatrixWorld(true);
  renderer.render(scene, side ? fromSide() : file.cameras[0]);
  return {joints: joints(), names: boneNames(), length_s: file.animations[0].duration};
};
window.ready = true;
</script>"""


class Files(http.server.SimpleHTTPRequestHandler):
    """The page, the glb and the node modules, for this machine only."""

    def __init__(self, glb: Path, node: Path, *args: Any) -> None:
        self.glb, self.node = glb, node
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer with one of the three."""
        if self.path == "/":
            kind, content = "text/html", PAGE.encode()
        elif self.path == "/model.glb":
            kind, content = "model/gltf-binary", self.glb.read_bytes()
        elif self.path.startswith("/node/") and (file := self.node / self.path[6:]).is_file():
            kind, content = "text/javascript", file.read_bytes()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def issues(glb: Path, node: Path) -> dict[str, Any]:
    """What Khronos' validator finds."""
    command = ["node", "-e", VALIDATE, str((node / "gltf-validator").resolve()), str(glb)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def image_of(content: bytes) -> np.ndarray:
    """PNG to (h, w, 3) BGR."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def outline(image: np.ndarray) -> np.ndarray:
    """(h, w) bool: where bodies are, the only things that are not grey."""
    return np.ptp(image.astype(int), axis=-1) > 25


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """Area of both outlines over that of either."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def joint_error_mm(seen: dict[str, Any], result: Result, frame: int) -> float:
    """The largest distance of a joint from where the npz has it."""
    errors = []
    for track_id in result.track_ids:
        person = result.track(track_id)
        row = np.flatnonzero(person.frame == frame)
        if len(row):
            want = person.joints3d[row[0]] * [1.0, -1.0, -1.0]
            got = np.array(seen["joints"][f"person_{track_id}"])
            # three.js makes names unique: left_hip_1. They come in the file's order of nodes.
            order = [seen["names"].index(name) for name in SMPL24]
            errors.append(np.linalg.norm(got[order] - want, axis=1).max())
    return 1000.0 * float(max(errors))


def compare(args: argparse.Namespace, result: Result, glb: Path) -> list[tuple[str, bool, str]]:
    """What was looked at, whether it is right, and what was seen; writes beside.png."""
    frames = [int(f) for f in np.quantile(np.unique(result.frame), [0.2, 0.5, 0.8])]
    frames = [int(result.frame[np.abs(result.frame - f).argmin()]) for f in frames]
    cfg = RerenderConfig(draw=("mesh",), plain=True, output="png", frames=tuple(frames))
    ours = [image_of(p.read_bytes()) for p in render_result(result, args.video, args.out, cfg)]
    start_s = float((result.config.get("clip") or {}).get("start_s") or 0.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, glb, args.node))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done, rows = [], []
    with Chromium((result.width_px, result.height_px)) as browser:
        browser.go(f"http://127.0.0.1:{server.server_address[1]}/")
        browser.wait_for("window.ready", 120.0)
        for frame, own in zip(frames, ours, strict=True):
            time_s = float(result.time_s[result.frame == frame][0]) - start_s
            seen = browser.js(f"show({time_s!r}, false)")
            theirs = image_of(browser.picture())
            browser.js(f"show({time_s!r}, true)")
            rows.append(np.hstack([own, theirs, image_of(browser.picture())]))
            error = joint_error_mm(seen, result, frame)
            done.append((f"joints at {time_s:.2f} s", error < LIMIT_MM, f"{error:.4f} mm off"))
            same = alike(outline(own), outline(theirs))
            mirrored = alike(outline(own), outline(theirs)[:, ::-1])
            words = f"{same:.1%} in common, mirrored {mirrored:.1%}"
            done.append(("the same outline", same > LIMIT_OUTLINE and same > mirrored, words))
        done.append(("no errors", not browser.errors, "; ".join(browser.errors) or "none"))
    server.shutdown()
    cv2.imwrite(str(args.out / "beside.png"), np.vstack(rows))
    return done


def main() -> int:
    """0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--node", type=Path, required=True, help="node_modules folder")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/glb"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    glb = export_result(args.result, "glb", args.out)[0].path
    found = issues(glb, args.node)
    counts = {k: found[k] for k in ("numErrors", "numWarnings", "numInfos", "numHints")}
    done = [("gltf-validator", not any(counts.values()), json.dumps(counts))]
    done += compare(args, load_result(args.result), glb)
    for what, right, seen in done:
        print(f"{'ok ' if right else 'BAD'}  {what}: {seen}")
    bad = sum(not right for _, right, _ in done)
    print("all is well" if not bad else f"{bad} things are wrong", f"(pictures: {args.out})")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

"""The same from Python: run a clip, look at one person, get the mesh of one moment.

python examples/01_python_api.py              # the clip in this folder, into out/example
python examples/01_python_api.py CLIP FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import eftvideo
from eftvideo.bodies import load_body
from eftvideo.config.dotted import set_values
from eftvideo.results.posing import vertices

clip = (
    Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sports2d_demo_short.mp4")
)
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("out/example")

# Every setting is a field of RunConfig; `eftvideo config` lists them.
cfg = eftvideo.RunConfig()
cfg = set_values(cfg, ["draw.enabled=no", "fit.eft.num_steps=10"])
eftvideo.run_video(clip, folder, cfg)

# What run_video returned is also in the file.
result = eftvideo.load_result(folder / f"{clip.stem}.npz")
print(f"{len(result)} rows, people {result.track_ids}, {result.fps} frames/s")

for track_id in result.track_ids:
    person = result.track(track_id)
    pelvis = person.joints3d[:, 0]  # (T, 3) metres, camera frame: x right, y down, z forward
    path = np.linalg.norm(np.diff(pelvis, axis=0), axis=1).sum()
    print(
        f"person {track_id}: {len(person)} frames from {person.time_s[0]:.2f} s, "
        f"{pelvis[0, 2]:.1f} m from the camera, moves {path:.1f} m, "
        f"2D error {np.median(person.loss_px):.1f} px of a 224 px crop"
    )

# The whole surface of the first row: (V, 3) metres in the camera frame, (F, 3) triangles.
body = load_body()
mesh = vertices(result, body, slice(0, 1))[0]
target = folder / f"{clip.stem}_first.obj"
with target.open("w") as file:
    file.writelines(f"v {x:.4f} {y:.4f} {z:.4f}\n" for x, y, z in mesh)
    file.writelines(f"f {a} {b} {c}\n" for a, b, c in body.faces + 1)
print(f"wrote {target}: {len(mesh)} vertices, {len(body.faces)} triangles")

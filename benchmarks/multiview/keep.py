"""The second truth in files, for whoever calibrates by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from eftvideo.types.track import Timeline
from multiview.calibration import save_views
from multiview.second_truth import SecondTruth
from multiview.segments import AXES

CAMERA = ("rotation", "translation", "focal_px", "center_px", "distortion")


def keep_second(work: Path, second: SecondTruth, timeline: Timeline) -> None:
    """Write `cameras_second.json`, `offsets.json` and `truth_second.npz`.

    The npz has, over T frames and V views (metres in the world, px): `frame`, `time_s`; `yolo`
    (T, 17, 3), `landmarks` (T, 33, 3) of each network alone, `both` (T, 17, 3), `good` (T, 17);
    of each of the three, how much a view's sightings count, `weight_*` (V, T, N), and how far they
    are off, `off_px_*`; and the cameras as `multiview.geometry.View` has them, `camera_*` (V, ...).
    """
    save_views(work / "cameras_second.json", second.views)
    between = {part: (1e3 * o).round(1).tolist() for part, o in second.between.items()}
    apart = {name: o.to_dict() for name, o in second.apart.items()}
    told = {"axes": AXES, "yolo_from_landmark_mm": between, "triangulated_apart": apart}
    (work / "offsets.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    arrays = {"frame": timeline.frame, "time_s": timeline.time_s, "good": second.truth.good}
    for name in ("yolo", "landmarks", "both"):
        paths = getattr(second, name)
        arrays |= {
            name: paths.points,
            f"weight_{name}": paths.weight,
            f"off_px_{name}": paths.off_px,
        }
    for name in CAMERA:
        arrays[f"camera_{name}"] = np.stack([getattr(v, name) for v in second.views])
    np.savez_compressed(work / "truth_second.npz", **arrays)

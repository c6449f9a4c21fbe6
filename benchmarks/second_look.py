"""What a second look at people who lean does to the detector's keypoints, in four real views.

python benchmarks/second_look.py CALIBRATION CAM1 CAM2 CAM3 CAM4 --work DIR

The truth is that of benchmarks/multiview.py (docs/multiview.md), of which DIR may be the folder:
limb joints on which three views agree. A joint is grossly wrong if it is off by more than 8 % of
the box's longer side.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from multiview import collect_sightings
from multiview_calibration import read_qca
from multiview_observe import choose_athlete, plain_detections, sightings, weight_of
from multiview_score import GROSS
from multiview_truth import LIMBS, Truth, find_truth, refine_cameras

from eftvideo.config import RunConfig, SecondLook
from eftvideo.types import FrameDetections


def errors(truth: Truth, view: int, keypoints: np.ndarray) -> np.ndarray:
    """(T, 17) px from the true place, NaN where either is not known."""
    off = np.linalg.norm(truth.views[view].project(truth.points) - keypoints[..., :2], axis=-1)
    limb = np.isin(np.arange(17), LIMBS)
    return np.where(truth.good & limb & (weight_of(keypoints) > 0), off, np.nan)


def detect(
    args: argparse.Namespace, which: SecondLook, cfg: RunConfig
) -> tuple[list[list[FrameDetections]], tuple[int, ...], float]:
    """Everybody in each clip, the athlete's track in each, and the seconds that it took."""
    look = replace(cfg, detect=replace(cfg.detect, second_look=which))
    folder = args.work / f"look_{which}"
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    plain = [plain_detections(clip, look, folder) for clip in args.clips]
    took_s = time.perf_counter() - began
    return plain, choose_athlete(read_qca(args.calibration), plain), took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("calibration", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    cfg = RunConfig(device="cpu")
    plain = {which: detect(args, which, cfg) for which in ("off", "leaning", "all")}
    first, ids, _ = plain["off"]
    seen = collect_sightings(args.clips, first, ids, cfg, args.work)
    px, weight = seen[..., :2], weight_of(seen)
    truth = find_truth(refine_cameras(read_qca(args.calibration), px, weight)[0], px, weight)
    print(f"{'second look':12}" + "".join(f"{c.stem:>18}" for c in args.clips) + "  seconds")
    for which, (clips, ids, took_s) in plain.items():
        print(f"{which:12}", end="")
        for view, (frames, i) in enumerate(zip(clips, ids, strict=True)):
            keypoints, boxes = sightings(frames, i)
            off = errors(truth, view, keypoints)
            side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None]
            known = ~np.isnan(off)
            gross = 100 * (off > GROSS * side)[known].mean()
            print(f"{gross:9.1f}% {np.median(off[known]):5.1f} px", end="")
        print(f"  {took_s:.0f}")


if __name__ == "__main__":
    main()

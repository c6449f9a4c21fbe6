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
from typing import get_args

import numpy as np
from multiview import collect_sightings
from multiview_calibration import read_qca
from multiview_observe import choose_athlete, plain_detections, sightings, weight_of
from multiview_score import GROSS
from multiview_truth import LIMBS, Truth, find_truth, refine_cameras

from eftvideo.config import RunConfig, SecondLook


def errors(truth: Truth, view: int, keypoints: np.ndarray) -> np.ndarray:
    """(T, 17) px from the true place, NaN where either is not known."""
    off = np.linalg.norm(truth.views[view].project(truth.points) - keypoints[..., :2], axis=-1)
    limb = np.isin(np.arange(17), LIMBS)
    return np.where(truth.good & limb & (weight_of(keypoints) > 0), off, np.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("calibration", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    args.work.mkdir(parents=True, exist_ok=True)
    rough = read_qca(args.calibration)
    cfg = RunConfig(device="cpu")
    seen = {}
    print(f"{'second look':12}" + "".join(f"{c.stem:>18}" for c in args.clips) + "  seconds")
    for which in reversed(get_args(SecondLook)):
        look = replace(cfg, detect=replace(cfg.detect, second_look=which))
        folder = args.work / f"look_{which}"
        folder.mkdir(exist_ok=True)
        began = time.perf_counter()
        plain = [plain_detections(clip, look, folder) for clip in args.clips]
        took_s = time.perf_counter() - began
        ids = choose_athlete(rough, plain)
        if not seen:
            first = collect_sightings(args.clips, plain, ids, look, args.work)
            px, weight = first[..., :2], weight_of(first)
            truth = find_truth(refine_cameras(rough, px, weight)[0], px, weight)
        cells = []
        for view, (frames, i) in enumerate(zip(plain, ids, strict=True)):
            keypoints, boxes = sightings(frames, i)
            off = errors(truth, view, keypoints)
            side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None]
            known = ~np.isnan(off)
            gross = (off > GROSS * side)[known].mean()
            cells.append(f"{100 * gross:7.1f}% {np.median(off[known]):5.1f} px")
        seen[which] = cells
        print(f"{which:12}" + "".join(f"{c:>18}" for c in cells) + f"  {took_s:.0f}", flush=True)


if __name__ == "__main__":
    main()

"""What is the detector's share in the errors on drawn people?

python benchmarks/rendered_detector.py --work FOLDER [--methods regress,eft-warm]

FOLDER is that of rendered.py, which draws the clips and leaves its results there. First: how far
detected keypoints are from the true ones, px of a 224 px crop, scores of 0.3 and more; "bias" is
the mean length of each joint's mean error over a clip (what no smoothing takes away), "spread" the
deviation from it per axis. Then the same ways of fitting as elsewhere, on the true keypoints in the
picture in place of detected ones (score 0.95; 0.1 outside the picture), with the guessed camera.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from eftvideo.fit.people import Camera, fit_people
from eftvideo.refine.refine_tracks import polish_rows
from methods import CpuProgress, choose, figures, print_header, print_row

from eftvideo.bodies import load_body
from eftvideo.evaluate.bodies import Bodies
from eftvideo.evaluate.match import match_people, truth_points_px
from eftvideo.evaluate.score import evaluate
from eftvideo.evaluate.truth import Truth, load_truth
from eftvideo.geometry.skeletons import COCO17, SMPL24
from eftvideo.regressors._load import load_regressor
from eftvideo.results.result import Result
from eftvideo.results.result_file import load_result
from eftvideo.types import Detections, FrameDetections

PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def true_keypoints_px(truth: Truth, result: Result) -> np.ndarray:
    """(N, 17, 2) px."""
    return truth_points_px(truth, result)[:, len(SMPL24) :]


def errors_px(result: Result, truth: Truth) -> np.ndarray:
    """(P, 17, 2) detected minus true keypoints, px of a 224 px crop; NaN for low scores."""
    pairs = match_people(result, truth)
    seen = result.keypoints2d[pairs.result].astype(np.float64)
    error = seen[..., :2] - true_keypoints_px(truth, result)[pairs.truth]
    error *= (224.0 / result.crop_size_px[pairs.result])[:, None, None]
    error[seen[..., 2] < 0.3] = np.nan
    return error


def print_detector(errors: list[np.ndarray]) -> None:
    """A line for each part of the body, means over clips."""
    print(f"{'detector':12}{'median':>8}{'p90':>8}{'bias':>8}{'spread':>8}{'down':>8}")
    for part in PARTS:
        joints = [COCO17.index(f"{side}_{part}") for side in ("left", "right")]
        own = [e[:, joints] for e in errors]
        own = [e for e in own if np.isfinite(e).any(axis=(0, 2)).all()]  # in the picture
        far = np.linalg.norm(np.concatenate(own), axis=-1)
        bias = [np.linalg.norm(np.nanmean(e, axis=0), axis=-1).mean() for e in own]
        spread = [np.nanstd(e, axis=0).mean() for e in own]
        down = np.nanmean(np.concatenate(own)[..., 1])
        cells = (np.nanmedian(far), np.nanpercentile(far, 90), np.mean(bias), np.mean(spread), down)
        print(f"{part:12}" + "".join(f"{c:8.1f}" for c in cells))


def as_detected(truth: Truth, result: Result) -> list[FrameDetections]:
    """True keypoints as a detector without errors would report them."""
    points = true_keypoints_px(truth, result)
    limit = np.array([result.width_px, result.height_px])
    inside = ((points > 0) & (points < limit)).all(-1)
    score = np.where(inside, 0.95, 0.1)[..., None]
    low = np.clip(points.min(axis=1) - 8, 0, limit)
    high = np.clip(points.max(axis=1) + 8, 0, limit)
    boxes = np.concatenate([low, high], axis=1).astype(np.float32)
    keypoints = np.concatenate([points, score], axis=2).astype(np.float32)
    frames = []
    for frame in np.unique(truth.frame):
        at = truth.frame == frame
        people = Detections(
            boxes[at], np.ones(at.sum(), np.float32), keypoints[at], truth.track_id[at]
        )
        frames.append(FrameDetections(int(frame), float(truth.time_s[at][0]), people, is_cut=False))
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of rendered.py")
    parser.add_argument("--methods", default="regress,eft-warm", help="separated by commas")
    parser.add_argument("--weights", help="regressor weights; default: the shipped ones")
    args = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    clips = sorted(p.name.removesuffix("_truth.npz") for p in args.work.glob("*_truth.npz"))
    truths = [load_truth(args.work / f"{clip}_truth.npz") for clip in clips]
    seen = [load_result(args.work / "regress" / f"{clip}.npz") for clip in clips]
    print_detector([errors_px(r, t) for r, t in zip(seen, truths, strict=True)])
    print_header("true keypoints")
    for way, chosen in choose(args.methods).items():
        cfg = replace(chosen, regressor_weights=args.weights)
        regressor = load_regressor(cfg, "cpu", body)
        scored = []
        for old, truth in zip(seen, truths, strict=True):
            size = (old.width_px, old.height_px)
            view = Camera(float(old.focal_length_px[0]), *size)
            frames, progress = as_detected(truth, old), CpuProgress()
            with progress.stage("fit", len(frames)):
                rows = fit_people(frames, regressor, body, view, cfg, "cpu", progress)
                rows = polish_rows(rows, frames, body, size, cfg.smooth, cfg.eft, "cpu")
            result = replace(old, **rows)
            score = evaluate(result, truth, "limbs12", Bodies(body, {body.name: body}), gate=2.0)
            scored.append((score, result, progress.cpu_s["fit"]))
        print_row(way, figures(scored))


if __name__ == "__main__":
    main()

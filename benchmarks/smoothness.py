"""What smoothing takes and what it leaves: jitter, accuracy, and the speed of fast wrists.

python benchmarks/smoothness.py --poses POSES.npz [--methods regress,eft-warm] [--json FILE]

Held-out motion with detector-like errors, as in `synthetic.py`. Each way of fitting is shown as it
was fitted, with jumping keypoints doubted (`outliers.py`), smoothed at several strengths, and with
gaps filled. "jitter" is the mean acceleration of the 12 limb joints seen from the pelvis, "jitter
cam" in the camera's frame (depth included), m/s^2. "wrist peak" is the speed of a wrist against the
pelvis at its fastest over the true one, for wrists that truly reach 2 m/s: median, and the tenth of
the wrists that keep least.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from methods import AS_FITTED, choose
from sequences import FPS, NUM_FRAMES, Sequences, draw_sequences
from stages import refined, result_of
from synthetic import camera_of, tracks_of, truth_of

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import GapConfig, RefineConfig, RunConfig, SmoothConfig
from eftvideo.evaluate.score import evaluate
from eftvideo.fit import fit_tracks
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.regressors import Regressor
from eftvideo.regressors._load import load_regressor
from eftvideo.results.result import Result
from eftvideo.setup import Setup
from eftvideo.track import soften_outliers

WRISTS = [SMPL24.index("left_wrist"), SMPL24.index("right_wrist")]
FAST_M_S = 2.0
NEAR_FRAMES = 2
"""A fitted peak may be this many frames off the true one."""
WITH_GAPS = RefineConfig(gaps=GapConfig(enabled=False))
FINISHES = {
    "as fitted": (False, AS_FITTED),
    "outliers doubted": (True, AS_FITTED),
    "smoothed 0.5": (True, replace(WITH_GAPS, smooth=SmoothConfig(strength=0.5))),
    "smoothed 1": (True, WITH_GAPS),
    "smoothed 2": (True, replace(WITH_GAPS, smooth=SmoothConfig(strength=2.0))),
    "smoothed 1, filled": (True, RefineConfig()),
}
"""Whether outliers are doubted before the fit, and what is done after it."""
COLUMNS = ("mpjpe", "pa_mpjpe", "error_2d", "accel_error", "jitter", "jitter_camera")


def wrist_peaks(joints: np.ndarray, truth: np.ndarray, present: np.ndarray) -> list[float]:
    """Fitted over true peak speed of each fast wrist.

    Args:
        joints, truth: (T, 24, 3) metres. present: (T,) where `joints` is known.
    """
    relative = [(j - j[:, :1])[:, WRISTS] for j in (joints, truth)]
    speed, true_speed = (np.linalg.norm(r[2:] - r[:-2], axis=-1) * FPS / 2 for r in relative)
    whole = present[2:] & present[1:-1] & present[:-2]
    out = []
    for wrist in range(len(WRISTS)):
        true = np.where(whole, true_speed[:, wrist], 0.0)
        at = int(true.argmax())
        near = slice(max(at - NEAR_FRAMES, 0), at + NEAR_FRAMES + 1)
        if true[at] >= FAST_M_S and whole[near].all():
            out.append(float(speed[near, wrist].max() / true[at]))
    return out


def measure(data: Sequences, i: int, result: Result) -> dict[str, object]:
    """Score one clip."""
    scored = evaluate(result, truth_of(data, i), joints="limbs12", gate=2.0)
    joints = np.zeros((data.num_frames, 24, 3))
    joints[result.frame] = result.joints3d
    present = np.isin(np.arange(data.num_frames), result.frame)
    return {name: scored.overall[name] for name in (*COLUMNS, "jitter_truth")} | {
        "weight": scored.counts["matched"],
        "peaks": wrist_peaks(joints, data.joints[i].numpy(), present),
    }


def finish_all(
    data: Sequences, cfg: RunConfig, regressor: Regressor, body: BodyModel
) -> dict[str, list[dict[str, object]]]:
    """Every clip, finished in every way; each is fitted once for each kind of keypoints."""
    out: dict[str, list[dict[str, object]]] = {name: [] for name in FINISHES}
    for i in range(len(data.names)):
        setup = Setup(cfg, regressor, body, camera_of(data, i))
        seen = tracks_of(data, i, setup)
        fitted = {
            False: fit_tracks(seen, setup),
            True: fit_tracks(soften_outliers(seen, setup), setup),
        }
        for name, (doubt, refine) in FINISHES.items():
            if fitted[doubt].people:
                fits = refined(fitted[doubt], replace(setup, cfg=replace(cfg, refine=refine)))
                result = result_of(fits, setup, data.names[i], Fraction(FPS), data.num_frames)
                out[name].append(measure(data, i, result))
    return out


def summary(clips: list[dict[str, object]]) -> dict[str, float]:
    """Means over clips, by their person-frames; accelerations in m/s^2."""
    weight = np.array([c["weight"] for c in clips], float)
    out = {}
    for name in (*COLUMNS, "jitter_truth"):
        values = np.array([c[name] for c in clips], float)
        ok = np.isfinite(values)
        out[name] = float(np.average(values[ok], weights=weight[ok]))
        if name.startswith(("jitter", "accel")):
            out[name] /= 1e3
    peaks = np.concatenate([c["peaks"] for c in clips])
    out |= {"peak_median": float(np.median(peaks)), "peak_low": float(np.quantile(peaks, 0.1))}
    return out | {"num_peaks": len(peaks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--methods", default="regress,eft-warm", help="names separated by commas")
    parser.add_argument("--frames", type=int, default=NUM_FRAMES)
    parser.add_argument("--per-clip", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    ways = choose(args.methods)
    regressor = load_regressor(next(iter(ways.values())), "cpu", body)
    data = draw_sequences(
        args.poses, body, num_frames=args.frames, per_clip=args.per_clip, seed=args.seed
    )
    print(f"{len(data.names)} clips of {args.frames} frames")
    columns = (*COLUMNS, "peak_median", "peak_low")
    print(f"{'':30}" + "".join(f"{c:>14}" for c in columns))
    out: dict[str, dict[str, float]] = {}
    for way, cfg in ways.items():
        for name, clips in finish_all(data, cfg, regressor, body).items():
            row = out[f"{way}, {name}"] = summary(clips)
            cells = "".join(f"{row[c]:14.2f}" for c in columns)
            print(f"{f'{way}, {name}':30}{cells}", flush=True)
    print(f"truth's own jitter {row['jitter_truth']:.2f} m/s^2, {row['num_peaks']} fast wrists")
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Regressor alone, EFT cold and EFT warm on held-out motion with detector-like errors.

python benchmarks/eft_synthetic.py --poses POSES.npz [--baseline BASELINE.safetensors]

MPJPE (from the pelvis) and PA-MPJPE are over the 12 limb joints, in mm; 2D is the weighted rms
distance to the detected keypoints (mean, and median as med_seen) and to the true ones, in px of a
224 px crop; jitter is the
mean acceleration error in m/s^2.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from eft_settings import GENTLE
from methods import with_fit
from sequences import FPS, LIMBS, NUM_FRAMES, Sequences, draw_sequences
from stages import setup_for_crops

from eftvideo.bodies import load_body
from eftvideo.config import EftConfig, RunConfig
from eftvideo.evaluate import metrics
from eftvideo.fit import losses
from eftvideo.fit.answer import answer
from eftvideo.fit.batch import Batch, Streams
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.geometry import camera
from eftvideo.regressors.lifter import Model
from eftvideo.setup import Setup
from eftvideo.types import Crops, FitResult
from eftvideo.weights.locate import resolve

OTHERS: dict[str, dict[str, Any]] = {
    "nothing stays": {"stay_weight": 0.0},
    "gentle": GENTLE,
    "gentle, 40 steps": GENTLE | {"num_steps": 40, "threshold_px": 0.3, "warm_stall_steps": 6},
}
"""EFT warm with other settings."""


def run(
    data: Sequences, setup: Setup, *, fit: bool = True, warm: bool = True, context: bool = True
) -> dict[str, float]:
    """One way of fitting over all frames; figures are means over person-frames."""
    began = time.process_time()
    offsets = setup.regressor.context_offsets_s
    rows = [data.present(t) for t in range(data.num_frames)]
    crops = Crops.cat([data.crops(t, some, offsets) for t, some in enumerate(rows)])
    if not context and crops.context is not None:
        crops = replace(crops, context=torch.zeros_like(crops.context))
    if fit:
        streams = streams_of(rows, setup.cfg) if warm else None
        fits = fit_eft(Batch.of(crops, setup, streams), setup)
    else:
        fits = answer(crops, setup)
    seconds = time.process_time() - began
    who, when = torch.cat(rows), torch.repeat_interleave(torch.tensor([len(r) for r in rows]))
    figures, joints = _measure(data, who, when, crops, fits, setup)
    joints_over_time = torch.full_like(data.joints, torch.nan)
    joints_over_time[who, when] = joints
    out = {k: v.float().mean().item() for k, v in figures.items()}
    out["med_seen"] = figures["2d_seen"].median().item()
    out["med_truth"] = figures["2d_truth"].median().item()
    return out | {"jitter": _jitter(joints_over_time, data), "ms": 1e3 * seconds / len(crops)}


def streams_of(rows: Sequence[torch.Tensor], cfg: RunConfig) -> Streams:
    """Each person a stream, cold after a gap; `rows` are the people of each frame."""
    mine: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    cold: list[bool] = []
    for t, some in enumerate(rows):
        for who in some.tolist():
            mine.setdefault(who, []).append(len(cold))
            cold.append((t - last.get(who, t)) / FPS > cfg.fit.max_warm_gap_s + 1e-6)
            last[who] = t
    return Streams(tuple(map(tuple, mine.values())), np.array(cold, bool))


@torch.no_grad()
def _measure(
    data: Sequences,
    who: torch.Tensor,
    when: torch.Tensor,
    crops: Crops,
    fit: FitResult,
    setup: Setup,
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Figures of each person-frame, and its joints from the pelvis."""
    joints, keypoints = setup.body.joints_and_keypoints(fit.prediction.params)
    transl = camera.pred_cam_to_transl(fit.prediction.pred_cam, *crops.view)
    truth, size = data.joints[who, when], crops.size_px[:, None, None]
    weight = losses.joint_weights(crops.keypoints[..., 2], setup)
    pred = losses.project_to_crop(keypoints + transl[:, None], crops)
    true_2d = (data.truth_px[who, when] - crops.center_px[:, None]) / (size / 2)
    relative = (joints - joints[:, :1])[:, LIMBS], (truth - truth[:, :1])[:, LIMBS]
    return {
        "mpjpe": 1e3 * metrics.mpjpe(*relative, root=None),
        "pa_mpjpe": 1e3 * metrics.pa_mpjpe(joints[:, LIMBS], truth[:, LIMBS]),
        "2d_seen": losses.crop_error_px(pred, crops.keypoints[..., :2], weight),
        "2d_true": losses.crop_error_px(pred, true_2d, weight),
        "2d_truth": losses.crop_error_px(true_2d, crops.keypoints[..., :2], weight),
        "steps": fit.num_steps,
        "rejected": fit.status,
    }, joints - joints[:, :1]


def _jitter(joints: torch.Tensor, data: Sequences) -> float:
    truth = data.joints - data.joints[:, :, :1]
    error = (joints - truth)[:, :, LIMBS]
    second = error[:, 2:] - 2 * error[:, 1:-1] + error[:, :-2]
    return float(second.norm(dim=-1).nanmean() * FPS**2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--weights", help="lifter weights; default: the shipped ones")
    parser.add_argument("--baseline", type=Path, help="weights of the baseline lifter")
    parser.add_argument("--frames", type=int, default=NUM_FRAMES)
    parser.add_argument("--per-clip", type=int, default=1)
    args = parser.parse_args()
    body, cfg = load_body(), RunConfig()
    model = Model.from_weights(resolve(Model.spec, args.weights))
    data = draw_sequences(args.poses, body, num_frames=args.frames, per_clip=args.per_clip)
    print(f"{len(data.names)} sequences of {args.frames} frames from {len(set(data.names))} clips")
    setup = setup_for_crops(model, body, cfg)
    ways = {
        "regressor alone": partial(run, data, setup, fit=False),
        "  without context": partial(run, data, setup, fit=False, context=False),
        "EFT cold": partial(run, data, setup, warm=False),
        "EFT warm": partial(run, data, setup),
    }
    for name, changes in OTHERS.items():
        other = with_fit(cfg, eft=EftConfig(**changes))
        ways[name] = partial(run, data, setup_for_crops(model, body, other))
    if args.baseline:
        first = setup_for_crops(Model.from_weights(args.baseline), body, cfg)
        ways = {"baseline regressor": partial(run, data, first, fit=False)} | ways
    columns = (
        "mpjpe",
        "pa_mpjpe",
        "2d_seen",
        "med_seen",
        "2d_true",
        "jitter",
        "steps",
        "rejected",
        "ms",
    )
    print(f"{'':20}" + "".join(f"{c:>10}" for c in columns))
    for name, way in ways.items():
        figures = way()
        print(f"{name:20}" + "".join(f"{figures[c]:10.2f}" for c in columns), flush=True)
    seen, median = figures["2d_truth"], figures["med_truth"]
    print(f"the true bodies themselves: 2d_seen {seen:.2f}, med_seen {median:.2f}")


if __name__ == "__main__":
    main()

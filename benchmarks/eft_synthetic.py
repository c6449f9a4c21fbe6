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
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from eft_settings import GENTLE
from sequences import FPS, LIMBS, NUM_FRAMES, Sequences, draw_sequences

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import EftConfig
from eftvideo.evaluate import metrics
from eftvideo.fit import losses
from eftvideo.fit.eft import fit as eft
from eftvideo.geometry import camera
from eftvideo.regressors.lifter import Model
from eftvideo.weights.locate import resolve

OTHERS: dict[str, dict[str, Any]] = {
    "nothing stays": {"stay_weight": 0.0},
    "gentle": GENTLE,
    "gentle, 40 steps": GENTLE | {"num_steps": 40, "threshold_px": 0.3, "warm_stall_steps": 6},
}
"""EFT warm with other settings."""


def run(
    data: Sequences,
    model: Model,
    body: BodyModel,
    cfg: EftConfig | None,
    *,
    warm: bool = True,
    context: bool = True,
) -> dict[str, float]:
    """One way of fitting over all frames; figures are means over person-frames."""
    state = eft.WarmStart()
    sums: dict[str, list[torch.Tensor]] = {}
    joints_over_time = torch.full_like(data.joints, torch.nan)
    offsets = model.context_offsets_s
    began = time.process_time()
    for t in range(data.num_frames):
        rows = data.present(t)
        crops = data.crops(t, rows, offsets)
        if not context and crops.context is not None:
            crops = replace(crops, context=torch.zeros_like(crops.context))
        if cfg is None:
            fit = eft.regress(model, body, crops)
        else:
            fit, state = eft.fit(
                model, body, crops, rows.tolist(), t / FPS, state if warm else None, cfg
            )
        figures, joints = _measure(data, t, rows, crops, fit, body)
        joints_over_time[rows, t] = joints
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
    seconds = time.process_time() - began
    out = {k: torch.cat(v).float().mean().item() for k, v in sums.items()}
    count = sum(len(v) for v in sums["steps"])
    out["med_seen"] = torch.cat(sums["2d_seen"]).median().item()
    out["med_truth"] = torch.cat(sums["2d_truth"]).median().item()
    return out | {"jitter": _jitter(joints_over_time, data), "ms": 1e3 * seconds / count}


@torch.no_grad()
def _measure(data, t, rows, crops, fit, body):  # noqa: ANN001, ANN202
    params = fit.prediction.params
    joints, keypoints = body.joints_and_keypoints(params)
    transl = camera.pred_cam_to_transl(fit.prediction.pred_cam, *crops.view)
    truth = data.joints[rows, t]
    weight = losses.joint_weights(crops.keypoints[..., 2], EftConfig())
    pred = losses.project_to_crop(keypoints + transl[:, None], crops)
    true_2d = (data.truth_px[rows, t] - crops.center_px[:, None]) / (crops.size_px / 2)[
        :, None, None
    ]
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
    body = load_body()
    model = Model.from_weights(resolve(Model.spec, args.weights))
    data = draw_sequences(args.poses, body, num_frames=args.frames, per_clip=args.per_clip)
    print(f"{len(data.names)} sequences of {args.frames} frames from {len(set(data.names))} clips")
    cfg = EftConfig()
    ways = {
        "regressor alone": lambda: run(data, model, body, None),
        "  without context": lambda: run(data, model, body, None, context=False),
        "EFT cold": lambda: run(data, model, body, cfg, warm=False),
        "EFT warm": lambda: run(data, model, body, cfg, warm=True),
    }
    for name, changes in OTHERS.items():
        ways[name] = partial(run, data, model, body, replace(cfg, **changes), warm=True)
    if args.baseline:
        first = Model.from_weights(args.baseline)
        ways = {"baseline regressor": lambda: run(data, first, body, None)} | ways
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

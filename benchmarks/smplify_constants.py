"""What SMPLify's constants do: it is run with others, beside the regressor and EFT.

python benchmarks/smplify_constants.py --poses POSES.npz

Held-out motion with detector-like errors, every frame on its own (no warm start). PA-MPJPE and
MPJPE (from the pelvis) are over the 12 limb joints, mm; 2D is the weighted rms distance to the
detected keypoints (mean and median) and to the true ones, px of a 224 px crop. CPU milliseconds of
one thread, for each person and frame. The table of all methods is that of synthetic.py.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from methods import with_fit
from sequences import LIMBS, Sequences, draw_sequences
from stages import setup_for_crops
from torch import Tensor

from eftvideo.bodies import load_body
from eftvideo.config import RunConfig, SmplifyConfig
from eftvideo.evaluate import metrics
from eftvideo.fit import losses
from eftvideo.fit.batch import Batch
from eftvideo.fit.tracks import METHODS
from eftvideo.geometry import camera
from eftvideo.regressors.lifter import Model
from eftvideo.setup import Setup
from eftvideo.types import Crops, FitResult
from eftvideo.weights.locate import resolve

COLUMNS = ("mpjpe", "pa_mpjpe", "seen", "seen_median", "true", "steps", "rejected", "ms")
BASE = SmplifyConfig()


def lighter(cfg: SmplifyConfig, factor: float) -> SmplifyConfig:
    """All priors divided by `factor`, as if the 2D term had been multiplied by it."""
    root = math.sqrt(factor)
    return replace(
        cfg,
        pose_weight=cfg.pose_weight / root,
        angle_weight=cfg.angle_weight / root,
        shape_weight=cfg.shape_weight / root,
    )


VARIANTS = {
    "SMPLify as shipped": BASE,
    "all 200 steps": replace(BASE, stall_steps=10_000),
    "hips in stage 2": replace(BASE, body_hip_weight=1.0),
    "2D term x 2": lighter(BASE, 2.0),
    "2D term x 4": lighter(BASE, 4.0),
    "robust at 20 px": replace(BASE, robust_px=20.0),
    "hips, x 4, 20 px": replace(lighter(BASE, 4.0), body_hip_weight=1.0, robust_px=20.0),
    "pose prior x 4": replace(BASE, pose_weight=2.0 * BASE.pose_weight),
    "pose prior / 4": replace(BASE, pose_weight=BASE.pose_weight / 2.0),
    "no pose prior": replace(BASE, prior=False),
    "mean pose first": replace(BASE, init="mean"),
    "mean pose, 300 steps": replace(BASE, init="mean", body_steps=300),
}


def run(data: Sequences, setup: Setup) -> dict[str, float]:
    """One way of fitting over all frames; figures are means over person-frames."""
    sums, seconds = dict[str, list[Tensor]](), 0.0
    for t in range(data.num_frames):
        rows = data.present(t)
        crops = data.crops(t, rows, setup.regressor.context_offsets_s)
        batch = Batch.of(crops, setup)
        began = time.process_time()
        fit = METHODS[setup.cfg.fit.method](batch, setup, None)
        seconds += time.process_time() - began
        for name, value in figures(data, t, rows, crops, fit, setup).items():
            sums.setdefault(name, []).append(value)
    rows_of = {k: torch.cat(v).float() for k, v in sums.items()}
    out = {k: v.mean().item() for k, v in rows_of.items()}
    out["seen_median"] = rows_of["seen"].median().item()
    return out | {"ms": 1e3 * seconds / len(rows_of["seen"])}


@torch.no_grad()
def figures(
    data: Sequences, t: int, rows: Tensor, crops: Crops, fit: FitResult, setup: Setup
) -> dict[str, Tensor]:
    """Errors of the fits of one frame, (N,) each."""
    joints, keypoints = setup.body.joints_and_keypoints(fit.prediction.params)
    transl = camera.pred_cam_to_transl(fit.prediction.pred_cam, *crops.view)
    pred = losses.project_to_crop(keypoints + transl[:, None], crops)
    true = (data.truth_px[rows, t] - crops.center_px[:, None]) / (crops.size_px / 2)[:, None, None]
    weight = losses.joint_weights(crops.keypoints[..., 2], setup)
    truth = data.joints[rows, t]
    relative = [(j - j[:, :1])[:, LIMBS] for j in (joints, truth)]
    return {
        "mpjpe": 1e3 * metrics.mpjpe(*relative, root=None),
        "pa_mpjpe": 1e3 * metrics.pa_mpjpe(*relative),
        "seen": losses.crop_error_px(pred, crops.keypoints[..., :2], weight),
        "true": losses.crop_error_px(pred, true, weight),
        "steps": fit.num_steps,
        "rejected": fit.status,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--weights", help="lifter weights; default: the shipped ones")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--per-clip", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    model = Model.from_weights(resolve(Model.spec, args.weights))
    data = draw_sequences(args.poses, body, num_frames=args.frames, per_clip=args.per_clip)
    print(f"{len(data.names)} sequences of {args.frames} frames from {len(set(data.names))} clips")
    print(f"{'':22}" + "".join(f"{c:>12}" for c in COLUMNS))
    ways = {"regressor alone": {"method": "regress"}, "EFT": {"method": "eft"}}
    ways |= {n: {"method": "smplify", "smplify": c} for n, c in VARIANTS.items()}
    for name, changes in ways.items():
        found = run(data, setup_for_crops(model, body, with_fit(RunConfig(), **changes)))
        print(f"{name:22}" + "".join(f"{found[c]:12.2f}" for c in COLUMNS), flush=True)


if __name__ == "__main__":
    main()

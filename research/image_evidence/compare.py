"""Do pixels help? The lifter alone, corrected by the detector's features, and an image regressor.

python -m research.image_evidence.compare --pictures FOLDER [--head FOLDER] [--control FOLDER]
    [--hmr FILE] [--eft 256]

On rendered pictures of held-out motion (render_pictures.py --split test, then
picture_features.py). Keypoints of the picture are those that the program's detector finds in
it; where a row says so, the lifter also sees those of the frames around, with made-up errors (no
pictures of them are drawn). MPJPE and PA-MPJPE in mm over the 12 limb joints; 2D: rms distance to
the true keypoints, px of a 224 px crop. `--eft N` tunes the lifter and the image regressor on the
detected keypoints of the first N pictures, cold.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import EftConfig, RunConfig
from eftvideo.fit.batch import Batch
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.geometry import camera
from eftvideo.geometry.camera import Camera
from eftvideo.geometry.crops import CROP_SIDE_PX
from eftvideo.geometry.skeletons import COCO17, mirror_index
from eftvideo.regressors import Regressor, lifter
from eftvideo.setup import Setup
from eftvideo.types import Crops
from research.image_evidence import yolo_hmr
from research.image_evidence.evidence_head import EvidenceHead
from research.image_evidence.picture_data import STORED_PX, Pictures, alone, read_pictures
from research.image_evidence.picture_scores import errors, predict
from research.image_evidence.picture_variety import plain
from research.image_evidence.train_evidence_head import answers, load_head, shipped_lifter

NO_CAMERA = Camera(1000.0, 1000, 1000)
"""Pictures bring their cameras along."""
Table = dict[str, dict[str, float]]


def add_row(table: Table, name: str, values: Tensor, **more: float) -> None:
    """Print and keep the means and medians of (N, 3) errors."""
    mean, median = values.mean(dim=0).tolist(), values.median(dim=0).values.tolist()
    row = {"mpjpe": mean[0], "pa_mpjpe": mean[1], "pa_median": median[1], "px": mean[2]}
    table[name] = row | {"px_median": median[2], "num": float(len(values))} | more
    cells = "".join(f"{v:9.1f}" for v in (*mean[:2], median[1], mean[2], median[2]))
    print(f"{name:44}{cells}" + "".join(f"  {k} {v:.1f}" for k, v in more.items()), flush=True)


def header(title: str) -> None:
    """The line above rows."""
    names = ("MPJPE", "PA", "PA med", "2D", "2D med")
    print(f"\n{title:44}" + "".join(f"{n:>9}" for n in names))


def eft_rows(
    table: Table,
    name: str,
    regressor: Regressor,
    crops: Crops,
    data: Pictures,
    body: BodyModel,
    cfg: EftConfig,
) -> None:
    """Before and after EFT, cold."""
    run = RunConfig()
    setup = Setup(replace(run, fit=replace(run.fit, eft=cfg)), regressor, body, NO_CAMERA)
    began = time.process_time()
    batch = Batch.of(crops, setup)
    own, fit = batch.initial, fit_eft(batch, setup)
    more = {
        "steps": float(fit.num_steps.float().mean()),
        "rejected": float(fit.status.sum()),
        "to_detected_before": float(own.loss_px.median()),
        "to_detected_after": float(fit.loss_px.median()),
        "cpu_ms": 1e3 * (time.process_time() - began) / len(crops),
    }
    add_row(table, f"{name}, alone", errors(body, own.prediction, crops, data.truth))
    add_row(table, f"{name}, EFT", errors(body, fit.prediction, crops, data.truth), **more)


def first(data: Pictures, num: int) -> Pictures:
    """The first `num` pictures."""
    rows = torch.arange(min(num, len(data)))
    image = None if data.images is None else data.images[rows]
    return Pictures(data.crops.select(rows), data.truth.select(rows), None, image, None)


def lifter_rows(
    table: Table, data: Pictures, body: BodyModel, heads: dict[str, EvidenceHead | None]
) -> None:
    """The lifter, and what corrects it, with and without the frames around."""
    model = shipped_lifter()
    sure = torch.full((len(data), 17, 1), 0.95)
    exact = replace(data.crops, keypoints=torch.cat([true_keypoints(data), sure], dim=2))
    raw, crops = answers(model, None, replace(data, crops=exact), context=False)
    values = errors(body, model.decode(raw, crops), crops, data.truth)
    add_row(table, "lifter; true keypoints of this frame only", values)
    for context, what in ((False, "this frame only"), (True, "frames around")):
        for name, head in heads.items():
            raw, crops = answers(model, head, data, context)
            values = errors(body, model.decode(raw, crops), crops, data.truth)
            add_row(table, f"{name}; {what}", values)


def true_keypoints(data: Pictures) -> Tensor:
    """(N, 17, 2) crop coordinates."""
    crops, points = data.crops, data.truth.points[:, 24 : 24 + 17]
    px = camera.project(points, crops.focal_length_px, crops.image_size_px)
    return (px - crops.center_px[:, None]) / (crops.size_px[:, None, None] / 2)


def print_detector(data: Pictures) -> None:
    """How far detected keypoints are from the true ones, px of a 224 px crop."""
    crops, half, true = data.crops, CROP_SIDE_PX / 2, true_keypoints(data)
    found, seen = crops.keypoints[..., :2], crops.keypoints[..., 2] >= 0.3
    near = (found - true).norm(dim=-1)
    crossed = (found - true[:, mirror_index(COCO17)]).norm(dim=-1)
    limbs = torch.tensor([not n.endswith(("nose", "eye", "ear")) for n in COCO17])
    swapped = ((near * seen * limbs).sum(1) > (crossed * seen * limbs).sum(1)).float().mean()
    print(f"detector: left and right changed places in {100 * swapped:.1f} % of the pictures")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        joints = [COCO17.index(f"{side}_{part}") for side in ("left", "right")]
        far, use = half * near[:, joints], seen[:, joints]
        down = half * (found - true)[:, joints, 1][use].median()
        print(
            f"{part:10} median {far[use].median():5.1f}, "
            f"90 % within {far[use].quantile(0.9):5.1f}, "
            f"down {down:5.1f}, not seen {100 * (~use).float().mean():4.1f} %"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--head", type=Path, help="folder of train_evidence_head.py")
    parser.add_argument("--control", type=Path, help="the same, trained with --control")
    parser.add_argument("--hmr", type=Path, help="weights of train_image_regressor.py")
    parser.add_argument("--eft", type=int, default=0, help="pictures to run EFT on")
    parser.add_argument("--hmr-rate", type=float, help="Adam's rate; default: the regressor's own")
    parser.add_argument("--hmr-tune", help="what EFT tunes of it; default: the regressor's own")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    body, model, table = load_body(), shipped_lifter(), Table()
    data = read_pictures(
        args.pictures, "test", features=bool(args.head), side_px=STORED_PX if args.hmr else None
    )
    print_detector(data)
    header(f"{len(data)} held-out pictures")
    heads: dict[str, EvidenceHead | None] = {"lifter": None}
    for name, folder in (("+ head, keypoints only", args.control), ("+ head, features", args.head)):
        if folder:
            heads[name] = load_head(folder, model)
    lifter_rows(table, data, body, heads)
    if args.hmr:
        network = yolo_hmr.Model.from_weights(args.hmr)
        answer, crops = predict(network, data)
        add_row(table, "HMR, pixels", errors(body, answer, crops, data.truth))
        if args.eft:
            part = first(data, args.eft)
            header(f"EFT, cold, on {len(part)} of them")
            pixels = plain(part, torch.arange(len(part)), network.crop_size_px)
            flat: lifter.Model = model
            eft_rows(table, "lifter", flat, alone(part.crops), part, body, EftConfig())
            tuned = EftConfig(max_people=16, tune=args.hmr_tune, learning_rate=args.hmr_rate)
            eft_rows(table, "HMR", network, pixels, part, body, tuned)
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()

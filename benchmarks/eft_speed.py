"""How fast EFT through an image network is: the published loop against ours, on the same crops.

python benchmarks/eft_speed.py --weights FILE [--clip CLIP] [--frames 8] [--rows 4]
    [--rate 5e-6] [--steps 20] [--device cpu]

The published loop, written anew from its description: one person at a time, a deep copy of the
network and a new Adam for each, all weights but BatchNorm's, 20 steps or until the error is below
2 px, the crop through the whole network at every step. Ours, with the same objective and rate:
everybody at once, from the weights of the frame before, what comes before the tuned weights
computed once, best step kept.

Errors are the rms 2D error in px of a 224 px crop over all keypoints that count. The published
loop is timed on the first `--rows` person-frames, since each takes long.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from methods import with_fit
from stages import find_people
from torch import Tensor, nn

from eftvideo.config import PUBLISHED_EFT, ClipConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.config.presets import PUBLISHED
from eftvideo.fit import losses
from eftvideo.fit.answer import answer
from eftvideo.fit.batch import Batch, Streams
from eftvideo.fit.crops import CropMaker
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.fit.projection import projected
from eftvideo.setup import Setup
from eftvideo.types import Crops
from eftvideo.video.reader import open_video

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "sports2d_demo_short.mp4"
FIELDS = (("way", 26), ("steps", 8), ("px before", 11), ("px after", 10), ("worst", 8), ("/s", 9))


@dataclass(frozen=True)
class Case:
    """Person-frames of a clip, and whose they are."""

    crops: Crops
    streams: Streams
    """The rows of each person."""
    setup: Setup


def read_case(clip: Path, frames: int, cfg: RunConfig) -> Case:
    """The people in the first frames of a clip, found by the program's own detector."""
    with open_video(clip, ClipConfig()) as reader:
        end_s = float(reader.times_s[frames - 1]) + 1e-4
    with open_video(clip, ClipConfig(end_s=end_s)) as short:
        setup = Setup.load(cfg, short.info)
        maker = CropMaker(find_people(short, setup), setup, short)
        crops, who = maker.crops_of(maker.rows), maker.rows.who
    rows = [tuple(np.flatnonzero(who == n).tolist()) for n in range(len(maker.tracks))]
    return Case(crops, Streams(tuple(rows), np.zeros(len(who), bool)), setup)


def published(crops: Crops, setup: Setup) -> tuple[list[int], list[float]]:
    """Steps and final errors of the published loop, one row after the other."""
    regressor, cfg = setup.regressor, setup.cfg.fit.eft
    assert isinstance(regressor, nn.Module) and cfg.learning_rate is not None
    weight = losses.joint_weights(crops.keypoints[..., 2], setup)
    robust_px = torch.full_like(weight[:1, :1], cfg.robust_px)
    steps: list[int] = []
    errors: list[float] = []
    for i in range(len(crops)):
        row = torch.tensor([i], device=weight.device)
        part, own_weight = crops.select(row), weight[row]
        model = copy.deepcopy(regressor)
        names = set(model.tunable("all"))
        leaves = [p.requires_grad_() for n, p in model.named_parameters() if n in names]
        optimiser = torch.optim.Adam(leaves, lr=cfg.learning_rate)
        step, error = 0, 0.0
        for step in range(cfg.num_steps + 1):
            pose = model.decode(model(model.encode(part, "all")), part)
            seen, _ = projected(setup.body, pose, part)
            px = losses.crop_error_px(seen.detach(), part.keypoints[..., :2], own_weight)
            error = float(px)
            if error < cfg.threshold_px or step == cfg.num_steps:
                break
            loss = losses.eft_loss(seen, pose, part, own_weight, robust_px, setup)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        steps.append(step)
        errors.append(error)
    return steps, errors


def ours(case: Case, setup: Setup) -> tuple[list[int], list[float]]:
    """Steps and final errors of our loop over whole tracks."""
    fit = fit_eft(Batch.of(case.crops, setup, case.streams), setup)
    return fit.num_steps.tolist(), fit.loss_px.tolist()


def report(name: str, before: Tensor, steps: list[int], after: list[float], seconds: float) -> None:
    """One row of the table."""
    values = (
        f"{sum(steps) / len(steps):.1f}",
        f"{before[: len(steps)].mean():.1f}",
        f"{sum(after) / len(after):.1f}",
        f"{max(after):.1f}",
        f"{len(steps) / seconds:.3f}",
    )
    widths = [w for _, w in FIELDS[1:]]
    cells = "".join(f"{v:>{w}}" for v, w in zip(values, widths, strict=True))
    sys.stdout.write(f"{name:<{FIELDS[0][1]}}{cells}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the ways and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--weights", required=True, help="of an HMR network: a file, or a name")
    parser.add_argument("--clip", type=Path, default=EXAMPLE)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rows", type=int, default=4, help="for the published loop")
    parser.add_argument("--rate", type=float, default=PUBLISHED_EFT.learning_rate)
    parser.add_argument("--steps", type=int, default=PUBLISHED_EFT.num_steps)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    cfg = RunConfig(regressor="hmr", regressor_weights=options.weights, device=options.device)
    cfg = set_values(cfg, (*PUBLISHED, "fit.context.enabled=no"))
    base = replace(cfg.fit.eft, learning_rate=options.rate, num_steps=options.steps)
    case = read_case(options.clip, options.frames, with_fit(cfg, eft=base))
    setup, device = case.setup, case.setup.device
    rows = torch.arange(min(options.rows, len(case.crops)), device=device)
    sys.stdout.write(
        f"{len(case.crops)} person-frames, {len(case.streams.rows)} people, "
        f"torch {torch.__version__} on {device}, {torch.get_num_threads()} threads\n"
    )
    sys.stdout.write("".join(f"{n:<{w}}" if n == "way" else f"{n:>{w}}" for n, w in FIELDS) + "\n")
    before = answer(case.crops, setup).loss_px
    start = time.perf_counter()
    steps, after = published(case.crops.select(rows), setup)
    report("published loop", before, steps, after, time.perf_counter() - start)
    for which in reversed(list(setup.regressor.rates)):
        for carry in (0.0, 0.95):
            mine = with_fit(cfg, eft=replace(base, tune=which, carry=carry))
            start = time.perf_counter()
            steps, after = ours(case, replace(setup, cfg=mine))
            name = f"ours, {which}, {'warm' if carry else 'cold'}"
            report(name, before, steps, after, time.perf_counter() - start)


if __name__ == "__main__":
    main()

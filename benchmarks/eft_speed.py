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

import torch
from torch import Tensor, nn

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import PUBLISHED_EFT, ClipConfig, EftConfig, RunConfig
from eftvideo.detect.people import detect_people
from eftvideo.fit import losses
from eftvideo.fit.crops import TrackMemory, crops_of
from eftvideo.fit.eft import fit as eft
from eftvideo.fit.eft.tuned_weights import Weights, settled
from eftvideo.fit.pixels import PixelSource
from eftvideo.fit.projection import projected
from eftvideo.pipeline import choose_device, full_frame_camera
from eftvideo.progress import Progress
from eftvideo.regressors import Regressor
from eftvideo.regressors._load import load_regressor
from eftvideo.types import Crops
from eftvideo.video.reader import open_video

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "sports2d_demo_short.mp4"
FIELDS = (("way", 26), ("steps", 8), ("px before", 11), ("px after", 10), ("worst", 8), ("/s", 9))


@dataclass(frozen=True)
class Case:
    """Person-frames of a clip, and whose they are."""

    crops: Crops
    tracks: list[list[int]]
    """Rows of each person, in order of time."""


def read_case(clip: Path, frames: int, regressor: Regressor, device: str) -> Case:
    """The people in the first frames of a clip, found by the program's own detector."""
    cfg = RunConfig(crop=regressor.crop)
    with open_video(clip, ClipConfig()) as reader:
        short = open_video(clip, ClipConfig(end_s=float(reader.times_s[frames - 1]) + 1e-4))
    view = full_frame_camera(short.info, cfg)
    found = detect_people(short, cfg, device, Progress())
    pixels = PixelSource(short, found, cfg.crop, regressor.crop_size_px, 4)
    memory = TrackMemory(found, pixels)
    parts = [crops_of(f, memory, regressor, view, cfg, device) for f in found]
    ids = [i for f in found for i in f.people.track_id.tolist()]
    tracks = [[row for row, i in enumerate(ids) if i == who] for who in dict.fromkeys(ids)]
    return Case(Crops.cat(parts), tracks)


def published(
    regressor: Regressor, body: BodyModel, crops: Crops, cfg: EftConfig
) -> tuple[list[int], list[float]]:
    """Steps and final errors of the published loop, one row after the other."""
    assert isinstance(regressor, nn.Module)
    tuned = settled(cfg, regressor)
    assert tuned.tune is not None and tuned.learning_rate is not None
    weight = losses.joint_weights(crops.keypoints[..., 2], cfg)
    steps: list[int] = []
    errors: list[float] = []
    for i in range(len(crops)):
        row = torch.tensor([i], device=weight.device)
        part, own_weight = crops.select(row), weight[row]
        model = copy.deepcopy(regressor)
        leaves = [p.requires_grad_() for n, p in model.named_parameters() if n in _names(model)]
        optimiser = torch.optim.Adam(leaves, lr=tuned.learning_rate)
        step, error = 0, 0.0
        for step in range(cfg.num_steps + 1):
            answer = model.decode(model(model.encode(part, "all")), part)
            seen, _ = projected(body, answer, part)
            px = losses.crop_error_px(seen.detach(), part.keypoints[..., :2], own_weight)
            error = float(px)
            if error < cfg.threshold_px or step == cfg.num_steps:
                break
            betas, cam = answer.params.betas, answer.pred_cam
            loss = losses.eft_loss(seen, part, own_weight, betas, cam, cfg)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        steps.append(step)
        errors.append(error)
    return steps, errors


def _names(model: Regressor) -> set[str]:
    return set(model.tunable("all"))


def ours(
    regressor: Regressor, body: BodyModel, case: Case, cfg: EftConfig
) -> tuple[list[int], list[float]]:
    """Steps and final errors of our loop over whole tracks."""
    with torch.no_grad():
        encoded = regressor.encode(case.crops, Weights(regressor, cfg.tune).which)
    own = eft.regress(regressor, body, case.crops, cfg, encoded)
    cold = torch.zeros(len(case.crops), dtype=torch.bool)
    streams = [eft.PersonFrames(rows) for rows in case.tracks]
    fit, _ = eft.fit_sequences(
        regressor, body, case.crops, streams, cold, cfg, own, None, encoded, keep_ends=False
    )
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
    device, body = choose_device(options.device), load_body()
    body = load_body(None, device)
    run = RunConfig(regressor="hmr", regressor_weights=options.weights)
    regressor = load_regressor(run, device, body)
    case = read_case(options.clip, options.frames, regressor, device)
    rows = torch.arange(min(options.rows, len(case.crops)), device=device)
    few = case.crops.select(rows)
    sys.stdout.write(
        f"{len(case.crops)} person-frames, {len(case.tracks)} people, torch {torch.__version__} "
        f"on {device}, {torch.get_num_threads()} threads\n"
    )
    sys.stdout.write("".join(f"{n:<{w}}" if n == "way" else f"{n:>{w}}" for n, w in FIELDS) + "\n")
    base = replace(PUBLISHED_EFT, learning_rate=options.rate, num_steps=options.steps)
    before = eft.regress(regressor, body, case.crops, base).loss_px
    start = time.perf_counter()
    steps, after = published(regressor, body, few, base)
    report("published loop", before, steps, after, time.perf_counter() - start)
    for which in reversed(list(regressor.rates)):
        for carry in (0.0, 0.95):
            cfg = replace(base, tune=which, carry=carry)
            start = time.perf_counter()
            steps, after = ours(regressor, body, case, cfg)
            name = f"ours, {which}, {'warm' if carry else 'cold'}"
            report(name, before, steps, after, time.perf_counter() - start)


if __name__ == "__main__":
    main()

"""Train HMR on a frozen YOLO11n-pose (yolo_hmr.py) on rendered pictures.

python -m research.image_evidence.train_image_regressor --looks FOLDER --poses POSES.npz
    --out FOLDER [--steps 8000]

FOLDER of looks: trunk_features.py, so that no step goes through the trunk. At first neck and head
learn from made-up keypoints alone, of which there is no end (eftvideo/train/synthetic); then from
pictures, with some of those still among them. Trained for what the lifter is trained for
(eftvideo/train_losses.py), in bfloat16; the weights that are kept are an average over the last
steps. Goes on from a checkpoint that is there; OUT/hmr.safetensors is for `eftvideo run --regressor
research.image_evidence.yolo_hmr --weights`.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from eftvideo.bodies import load_body
from eftvideo.regressors.lifter import Model as Lifter
from eftvideo.train.losses import LossWeights, losses
from eftvideo.train.synthetic.examples import ErrorConfig, Sampling, Truth, make_examples
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.train.synthetic.scenes import SceneConfig
from eftvideo.types import Crops
from research.image_evidence.picture_scores import errors
from research.image_evidence.trunk_features import Seen, fill_trunk, read
from research.image_evidence.yolo_hmr import Model as YoloHmr
from research.image_evidence.yolo_hmr import place_of
from research.image_evidence.yolo_trunk import NUM_KEYPOINTS, STRIDES, WIDTHS

BLIND_SHARE = 0.4
"""Share of the steps in which there are no pictures."""
BLIND_BATCH = 512
BATCH, BLIND_AMONG = 192, 96
EMA = 0.998
WARM_STEPS = 200
LOG_EVERY, SAVE_EVERY, EVAL_EVERY = 100, 500, 1000

log = logging.getLogger("train_image_regressor")


def set_scale(model: YoloHmr, looks: Tensor) -> None:
    """Learn what the maps' features are like at keypoints, to bring them to unit spread."""
    first, num = 3 * NUM_KEYPOINTS, sum(WIDTHS)
    sample = looks[:: max(1, len(looks) // 4096), first:][:, : NUM_KEYPOINTS * num]
    sample = sample.float().reshape(-1, num)
    model.mean.copy_(sample.mean(dim=0))
    model.std.copy_(sample.std(dim=0).clamp(min=1e-3))


def blind_features(model: YoloHmr, crops: Crops) -> Tensor:
    """(N, width) of the neck for people of whom keypoints are known, and no features."""
    cells = (model.crop_size_px // STRIDES[-1]) ** 2
    points, coarse = model.mean.expand(1, NUM_KEYPOINTS, -1), model.mean[-WIDTHS[-1] :]
    looked = model.bring(points, coarse.expand(1, cells, -1), {}).expand(len(crops), -1)
    return model.mix(torch.cat([crops.keypoints.flatten(1), place_of(crops)], dim=1), looked, {})


class Blind:
    """Endless people of whom only keypoints are known."""

    def __init__(self, poses: Path) -> None:
        self._library = MotionLibrary(poses, held_out=False)
        self._body = load_body()

    def draw(self, num: int, g: torch.Generator) -> tuple[Crops, Truth]:
        """`num` people, one frame of each."""
        return make_examples(
            *(self._library, self._body, num),
            *(Sampling((0.0,)), SceneConfig(), ErrorConfig(network=None), g),
        )


@torch.no_grad()
def figures(model: YoloHmr, seen: Seen) -> list[float]:
    """MPJPE and PA-MPJPE, mm, and 2D error, px of a 224 px crop; means."""
    model.eval()
    raw = [
        model(torch.cat([seen.looks[rows].float(), place_of(seen.crops.select(rows))], dim=1))
        for rows in torch.arange(len(seen.looks)).split(256)
    ]
    answer = model.decode(torch.cat(raw), seen.crops)
    return errors(load_body(), answer, seen.crops, seen.truth).mean(dim=0).tolist()


class Trainer:
    """The network, its average, and what is needed to go on."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.args, self.body = args, load_body()
        args.out.mkdir(parents=True, exist_ok=True)
        self.copies = [read(args.looks, "train", k, args.shards) for k in range(args.copies)]
        self.held_out = read(args.looks, "test", 0, limit=4)
        self.blind = Blind(args.poses)
        self.model = YoloHmr()
        fill_trunk(self.model.trunk)
        self.model.trunk.requires_grad_(False)
        set_scale(self.model, self.copies[0].looks)
        for drop in (self.model.drop1, self.model.drop2):
            drop.p = 0.1
        self.average = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA)
        )
        self.tuned = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.tuned, args.rate, weight_decay=0.05, fused=True)
        self.step, self.seconds = 0, 0.0
        if (args.out / "checkpoint.pt").exists():
            self._resume()

    def run(self) -> None:
        """Train to the end, then write the weights."""
        args, total = self.args, 0.0
        num = len(self.copies[0].looks)
        log.info("%d pictures, %d copies, from step %d", num, len(self.copies), self.step)
        began = time.perf_counter() - self.seconds
        while self.step < args.steps:
            total += self._step() / LOG_EVERY
            self.step += 1
            self.seconds = time.perf_counter() - began
            last = self.step == args.steps
            if self.step % LOG_EVERY == 0:
                log.info("step %d loss %.4f; %.0f s", self.step, total, self.seconds)
                total = 0.0
            if self.step % SAVE_EVERY == 0 or last:
                self._save()
            if self.step % EVAL_EVERY == 0 or last:
                now = figures(self.network(), self.held_out)
                log.info("step %d held out: MPJPE %.1f, PA %.1f, 2D %.1f px", self.step, *now)
        self._export()

    def network(self) -> YoloHmr:
        """The averaged network."""
        module = self.average.module
        assert isinstance(module, YoloHmr)
        return module

    def _step(self) -> float:
        g = torch.Generator().manual_seed(self.step)
        self._set_rate()
        only = self.step < BLIND_SHARE * self.args.steps
        crops, truth = self.blind.draw(BLIND_BATCH if only else BLIND_AMONG, g)
        if only:
            raw = self._answers(None, crops)
        else:
            copy = self.copies[int(torch.randint(len(self.copies), (), generator=g))]
            rows = torch.randint(len(copy.looks), (BATCH,), generator=g)
            seen, answers = copy.crops.select(rows), copy.truth.select(rows)
            evidence = torch.cat([copy.looks[rows].float(), place_of(seen)], dim=1)
            raw = self._answers(evidence, crops)
            crops = Crops.cat([seen, crops])
            pairs = [(getattr(answers, f.name), getattr(truth, f.name)) for f in fields(Truth)]
            truth = Truth(*(torch.cat(pair) for pair in pairs))
        return self._learn(raw, crops, truth)

    def _answers(self, evidence: Tensor | None, blind: Crops) -> Tensor:
        """Raw answers for pictures, if there are any, then for people without pictures."""
        model = self.model.train()
        with torch.autocast("cpu", torch.bfloat16):
            features = blind_features(model, blind)
            if evidence is not None:
                features = torch.cat([model.neck(evidence, {}), features])
            return model(features).float()

    def _learn(self, raw: Tensor, crops: Crops, truth: Truth) -> float:
        terms = losses(
            *(Lifter, self.body),  # type: ignore[arg-type]  (only its static `pelvis` is used)
            *(self.model.decode(raw, crops), crops, truth),
        )
        weight = vars(LossWeights())
        total = torch.stack([weight[k] * v for k, v in terms.items()]).sum()
        self.optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.tuned, 1.0)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return total.item()

    def _set_rate(self) -> None:
        done = self.step / self.args.steps
        share = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.rate * min(1.0, (self.step + 1) / WARM_STEPS) * share

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = self.args.out / "checkpoint.tmp"
        torch.save(state, part)
        part.replace(self.args.out / "checkpoint.pt")

    def _resume(self) -> None:
        state = torch.load(self.args.out / "checkpoint.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _export(self) -> None:
        network = self.network()
        tensors = {k: v.contiguous() for k, v in network.state_dict().items()}
        card = {"train": json.dumps({"steps": self.args.steps, "rate": self.args.rate})}
        part = self.args.out / "hmr.tmp"
        save_file(tensors, part, metadata=network.metadata() | card)
        part.replace(self.args.out / "hmr.safetensors")
        log.info("wrote %s", self.args.out / "hmr.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--looks", type=Path, required=True, help="of trunk_features.py")
    parser.add_argument("--poses", type=Path, required=True, help="motion, for made-up keypoints")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and weights")
    parser.add_argument("--copies", type=int, default=5, help="copies of the pictures to use")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--shards", type=int, help="train on so many shards only")
    parser.add_argument("--rate", type=float, default=1e-3)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(1)
    Trainer(args).run()


if __name__ == "__main__":
    main()

"""Train an HMR-shaped regressor (eftvideo/regressors/hmr.py) on rendered pictures.

python tools/train_image_regressor.py --pictures FOLDER --out FOLDER [--steps 6000]

FOLDER of pictures: tools/render_pictures.py. The network is a ResNet-18 with the iterative head,
from scratch, trained on what the lifter is trained for (train_losses.py), in bfloat16, most of the
way on smaller crops. Layers beside the head get the trunk going, and are thrown away: one draws
heat maps of the keypoints from the third stage, two tell joints, keypoints and heading straight
from the pooled features, as numbers and as bins. At first the trunk learns by them alone. The
weights that are kept are an average over the last steps. Goes on from a checkpoint that is there;
OUT/hmr.safetensors is for `eftvideo run --regressor hmr --weights`.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from pathlib import Path

import torch
from picture_data import Pictures, read_pictures
from picture_scores import errors
from picture_variety import plain, varied
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo import camera
from eftvideo.bodies import load_body
from eftvideo.regressors.hmr import HmrConfig, Model
from eftvideo.regressors.lifter import Model as Lifter
from eftvideo.synthetic.examples import Truth
from eftvideo.train_losses import LossWeights, losses
from eftvideo.types import Crops, Prediction

STORED_PX = 160
COARSE, COARSE_SHARE = 0.75, 0.85
"""Crops have this share of their side, for this share of the steps at first: half the time."""
ALONE_SHARE = 0.3
"""Share of the steps in which the head learns on a trunk that it has no say in."""
BATCH = 32
EMA = 0.998
TELL_WEIGHT, HEAT_WEIGHT = 10.0, 20.0
"""Of the helper's mean absolute errors (metres, crop units) and of its heat maps' cross entropy."""
BINS, SORT_WEIGHT = 24, 1.0
"""Bins of each coordinate over -1.2 to 1.2, and of the heading; weight of their cross entropy."""
HEAT_CELLS, HEAT_SPREAD = 4, 0.08
"""Cells a side into which a cell of the third stage is divided; spread of spots, crop units."""
LOG_EVERY, SAVE_EVERY, EVAL_EVERY = 100, 200, 1000

log = logging.getLogger("train_image_regressor")


@torch.no_grad()
def predict(model: Model, data: Pictures) -> tuple[Prediction, Crops]:
    """Answers for pictures as they were drawn."""
    rows = torch.arange(len(data))
    crops = plain(data, rows, model.crop_size_px)
    model.eval()
    raw = torch.cat([model(model.encode(crops.select(part))) for part in rows.split(256)])
    return model.decode(raw, crops), crops


def seen_points(crops: Crops, truth: Truth) -> Tensor:
    """(N, 106): joints from the pelvis as a camera that looks straight at the crop sees them,
    metres; then keypoints in crop coordinates, -1.5 to 1.5."""
    view = camera.crop_view_rotation(crops.center_px, crops.image_size_px, crops.focal_length_px)
    joints = (truth.points[:, :24] - truth.points[:, :1]) @ view.mT
    keypoints = truth.points[:, 24 : 24 + 17]
    px = camera.project(keypoints, crops.focal_length_px, crops.image_size_px)
    flat = (px - crops.center_px[:, None]) / (crops.size_px[:, None, None] / 2)
    return torch.cat([joints.flatten(1), flat.clamp(-1.5, 1.5).flatten(1)], dim=1)


def bins_of(points: Tensor, truth: Truth, crops: Crops) -> Tensor:
    """(N, 35, BINS) shares that sum to 1: of the keypoints' x and y (`points` as `seen_points` has
    them), and of the angle at which the person faces the camera."""
    spots = (torch.arange(BINS) + 0.5) / BINS
    place = (points[:, 24 * 3 :] / 1.2).clamp(-0.99, 0.99)[..., None] / 2.0 + 0.5
    near = torch.softmax(-0.5 * ((place - spots) * BINS).square(), dim=2)
    view = camera.crop_view_rotation(crops.center_px, crops.image_size_px, crops.focal_length_px)
    forward = (view @ truth.rotations[:, 0])[:, :, 2]
    turn = torch.atan2(forward[:, 0], -forward[:, 2])[:, None] / (2.0 * math.pi)
    apart = (turn - spots + 0.5) % 1.0 - 0.5
    facing = torch.softmax(-0.5 * (apart * BINS).square(), dim=1)
    return torch.cat([near, facing[:, None]], dim=1)


class Helper(nn.Module):
    """What gets the trunk going: answers that need no iterations and no rotations."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.tell = nn.Linear(num_features, 24 * 3 + 17 * 2)
        self.sort = nn.Linear(num_features, (17 * 2 + 1) * BINS)
        self.heat = nn.Conv2d(num_features // 2, 17 * HEAT_CELLS**2, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, stage: Tensor, features: Tensor, crops: Crops, truth: Truth) -> Tensor:
        """() loss.

        Args:
            stage: (N, C, S / 16, S / 16) third stage. features: (N, F) pooled features.
            crops, truth: N people.
        """
        points = seen_points(crops, truth)
        told = self.tell(features).float()
        maps = F.pixel_shuffle(self.heat(stage), HEAT_CELLS).float()
        at = (torch.arange(maps.shape[2]) + 0.5) / maps.shape[2] * 2.0 - 1.0
        place = points[:, 24 * 3 :].unflatten(1, (17, 2))
        x, y = ((at - place[..., k, None]).square() for k in (0, 1))
        target = torch.exp(-(x[:, :, None] + y[..., None]) / (2.0 * HEAT_SPREAD**2))
        heat = F.binary_cross_entropy_with_logits(maps, target)
        sure = self.sort(features).float().unflatten(1, (-1, BINS)).log_softmax(dim=2)
        sort = -(sure * bins_of(points, truth, crops)).sum(dim=2)
        tell = TELL_WEIGHT * (told - points).abs().mean()
        return tell + HEAT_WEIGHT * heat + SORT_WEIGHT * (sort[:, :-1].mean() + sort[:, -1].mean())


class Trainer:
    """The network, its average, and what is needed to go on."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.args, self.body = args, load_body()
        args.out.mkdir(parents=True, exist_ok=True)
        self.model = Model(HmrConfig(depth=18, crop_size_px=args.crop, body="neutral"))
        for drop in (self.model.drop1, self.model.drop2):
            drop.p = 0.1  # the data are endless in kind and few in number of passes
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.helper = Helper(self.model.num_features)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.model,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA),
            use_buffers=True,
        )
        own = [*self.model.parameters(), *self.helper.parameters()]
        self.optimizer = torch.optim.AdamW(own, args.rate, weight_decay=0.02, fused=True)
        self.step, self.seconds = 0, 0.0
        if (args.out / "checkpoint.pt").exists():
            self._resume()

    def run(self) -> None:
        """Train to the end, then write the weights."""
        args = self.args
        data = read_pictures(
            args.pictures, "train", limit=args.shards, detected=False, side_px=STORED_PX
        )
        held_out = read_pictures(args.pictures, "test", limit=4, side_px=args.crop)
        log.info("%d pictures, %d held out, from step %d", len(data), len(held_out), self.step)
        began, total = time.perf_counter() - self.seconds, torch.zeros(2)
        while self.step < args.steps:
            total += torch.tensor(self._step(data)) / LOG_EVERY
            self.step += 1
            self.seconds = time.perf_counter() - began
            if self.step % LOG_EVERY == 0:
                figures = (self.step, *total.tolist(), self.seconds)
                log.info("step %d loss %.3f, of that the helper's %.3f; %.0f s", *figures)
                total.zero_()
            if self.step % SAVE_EVERY == 0 or self.step == args.steps:
                self._save()
            if self.step % EVAL_EVERY == 0 or self.step == args.steps:
                self._report(held_out)
        self._export()

    def _report(self, held_out: Pictures) -> None:
        answer = predict(self.network(), held_out)
        figures = errors(self.body, *answer, held_out.truth).mean(dim=0).tolist()
        log.info("step %d held out: MPJPE %.1f, PA-MPJPE %.1f, 2D %.1f px", self.step, *figures)

    def network(self) -> Model:
        """The averaged network."""
        module = self.average.module
        assert isinstance(module, Model)
        return module

    def _step(self, data: Pictures) -> tuple[float, float]:
        g = torch.Generator().manual_seed(self.step)
        rows = torch.randint(len(data), (BATCH,), generator=g)
        side = self.args.crop
        if self.step < COARSE_SHARE * self.args.steps:
            side = round(COARSE * side)
        crops, truth = varied(data, rows, side, self.body.keypoint_names, g)
        self._set_rate()
        model = self.model.train()
        alone = self.step < ALONE_SHARE * self.args.steps
        assert crops.image is not None
        with torch.autocast("cpu", torch.bfloat16):
            stage = model.until_layer3(model.normalised(crops.image), {})
            features = model.from_layer4(stage, {})
            raw = model(features.detach() if alone else features)
            help_loss = self.helper(stage, features, crops, truth)
        terms = losses(
            *(Lifter, self.body),  # type: ignore[arg-type]  (only its static `pelvis` is used)
            *(model.decode(raw.float(), crops), crops, truth),
        )
        weight = vars(LossWeights())
        total = torch.stack([weight[k] * v for k, v in terms.items()]).sum()
        total = total + help_loss
        self.optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return total.item(), help_loss.item()

    def _set_rate(self) -> None:
        warm = min(1.0, (self.step + 1) / 300)
        done = self.step / self.args.steps
        rate = self.args.rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "helper": self.helper.state_dict(),
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
        self.helper.load_state_dict(state["helper"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _export(self) -> None:
        network = self.network()
        tensors = {k: v.contiguous() for k, v in network.state_dict().items()}
        card = {
            "train": json.dumps({"steps": self.args.steps, "batch": BATCH, "rate": self.args.rate})
        }
        part = self.args.out / "hmr.tmp"
        save_file(tensors, part, metadata=network.metadata() | card)
        part.replace(self.args.out / "hmr.safetensors")
        log.info("wrote %s", self.args.out / "hmr.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and weights")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--crop", type=int, default=128, help="side of the crops, px")
    parser.add_argument("--shards", type=int, help="train on so many shards only")
    parser.add_argument("--rate", type=float, default=7e-4)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(1)
    Trainer(args).run()


if __name__ == "__main__":
    main()

"""Train neck and head of `landmark_hmr` on looks at people whose SMPL is known; resumable.

Looks are made beforehand (`looked.py`), so that no step goes through the landmark network. Beside
them each step has people of whom only landmarks are made up, as the lifter's training has them:
there is no end of their poses. The first steps have no others.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from eftvideo.bodies import BodyModel, load_body
from eftvideo.evaluate import metrics
from eftvideo.geometry.skeletons import LIMB12, SMPL24, select
from eftvideo.regressors._upright import Regions, regions_of
from eftvideo.regressors.landmark_hmr import LandmarkHmrConfig, Model, flat_told, place_of
from eftvideo.train.lifter import ERRORS, SCENES
from eftvideo.train.looked import People, read_people
from eftvideo.train.losses import LossWeights, losses
from eftvideo.train.synthetic.examples import Sampling, make_examples
from eftvideo.train.synthetic.motions import MotionLibrary

log = logging.getLogger(__name__)

MOVED, GROWN, TURNED_RAD = 0.03, 0.08, math.radians(8.0)
"""Spreads of regions: shares of their sides, and an angle."""
FAR_SHARE, FAR_TURNED_RAD = 0.1, math.radians(60.0)
"""Share of regions that are turned by anything up to this."""
WARM_STEPS = 100
LOG_EVERY, SAVE_EVERY, EVAL_EVERY = 50, 100, 250
AVERAGE_EVERY = 4
"""Steps between two updates of the averaged weights."""


@dataclass(frozen=True)
class TrainConfig:
    """How neck and head are trained."""

    poses: Path
    looks: Path
    """Folder of shards: train_*, drawn; real_*, if there are any; test_*, held out."""
    out: Path
    """Folder of checkpoint and weights."""
    num_steps: int = 3600
    batch_size: int = 64
    """Looks a step."""
    num_made_up: int = 128
    """People without pixels beside them: with fewer a thousand looks are learnt by heart."""
    blind_share: float = 0.4
    """Share of the steps, the first ones, in which all are without pixels."""
    real_share: float = 0.25
    """Share of looks at real people, if there are any."""
    learning_rate: float = 1e-3
    """Peak of AdamW's rate; a cosine to 1 % of it."""
    weight_decay: float = 0.05
    dropout: float = 0.4
    """Share of features hidden."""
    ema: float = 0.997
    """Decay a step of the averaged weights, which are the ones that are kept."""
    seed: int = 0
    init: Path | None = None
    """Weights of the same network to start from; then all steps see looks."""
    network: LandmarkHmrConfig = field(default_factory=LandmarkHmrConfig)
    loss: LossWeights = field(default_factory=LossWeights)


def varied(regions: Regions, g: torch.Generator) -> Regions:
    """Moved, grown and turned by lot, as regions of real people are off the best ones."""
    num = len(regions.side_px)
    lot = torch.randn(num, 4, generator=g)
    far = torch.rand(num, generator=g) < FAR_SHARE
    wide = FAR_TURNED_RAD * (2.0 * torch.rand(num, generator=g) - 1.0)
    turn = torch.where(far, wide, TURNED_RAD * lot[:, 3])
    return Regions(
        regions.center_px + MOVED * lot[:, :2] * regions.side_px[:, None],
        regions.side_px * (GROWN * lot[:, 2]).exp(),
        regions.angle_rad + turn,
    )


class MadeUp:
    """Endless people of whom only landmarks are known."""

    def __init__(self, poses: Path, body: BodyModel) -> None:
        self._library, self._body = MotionLibrary(poses, held_out=False), body

    @torch.no_grad()
    def draw(self, num: int, g: torch.Generator) -> tuple[Tensor, People]:
        """(N, 231) landmarks as `flat_told` has them, and the people, without features."""
        sampling = Sampling((0.0,), repeats=4)
        crops, truth = make_examples(self._library, self._body, num, sampling, SCENES, ERRORS, g)
        regions = varied(regions_of(crops), g)
        assert crops.landmarks is not None
        places, visible, present, metres = crops.landmarks[:, 0].split([2, 1, 1, 3], dim=2)
        half = (crops.size_px / 2.0)[:, None, None]
        xy = regions.points(places * half + crops.center_px[:, None])
        flat = metres[..., :2] @ regions.axes.mT
        metres = torch.cat([flat, metres[..., 2:]], dim=2)
        told = flat_told(xy, visible[..., 0], present[..., 0], metres)
        nothing = told.new_zeros(len(told), 0, dtype=torch.float16)
        return told, People(nothing, regions, crops.focal_length_px, crops.image_size_px, truth)


@torch.no_grad()
def errors_mm(model: Model, body: BodyModel, people: People) -> tuple[Tensor, Tensor]:
    """MPJPE and PA-MPJPE (N,) of the twelve limb joints, mm."""
    crops = people.crops
    seen = torch.cat([people.features.float(), place_of(people.regions, crops)], dim=1)
    answer = model.placed(model(seen), people.regions, crops)
    limbs = select(LIMB12, SMPL24)
    joints = body.joints_and_keypoints(answer.params)[0]
    true = people.truth.points[:, :24]
    joints, true = (v[:, limbs] - v[:, :1] for v in (joints, true))
    return (
        1e3 * metrics.mpjpe(joints, true, root=None),
        1e3 * metrics.pa_mpjpe(joints, true),
    )


class Trainer:
    """The network, its average, and what is needed to go on."""

    def __init__(self, cfg: TrainConfig) -> None:
        """Read everybody, or go on from the checkpoint in `cfg.out`.

        Raises:
            ConfigError: no looks, or no pose library.
        """
        torch.manual_seed(cfg.seed)
        cfg.out.mkdir(parents=True, exist_ok=True)
        self.cfg, self.body = cfg, load_body()
        self.drawn, self.held_out = (
            read_people(cfg.looks, f"{n}_*.npz") for n in ("train", "test")
        )
        has_real = any(cfg.looks.glob("real_*.npz"))
        self.real = read_people(cfg.looks, "real_*.npz") if has_real else None
        self.made_up = MadeUp(cfg.poses, self.body)
        self.model = self._first()
        for drop in (self.model.drop1, self.model.drop2):
            drop.p = 0.1
        self.learnt = [p for p in self.model.parameters() if p.requires_grad]
        self.averaged = copy.deepcopy(self.model).eval()
        self.optimizer = torch.optim.AdamW(
            self.learnt, cfg.learning_rate, weight_decay=cfg.weight_decay, fused=True
        )
        self.step, self.seconds = 0, 0.0
        if (cfg.out / "checkpoint.pt").exists():
            self._resume()

    def _first(self) -> Model:
        """The network by lot, its features' mean and spread known; or that of `init`."""
        if self.cfg.init:
            model = Model.from_weights(self.cfg.init).requires_grad_(True)
            model.network.requires_grad_(False)
            return model
        model = Model(self.cfg.network)
        every = [self.drawn] if self.real is None else [self.drawn, self.real]
        features = torch.cat([p.features.float() for p in every])
        model.mean.copy_(features.mean(dim=0))
        model.std.copy_(features.std(dim=0).clamp(min=1e-2))
        return model

    def run(self) -> Path:
        """Train to the end; returns the weights file."""
        cfg, total = self.cfg, 0.0
        num_real = 0 if self.real is None else len(self.real)
        log.info("%d drawn, %d real, step %d", len(self.drawn), num_real, self.step)
        began = time.perf_counter() - self.seconds
        while self.step < cfg.num_steps:
            total += self._step() / LOG_EVERY
            self.step += 1
            self.seconds = time.perf_counter() - began
            last = self.step == cfg.num_steps
            if self.step % LOG_EVERY == 0:
                log.info("step %d loss %.4f; %.0f s", self.step, total, self.seconds)
                total = 0.0
            if self.step % SAVE_EVERY == 0 or last:
                self._save()
            if self.step % EVAL_EVERY == 0 or last:
                now = errors_mm(self.averaged, self.body, self.held_out)
                log.info("step %d: MPJPE %.1f, PA %.1f", self.step, *(v.mean().item() for v in now))
        return self._export()

    def _step(self) -> float:
        cfg = self.cfg
        g = torch.Generator().manual_seed(cfg.seed + self.step)
        share = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * self.step / cfg.num_steps))
        for group in self.optimizer.param_groups:
            group["lr"] = cfg.learning_rate * min(1.0, (self.step + 1) / WARM_STEPS) * share
        blind = cfg.init is None and self.step < cfg.blind_share * cfg.num_steps
        model = self.model.train()
        model.network.eval()
        num = cfg.num_made_up + blind * cfg.batch_size
        told, people = self.made_up.draw(num, g)
        neck = model.mixed(told, place_of(people.regions, people.crops), None, {})
        if not blind:
            seen = self._looks(g)
            neck = torch.cat([self._neck(seen), neck])
            people = People.cat([seen.without_features(), people])
        crops = people.crops
        answer = model.placed(model(neck), people.regions, crops)
        terms = losses(model, self.body, answer, crops, people.truth)
        weights = vars(cfg.loss)
        loss = torch.stack([weights[k] * v for k, v in terms.items()]).sum()
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.learnt, 1.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self._update_average()
        return loss.item()

    @torch.no_grad()
    def _update_average(self) -> None:
        """At first of few steps, so that the weights by lot are soon forgotten."""
        if self.step % AVERAGE_EVERY:
            return
        keep = min(self.cfg.ema**AVERAGE_EVERY, (1.0 + self.step) / (40.0 + self.step))
        mine = [p for p in self.averaged.parameters() if p.requires_grad]
        for average, now in zip(mine, self.learnt, strict=True):
            average.lerp_(now, 1.0 - keep)

    def _looks(self, g: torch.Generator) -> People:
        num = self.cfg.batch_size
        num_real = 0 if self.real is None else round(self.cfg.real_share * num)
        pools = [(self.drawn, num - num_real)]
        pools += [(self.real, num_real)] if self.real is not None else []
        return People.cat(
            [p.select(torch.randint(len(p), (n,), generator=g)) for p, n in pools if n]
        )

    def _neck(self, seen: People) -> Tensor:
        """As the network's own neck, with features hidden by lot."""
        model, features = self.model, seen.features.float()
        told = model.told(features)
        unit = nn.functional.dropout(model.unit(features), self.cfg.dropout)
        return model.mixed(told, place_of(seen.regions, seen.crops), unit, {})

    def _save(self) -> None:
        state = {
            "model": self.model.own_state(),
            "average": self.averaged.own_state(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = self.cfg.out / "checkpoint.tmp"
        torch.save(state, part)
        part.replace(self.cfg.out / "checkpoint.pt")

    def _resume(self) -> None:
        state = torch.load(self.cfg.out / "checkpoint.pt", weights_only=True)
        self.model.load_state_dict(state["model"], strict=False)
        self.averaged.load_state_dict(state["average"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _export(self) -> Path:
        model, path = self.averaged, self.cfg.out / "landmark_hmr.safetensors"
        card = {"train": json.dumps(asdict(self.cfg), default=lambda p: p.name)}
        tensors = {k: v.half().contiguous() for k, v in model.own_state().items()}
        part = path.with_suffix(".tmp")
        save_file(tensors, part, metadata=model.metadata() | card)
        part.replace(path)
        return path

"""Train the lifter on synthetic examples; resumable, on a CPU or a GPU."""

from __future__ import annotations

import csv
import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from eftvideo.bodies import BodyModel, load_body
from eftvideo.errors import ConfigError
from eftvideo.regressors.lifter import LifterConfig, Model
from eftvideo.train.losses import LossWeights, evaluate_witnesses, losses
from eftvideo.train.synthetic.examples import ErrorConfig, Sampling, Truth, make_examples
from eftvideo.train.synthetic.landmark_noise import LandmarkNoise
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.train.synthetic.observer import NoiseConfig
from eftvideo.train.synthetic.scenes import SceneConfig
from eftvideo.types import Crops

log = logging.getLogger(__name__)
_Part = TypeVar("_Part", Crops, Truth)


BASELINE = LifterConfig(
    width=768,
    hidden=768,
    num_blocks=3,
    context_offsets_s=(),
    canonical=False,
    both_sides=False,
    landmarks=False,
)
"""The first network tried: one frame, keypoints as they are in the crop."""

BASELINE_LOSS = LossWeights(points=10.0, aligned=0.0)
"""What the first network was trained with."""

AVERAGE_EVERY = 4
"""Steps between two updates of the averaged weights."""
SCENES = SceneConfig(pitch_std_deg=15.0, steep=0.15, wide_betas=0.08)
"""More cameras on the floor and on stands, more children, than `SceneConfig` has of itself."""
ERRORS = ErrorConfig(NoiseConfig(swap=0.06, merged=0.1, window_tail=0.5), LandmarkNoise(never=0.2))
"""The detector has more gross errors than in ordinary clips: as in photos of sports and dancing,
where the landmark network is nearer to the truth (benchmarks/photos.py); and more windows are
without landmarks, for `--landmarks off`."""


@dataclass(frozen=True)
class TrainConfig:
    """How the lifter is trained."""

    poses: Path
    out: Path
    """Folder of checkpoint, curve and the final weights."""
    num_steps: int = 12_000
    batch_size: int = 1024
    learning_rate: float = 1e-3
    """Peak of AdamW's rate; 2 % warm-up, then a cosine to 1 % of it."""
    weight_decay: float = 0.02
    ema: float = 0.999
    """Decay a step of the averaged weights, which are the ones that are kept."""
    device: str = "cpu"
    seed: int = 0
    num_workers: int = 1
    """Processes that make examples."""
    eval_every: int = 500
    save_every: int = 200
    init: Path | None = None
    """Weights of the same network to start from."""
    lifter: LifterConfig = field(default_factory=LifterConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    scene: SceneConfig = SCENES
    errors: ErrorConfig = ERRORS


def sampling_of(cfg: LifterConfig) -> Sampling:
    """Windows with the context that a lifter looks at."""
    offsets_s = tuple(sorted((*cfg.context_offsets_s, 0.0)))
    blind = (0.03, 0.02, 0.02)
    return Sampling(offsets_s, repeats=8, one_sided=0.2, doubted=0.5, blind=blind)


class Examples(IterableDataset):
    """Endless batches of (crops, truth); each worker draws its own."""

    def __init__(self, cfg: TrainConfig, start_step: int) -> None:
        self.cfg, self.start_step = cfg, start_step

    def __iter__(self) -> Iterator[tuple[Crops, Truth]]:
        cfg = self.cfg
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        worker = info.id if info else 0
        g = torch.Generator().manual_seed(cfg.seed + 7919 * self.start_step + worker)
        library = MotionLibrary(cfg.poses, held_out=False)
        body = load_body()
        sampling = sampling_of(cfg.lifter)
        while True:
            with torch.no_grad():
                batch = make_examples(
                    library, body, cfg.batch_size, sampling, cfg.scene, cfg.errors, g
                )
            yield batch


def to_device(batch: tuple[Crops, Truth], device: str) -> tuple[Crops, Truth]:
    """Move every tensor of a batch."""
    crops, truth = batch
    return _moved(crops, device), _moved(truth, device)


def _moved(part: _Part, device: str) -> _Part:
    tensors: dict[str, Any] = {k: v if v is None else v.to(device) for k, v in vars(part).items()}
    return type(part)(**tensors)


def held_out_set(cfg: TrainConfig, body: BodyModel, num: int = 2048) -> tuple[Crops, Truth]:
    """The same windows of held-out trials every time, as the library has them."""
    library = MotionLibrary(cfg.poses, held_out=True)
    g = torch.Generator().manual_seed(12345)
    sampling = Sampling(sampling_of(cfg.lifter).offsets_s)
    return make_examples(library, body, num, sampling, cfg.scene, cfg.errors, g, vary=False)


def _rate(step: int, cfg: TrainConfig) -> float:
    warm = max(1, cfg.num_steps // 50)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, cfg.num_steps - warm)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def train_lifter(cfg: TrainConfig) -> Path:
    """Train, or go on from the checkpoint in `cfg.out`; returns the weights file.

    Raises:
        ConfigError: the pose library is missing, or `init` is of another network.
    """
    cfg.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(cfg.seed)
    body = load_body(device=cfg.device)
    model = Model.from_weights(cfg.init) if cfg.init else Model(cfg.lifter)
    if model.cfg != cfg.lifter:
        raise ConfigError(f"{cfg.init} is of another network: {model.cfg}, expected {cfg.lifter}")
    model = model.train().requires_grad_(True).to(cfg.device)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(cfg.ema**AVERAGE_EVERY)
    )
    averaged = cast(Model, average.module)
    optimizer = torch.optim.AdamW(
        model.parameters(), cfg.learning_rate, weight_decay=cfg.weight_decay, fused=True
    )
    step, seconds = _resume(cfg, model, average, optimizer)
    held_out = to_device(held_out_set(cfg, load_body()), cfg.device)
    loader = DataLoader(
        Examples(cfg, step), batch_size=None, num_workers=cfg.num_workers, prefetch_factor=4
    )
    began = time.perf_counter() - seconds
    for batch in loader:
        if step >= cfg.num_steps:
            break
        for group in optimizer.param_groups:
            group["lr"] = cfg.learning_rate * _rate(step, cfg)
        terms = _step(model, body, to_device(batch, cfg.device), optimizer, cfg)
        step += 1
        if step % AVERAGE_EVERY == 0:
            average.update_parameters(model)
        if step % cfg.eval_every == 0 or step == cfg.num_steps:
            figures = evaluate_witnesses(averaged, body, *held_out)
            _log(cfg, step, time.perf_counter() - began, terms, figures)
        if step % cfg.save_every == 0 or step == cfg.num_steps:
            _save(cfg, step, time.perf_counter() - began, model, average, optimizer)
    return _export(cfg, averaged)


def has_fast_bfloat16(kind: str) -> bool:
    """Whether bfloat16 saves time on a kind of device: on a CPU without it a step takes twenty
    times as long."""
    return kind != "cpu" or torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "AVX2")


def _step(
    model: Model,
    body: BodyModel,
    batch: tuple[Crops, Truth],
    optimizer: torch.optim.Optimizer,
    cfg: TrainConfig,
) -> dict[str, float]:
    crops, truth = batch
    kind = cfg.device.split(":")[0]
    with torch.autocast(kind, torch.bfloat16, enabled=has_fast_bfloat16(kind)):
        raw = model(model.encode(crops))
    terms = losses(model, body, model.decode(raw.float(), crops), crops, truth)
    weights = vars(cfg.loss)
    total = sum((weights[k] * v for k, v in terms.items()), torch.zeros((), device=raw.device))
    optimizer.zero_grad()
    total.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if torch.isfinite(norm):
        optimizer.step()
    else:
        log.warning("a batch without a gradient is left out")
    return {k: v.item() for k, v in terms.items()}


def _log(
    cfg: TrainConfig, step: int, seconds: float, terms: dict[str, float], figures: dict[str, float]
) -> None:
    row = {"step": step, "seconds": round(seconds, 1)} | {
        k: round(v, 4) for k, v in (terms | figures).items()
    }
    curve = cfg.out / "curve.csv"
    is_new = not curve.exists()
    with curve.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)
    log.info(" ".join(f"{k}={v}" for k, v in row.items()))


def _resume(
    cfg: TrainConfig, model: Model, average: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    path = cfg.out / "checkpoint.pt"
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location=cfg.device, weights_only=True)
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    log.info("resume at step %d of %d", state["step"], cfg.num_steps)
    return state["step"], state["seconds"]


def _save(
    cfg: TrainConfig,
    step: int,
    seconds: float,
    model: Model,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    part = cfg.out / "checkpoint.tmp"
    state = {"model": model.state_dict(), "average": average.state_dict()}
    state |= {"optimizer": optimizer.state_dict(), "step": step, "seconds": seconds}
    torch.save(state, part)
    part.replace(cfg.out / "checkpoint.pt")


def _export(cfg: TrainConfig, model: Model) -> Path:
    """Write the weights in half precision: half the size, and no figure changes."""
    path = cfg.out / "lifter.safetensors"
    part = path.with_suffix(".tmp")
    card = {"train": json.dumps(asdict(cfg), default=lambda p: p.name)}
    tensors = {k: v.half().cpu() for k, v in model.state_dict().items()}
    save_file(tensors, part, metadata=model.metadata() | card)
    part.replace(path)
    return path

"""Train a correction of the lifter's answer by the detector's features, and its control.

python -m research.image_evidence.train_evidence_head --pictures FOLDER --out FOLDER
    [--control] [--epochs 30]

FOLDER of pictures: render_pictures.py and picture_features.py. The control is the same head
without the features: what it gains is not due to the pictures. In half of the examples the frames
around are hidden. Goes on from a checkpoint that is there.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from eftvideo.bodies import BodyModel, load_body
from eftvideo.regressors.lifter import Model
from eftvideo.train.losses import LossWeights, losses
from eftvideo.types import Crops
from eftvideo.weights import locate as weights
from research.image_evidence.evidence_head import EvidenceHead, lifted
from research.image_evidence.picture_data import Pictures, alone, read_pictures
from research.image_evidence.picture_scores import errors

BATCH = 256
EVAL_EVERY = 5
log = logging.getLogger("train_evidence_head")


def shipped_lifter() -> Model:
    """The default regressor, frozen."""
    return Model.from_weights(weights.resolve(Model.spec))


def answers(
    lifter: Model, head: EvidenceHead | None, data: Pictures, context: bool
) -> tuple[Tensor, Crops]:
    """(N, 157) raw answers, and the crops they belong to; no head: the lifter's own."""
    crops = data.crops if context else alone(data.crops)
    hidden, raw = lifted(lifter, crops)
    if head is None:
        return raw, crops
    with torch.no_grad():
        return head.eval()(hidden, raw, crops, data.features), crops


def train(args: argparse.Namespace) -> None:
    """Train, with the figures of the held-out pictures after every few epochs."""
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    lifter, body = shipped_lifter(), load_body()
    data = read_pictures(args.pictures, "train", limit=args.shards, features=True)
    held_out = read_pictures(args.pictures, "test", features=True)
    assert data.features is not None
    head = EvidenceHead(lifter, 0 if args.control else data.features.shape[2])
    if not args.control:
        head.set_scale(data.features)
    optimizer = torch.optim.AdamW(head.parameters(), args.rate, weight_decay=0.05, fused=True)
    start = _resume(args.out, head, optimizer)
    lifts = _both_ways(lifter, data.crops)
    log.info("%d pictures, %d held out; epoch %d", len(data), len(held_out), start)
    began, steps = time.perf_counter(), len(data) // BATCH
    for epoch in range(start, args.epochs):
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(epoch))
        total = 0.0
        for k in range(steps):
            done = (epoch + k / steps) / args.epochs
            for group in optimizer.param_groups:
                group["lr"] = args.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
            total += _step(lifter, head, body, data, lifts, order[k * BATCH :][:BATCH], optimizer)
        part = args.out / "checkpoint.tmp"
        torch.save({"head": head.state_dict(), "optimizer": optimizer.state_dict(),
                    "epoch": epoch + 1, "num_features": head.num_features}, part)  # fmt: skip
        part.replace(args.out / "checkpoint.pt")
        if (epoch + 1) % EVAL_EVERY and epoch + 1 < args.epochs:
            continue
        figures = []
        for context in (True, False):
            raw, crops = answers(lifter, head, held_out, context)
            answer = lifter.decode(raw, crops)
            figures += errors(body, answer, crops, held_out.truth).mean(dim=0).tolist()[:2]
        log.info(
            "epoch %d loss %.4f held out: MPJPE %.1f PA %.1f; without context %.1f %.1f; %.0f s",
            *(epoch + 1, total / steps, *figures, time.perf_counter() - began),
        )


def _both_ways(lifter: Model, crops: Crops) -> list[tuple[Tensor, Tensor]]:
    """`lifted` with and without the frames around, as pairs of hidden layers and of answers."""
    parts = [
        [lifted(lifter, c.select(rows)) for rows in torch.arange(len(c)).split(2048)]
        for c in (crops, alone(crops))
    ]
    ways = [tuple(torch.cat(v) for v in zip(*part, strict=True)) for part in parts]
    return [(ways[0][k], ways[1][k]) for k in range(2)]


def _step(
    lifter: Model,
    head: EvidenceHead,
    body: BodyModel,
    data: Pictures,
    lifts: list[tuple[Tensor, Tensor]],
    rows: Tensor,
    optimizer: torch.optim.Optimizer,
) -> float:
    crops, truth = data.crops.select(rows), data.truth.select(rows)
    assert data.features is not None
    known = torch.rand(len(rows), 1) < 0.5
    hidden, raw = (torch.where(known, own[0][rows], own[1][rows]) for own in lifts)
    answer = head.train()(hidden, raw, crops, data.features[rows])
    terms = losses(lifter, body, lifter.decode(answer, crops), crops, truth)
    weight = vars(LossWeights())
    total = torch.stack([weight[k] * v for k, v in terms.items()]).sum()
    optimizer.zero_grad()
    total.backward()
    nn.utils.clip_grad_norm_(head.parameters(), 1.0)
    optimizer.step()
    return total.item()


def _resume(out: Path, head: EvidenceHead, optimizer: torch.optim.Optimizer) -> int:
    path = out / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    head.load_state_dict(state["head"])
    optimizer.load_state_dict(state["optimizer"])
    return state["epoch"]


def load_head(folder: Path, lifter: Model) -> EvidenceHead:
    """The head that `train` left in a folder."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    head = EvidenceHead(lifter, state["num_features"])
    head.load_state_dict(state["head"])
    return head.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--control", action="store_true", help="look at no features")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--shards", type=int, help="train on so many shards only")
    parser.add_argument("--rate", type=float, default=7e-4)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    train(args)


if __name__ == "__main__":
    main()

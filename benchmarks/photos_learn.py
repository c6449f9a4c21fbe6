"""Learn how far detector and landmarks are to be believed, from photos with labels.

python benchmarks/photos_learn.py LSPET [--number 2000] [--work out/photos]

Photos are those of the folder LSPET (see photos.py) that are not in benchmarks/photos_lspet.txt.
It prints `TOWARDS` of `eftvideo/landmarks/places.py`, learned where both witnesses agree, and, with
the places as they are there now, the tables of `eftvideo/landmarks/reliability.py`. Before that,
for people left out of the learning (five parts in turn): how often points are right of which a
probability is told, and PCK of the witnesses. Labels whose left and right both witnesses have
exchanged are turned round for the learning, not for PCK.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from photos.labels import LIMBS, read_photos
from photos.learning import Sample, shares, tables
from photos.looks import load_setups, seen_in
from photos.people import People, line

from eftvideo.geometry.skeletons import COCO17, LANDMARK33
from eftvideo.landmarks import reliability
from eftvideo.landmarks.merge import merge
from eftvideo.landmarks.places import TOWARDS

_SEED, _PARTS = 14, 5
_AGREE, _SURE = 0.06, 0.9
"""Places are learned where the witnesses are this near (sides), and the network is this sure."""


def learned_places(sample: Sample) -> dict[str, dict[str, float]]:
    """`TOWARDS` with other shares."""
    side = sample.side[:, None]
    out: dict[str, dict[str, float]] = {}
    for part, targets in TOWARDS.items():
        ways, offsets = [], []
        for own, other in (("left", "right"), ("right", "left")):
            here = sample.points[:, LANDMARK33.index(f"{own}_{part}"), :2]
            names = [f"{other}_{part}" if t.startswith("other_") else f"{own}_{t}" for t in targets]
            there = np.stack([sample.points[:, LANDMARK33.index(n), :2] for n in names], axis=1)
            off = (sample.keypoints[:, COCO17.index(f"{own}_{part}"), :2] - here) / side
            near = (np.linalg.norm(off, axis=1) < _AGREE) & (sample.score > _SURE)
            ways.append(((there - here[:, None]) / side[..., None])[near])
            offsets.append(off[near])
        found = shares(np.concatenate(ways), np.concatenate(offsets))
        out[part] = {t: round(float(s), 2) for t, s in zip(targets, found, strict=True)}
    return out


def left_out(sample: Sample) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Places (P, 17, 2) and probabilities (P, 17) of people who were not learned from."""
    part = np.random.default_rng(_SEED).integers(0, _PARTS, len(sample))
    probability = {n: np.zeros((len(sample), 17)) for n in ("detector", "landmarks", "merged")}
    places = {"merged": np.zeros((len(sample), 17, 2))}
    for n in range(_PARTS):
        with mock.patch.multiple(reliability, **tables(sample, part != n)):
            arguments = [a[torch.from_numpy(part == n)] for a in sample.tensors]
            both = merge(*arguments).numpy()
            detector, network = reliability.reliability(*arguments)
        places["merged"][part == n] = both[..., :2]
        probability["detector"][part == n] = detector.numpy()
        probability["landmarks"][part == n] = network.numpy()[:, sample.same]
        probability["merged"][part == n] = both[..., 2]
    return places | {"detector": sample.keypoints[..., :2], "landmarks": sample.moved}, probability


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("lspet", type=Path)
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--work", type=Path, default=Path("out/photos"))
    args = parser.parse_args()
    kept = set(Path(__file__).with_name("photos_lspet.txt").read_text(encoding="utf-8").split())
    names = [n for n in np.load(args.lspet / "joints.npz")["image"].tolist() if n not in kept]
    names = np.random.default_rng(_SEED).permutation(names)[: args.number].tolist()
    photos = read_photos(args.lspet, names)
    setups = {"heavy": load_setups()["heavy"]}
    sample = Sample.of(People.of(photos, seen_in(photos, setups, args.work)["heavy"]))
    looked = (sample.score > 0).sum()
    print(f"{len(photos)} photos, {len(sample)} people found, the network trusted of {looked}")
    places, probability = left_out(sample)
    for name, where in places.items():
        errors = sample.errors(where)
        right = sample.right(where)
        chances = probability[name][:, LIMBS]
        known = ~np.isnan(errors[:, LIMBS])
        tenths = [known & (np.floor(10 * chances) == n) for n in range(10)]
        print(line(name, sample.label_errors(where)))
        each = [f"{right[:, LIMBS][t].mean():.2f} of {t.sum()}" for t in tenths if t.any()]
        print("  right, where it is told 0.0 to 0.1, ...: " + ", ".join(each))
    print(f"\nTOWARDS = {learned_places(sample)}")
    for name, table in tables(sample, np.ones(len(sample), bool)).items():
        rows = "".join(f"    {row},\n" for row in table)
        print(f"{name} = (\n{rows})")


if __name__ == "__main__":
    main()

"""How far detector, landmarks, both together and the fitted body are off on photos with labels.

python benchmarks/photos.py LSPET [--list benchmarks/photos_lspet.txt] [--work out/photos]

LSPET is a folder with `images/` and `joints.npz`: Leeds Sports Pose Extended (Johnson and
Everingham, CVPR 2011), gymnastics, parkour and athletics. Each photo is a clip of one frame to the
program. PCK: share of the twelve limb joints that lie within 0.2 and 0.5 torso lengths (left
shoulder to right hip) of their labels. A person counts as found by a box that holds 80 % of the
labelled joints and overlaps by 0.5 with the box round them; of people not found every joint is
wrong. No setting was chosen on the photos of the list; docs/photos.md has the figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from photos.labels import KINDS, read_photos
from photos.looks import LOOKS, NETWORKS, load_setups, seen_in
from photos.people import People, line

from eftvideo.setup import Setup


def report(rows: Mapping[str, np.ndarray], whom: np.ndarray) -> None:
    """A table over the people that `whom` (P,) says, and one over all."""
    head = f"{'':24}{'PCK 0.2':>8}{'0.5':>8}{'median':>9}" + "".join(f"{k:>10}" for k in KINDS)
    for title, chosen in (
        (f"the {whom.sum()} people whom yolo11n finds", whom),
        (f"all {len(whom)} people", np.ones(len(whom), bool)),
    ):
        print(f"\n{title}\n{head}")
        for name, errors in rows.items():
            print(line(name, errors[chosen]))


def rows_of(looks: Mapping[str, People], fitted: Mapping[str, Setup]) -> dict[str, np.ndarray]:
    """Errors (P, 12) of every witness, and of the bodies that `fitted` setups give."""
    rows: dict[str, np.ndarray] = {}
    for name, people in looks.items():
        rows[name if name not in NETWORKS else f"{name}: keypoints"] = people.keypoints()
        if name in NETWORKS:
            rows[f"{name}: landmarks"] = people.landmarks()
            rows[f"{name}: merged"] = people.merged()
        if name in fitted:
            rows[f"{name}: body"] = people.bodies(fitted[name])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("lspet", type=Path)
    parser.add_argument("--list", type=Path, default=Path(__file__).with_name("photos_lspet.txt"))
    parser.add_argument("--work", type=Path, default=Path("out/photos"))
    parser.add_argument("--looks", default=",".join(LOOKS), help="names separated by commas")
    parser.add_argument("--bodies", help="fit only for these looks; default: for all")
    parser.add_argument("--no-bodies", action="store_true", help="look only, fit nothing")
    args = parser.parse_args()
    chosen = {"yolo11n", *args.looks.split(",")}
    if unknown := chosen - LOOKS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(LOOKS)}")
    photos = read_photos(args.lspet, args.list.read_text(encoding="utf-8").split())
    setups = {name: setup for name, setup in load_setups().items() if name in chosen}
    looks = {
        name: People.of(photos, everybody)
        for name, everybody in seen_in(photos, setups, args.work).items()
    }
    print(f"{len(photos)} photos; share of people found:")
    for name, people in looks.items():
        print(f"{name:24}{people.found.mean():8.3f}")
    fitted = args.bodies.split(",") if args.bodies else [] if args.no_bodies else list(setups)
    report(rows_of(looks, {name: setups[name] for name in fitted}), looks["yolo11n"].found)


if __name__ == "__main__":
    main()

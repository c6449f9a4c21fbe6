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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from methods import SHIPPED
from photos.bodies import projected, setup_of_photos
from photos.labels import KINDS, Photo, read_photos
from photos.looks import seen_in

from eftvideo.config.dotted import set_values
from eftvideo.geometry.boxes import longer_side
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, select
from eftvideo.landmarks.merge import merge_witnesses
from eftvideo.setup import Setup
from eftvideo.types import Detections, VideoInfo

_SAME = select(COCO17, LANDMARK33)
_LOOKS = {
    "yolo11n": (
        "detect.landmarks.network=off",
        "detect.second_look.enabled=no",
        "detect.recover.enabled=no",
    ),
    "second look": ("detect.landmarks.network=off",),
    "full": ("detect.landmarks.network=full",),
    "heavy": ("detect.landmarks.network=heavy",),
}
"""What each changes in the shipped settings."""
_NETWORKS = ("full", "heavy")


@dataclass(frozen=True)
class People:
    """The labelled people of P photos, as one way of looking sees them."""

    photos: Sequence[Photo]
    seen: Sequence[Detections | None]
    """One person each; None: not found."""

    @classmethod
    def of(cls, photos: Sequence[Photo], everybody: Sequence[Detections]) -> People:
        """The one of everybody in each photo that is the labelled person."""
        who = [p.who(e.xyxy) for p, e in zip(photos, everybody, strict=True)]
        seen = [
            None if w is None else e.select(np.array([w]))
            for w, e in zip(who, everybody, strict=True)
        ]
        return cls(photos, seen)

    @property
    def found(self) -> np.ndarray:
        """(P,) bool."""
        return np.array([s is not None for s in self.seen])

    def errors(self, places: Mapping[int, np.ndarray]) -> np.ndarray:
        """(P, 12) torso lengths for places (17, 2) of some people; infinite for all others."""
        nowhere = np.full((17, 2), np.inf)
        return np.stack([p.errors(places.get(i, nowhere)) for i, p in enumerate(self.photos)])

    def rows(self) -> list[tuple[int, Detections]]:
        """Those who were found."""
        return [(i, s) for i, s in enumerate(self.seen) if s is not None]

    def keypoints(self) -> np.ndarray:
        """Errors of what the detector says."""
        return self.errors({i: s.keypoints[0, :, :2] for i, s in self.rows()})

    def landmarks(self) -> np.ndarray:
        """Errors of what the landmark network says, where it is trusted."""
        looked = [(i, s) for i, s in self.rows() if s.landmarks.score[0] > 0]
        return self.errors({i: s.landmarks.points2d[0, _SAME, :2] for i, s in looked})

    def merged(self) -> np.ndarray:
        """Errors of both witnesses together."""
        both = {
            i: merge_witnesses(s.keypoints, s.landmarks, longer_side(s.xyxy))[0, :, :2]
            for i, s in self.rows()
        }
        return self.errors(both)

    def bodies(self, setup: Setup) -> np.ndarray:
        """Errors of the fitted bodies' joints."""
        rows = self.rows()
        sizes = [self.photos[i].size_px for i, _ in rows]
        places = projected([s for _, s in rows], sizes, setup_of_photos(setup))
        return self.errors({i: p for (i, _), p in zip(rows, places, strict=True)})


def line(name: str, errors: np.ndarray) -> str:
    """PCK at 0.2 and 0.5, median error, and PCK at 0.2 of each kind of joint."""
    kinds = [errors[:, 2 * n : 2 * n + 2] for n in range(len(KINDS))]
    known = [e[~np.isnan(e)] for e in (errors, *kinds)]
    each = "".join(f"{(e <= 0.2).mean():10.3f}" for e in known[1:])
    every = known[0]
    near, far = (every <= 0.2).mean(), (every <= 0.5).mean()
    return f"{name:24}{near:8.3f}{far:8.3f}{np.median(every):9.3f}{each}"


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
        rows[name if name not in _NETWORKS else f"{name}: keypoints"] = people.keypoints()
        if name in _NETWORKS:
            rows[f"{name}: landmarks"] = people.landmarks()
            rows[f"{name}: merged"] = people.merged()
        if name in fitted:
            rows[f"{name}: body"] = people.bodies(fitted[name])
    return rows


def load() -> dict[str, Setup]:
    """A setup for each way of looking."""
    info = VideoInfo(Path("photos"), 1000, 1000, Fraction(1), 1, 1.0, 0, False)
    first = Setup.load(set_values(SHIPPED, _LOOKS["yolo11n"]), info)
    return {
        name: Setup(set_values(SHIPPED, told), first.regressor, first.body, first.camera)
        for name, told in _LOOKS.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("lspet", type=Path)
    parser.add_argument("--list", type=Path, default=Path(__file__).with_name("photos_lspet.txt"))
    parser.add_argument("--work", type=Path, default=Path("out/photos"))
    parser.add_argument("--no-bodies", action="store_true", help="look only, fit nothing")
    args = parser.parse_args()
    photos = read_photos(args.lspet, args.list.read_text(encoding="utf-8").split())
    setups = load()
    looks = {
        name: People.of(photos, everybody)
        for name, everybody in seen_in(photos, setups, args.work).items()
    }
    print(f"{len(photos)} photos; share of people found:")
    for name, people in looks.items():
        print(f"{name:24}{people.found.mean():8.3f}")
    report(rows_of(looks, {} if args.no_bodies else setups), looks["yolo11n"].found)


if __name__ == "__main__":
    main()

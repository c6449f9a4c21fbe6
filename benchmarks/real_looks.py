"""Looks at real people with the bodies that lifter and EFT fit to them, to train `landmark_hmr`.

python benchmarks/real_looks.py --out LOOKS [--clips CLIP ...] [--lspet LSPET] [--number 1500]

Clips go through the program as it is shipped, smoothed; every third frame is kept. Photos are those
of LSPET that are not in benchmarks/photos_lspet.txt, each as a clip of one frame
(photos/bodies.py); of them the labelled person is kept if the body's limb joints lie on the labels.
Only fits with a small error in the picture count. A shard is a file of `train/looked.py`, named
real_*; those that are there are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from methods import SHIPPED
from photos.bodies import SIDE_PX, moved, one_each, setup_of_photos
from photos.labels import Photo, read_photos
from photos.looks import load_setups, seen_in
from photos.people import People as Labelled

from eftvideo.detect.people import detect_people
from eftvideo.fit import fit_tracks
from eftvideo.fit.crops import CropMaker, Rows
from eftvideo.fit.records import posed
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.landmarks.runtime import Looker
from eftvideo.progress import Progress
from eftvideo.refine import smooth_tracks
from eftvideo.regressors._upright import cut_regions, regions_of
from eftvideo.regressors.landmark_hmr import IMAGE_SCALE, Model
from eftvideo.setup import Setup
from eftvideo.track import drop_unseen, link_tracks, mend_left_right, soften_outliers
from eftvideo.train.looked import People
from eftvideo.train.synthetic.examples import Truth
from eftvideo.types import FITTED, SmplParams, VideoFrame
from eftvideo.types.track import Tracks
from eftvideo.types.track_fit import Bodies, Fits
from eftvideo.video.reader import VideoReader, open_video

MOST_PX = 6.0
"""Error in the picture of a body that is learnt from, px of a 224 px crop."""
LEAST_SCORE = 0.5
NEAR = 0.3
"""Torso lengths within which half of a photo's labels must be."""
SEED, AT_ONCE, EVERY, ROWS = 14, 50, 3, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--lspet", type=Path)
    parser.add_argument("--number", type=int, default=1500, help="photos")
    parser.add_argument("--work", type=Path, default=Path("out/photos"), help="what was seen")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    looker = Looker("heavy", torch.device("cpu"))
    for clip in args.clips:
        path = args.out / f"real_clip_{clip.stem}.npz"
        if not path.exists():
            _write(path, of_clip(clip, looker))
    for k, photos in enumerate(_photos(args) if args.lspet else []):
        path = args.out / f"real_photos_{k:03d}.npz"
        if not path.exists():
            _write(path, of_photos(photos, looker, args.work))


def _write(path: Path, people: People | None) -> None:
    if people is not None:
        people.write(path)
    print(f"{path.name}: {0 if people is None else len(people)} people", flush=True)


def _photos(args: argparse.Namespace) -> Iterator[list[Photo]]:
    kept_aside = set(Path(__file__).with_name("photos_lspet.txt").read_text("utf-8").split())
    every = np.load(args.lspet / "joints.npz")["image"].tolist()
    names = [name for name in every if name not in kept_aside]
    chosen = np.random.default_rng(SEED).permutation(len(names))[: args.number]
    photos = read_photos(args.lspet, [names[i] for i in chosen])
    return (photos[a : a + AT_ONCE] for a in range(0, len(photos), AT_ONCE))


def of_clip(path: Path, looker: Looker) -> People | None:
    """Everybody of a clip, in every third frame."""
    with open_video(path, SHIPPED.clip) as clip:
        setup = Setup.load(SHIPPED, clip.info)
        tracks = link_tracks(detect_people(clip, setup, Progress()), setup)
        for mend in (mend_left_right, soften_outliers, drop_unseen):
            tracks = mend(tracks, setup)
        fits = fit_tracks(tracks, setup)
        fits = posed(smooth_tracks(fits, setup), setup)
        return _looks(fits, setup, clip, looker, EVERY)


def of_photos(photos: Sequence[Photo], looker: Looker, work: Path) -> People | None:
    """The labelled people of some photos, where the body lies on the labels."""
    setup = load_setups()["heavy"]
    seen = Labelled.of(photos, seen_in(photos, {"heavy": setup}, work)["heavy"])
    rows = seen.rows()
    found = [photos[i] for i, _ in rows]
    setup = setup_of_photos(setup)
    fits = fit_tracks(one_each([s for _, s in rows], [p.size_px for p in found]), setup)
    good = [p for p in fits.people if _on_labels(p.bodies, found[int(p.track.at[0])])]
    return _looks(replace(fits, people=tuple(good)), setup, _Squares(found), looker, 1)


def _on_labels(bodies: Bodies, photo: Photo) -> bool:
    points = bodies.keypoints3d[0, :17].astype(float)
    scale, shift = moved(photo.size_px)
    pixels = SIDE_PX * points[:, :2] / points[:, 2:] + SIDE_PX / 2
    return float(np.nanmedian(photo.errors((pixels - shift) / scale))) < NEAR


class _Squares:
    """Photos in the square picture of photos/bodies.py, as frames of a clip."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        self._photos = photos
        self.info = SimpleNamespace(fps=1)

    def __iter__(self) -> Iterator[VideoFrame]:
        for index, photo in enumerate(self._photos):
            scale, shift = moved(photo.size_px)
            # OpenCV's places are those of the pixels' middles, ours of their corners.
            way = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
            way[:, 2] = shift + scale * 0.5 - 0.5
            image = cv2.warpAffine(photo.image, way, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR)
            yield VideoFrame(index, float(index), image)


def _looks(
    fits: Fits, setup: Setup, clip: VideoReader | _Squares, looker: Looker, every: int
) -> People | None:
    """People whose fit is good; None: nobody."""
    tracks = Tracks(fits.timeline, tuple(p.track for p in fits.people))
    maker = CropMaker(tracks, Setup(SHIPPED, Model(), setup.body, setup.camera), clip)
    rows = maker.rows
    keep = np.zeros(len(rows), bool)
    for who, person in enumerate(fits.people):
        bodies, score = person.bodies, person.track.landmarks.score
        good = (bodies.status == FITTED) & (bodies.loss_px < MOST_PX) & (score > LEAST_SCORE)
        mine = rows.who == who
        keep[mine] = good[rows.which[mine]] & (rows.at[mine] % every == 0)
    rows = rows.select(np.flatnonzero(keep))
    parts = [_look(fits, rows.select(r), maker, looker) for r in _parts(len(rows))]
    return People.cat(parts) if parts else None


def _parts(num: int) -> list[np.ndarray]:
    return [np.arange(a, min(num, a + ROWS)) for a in range(0, num, ROWS)]


@torch.no_grad()
def _look(fits: Fits, rows: Rows, maker: CropMaker, looker: Looker) -> People:
    crops, body = maker.crops_of(rows), maker.setup.body
    assert crops.image is not None
    regions = regions_of(crops)
    pixels = cut_regions(crops.image, (crops.center_px, IMAGE_SCALE * crops.size_px), regions)
    looked = looker(pixels.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    places = zip(rows.who.tolist(), rows.which.tolist(), strict=True)
    bodies = Bodies.cat([fits.people[who].bodies.select(np.array([t])) for who, t in places])
    turns = np.concatenate([bodies.global_orient, bodies.body_pose], axis=1)
    rotations = axis_angle_to_matrix(torch.from_numpy(turns).float().unflatten(1, (24, 3)))
    betas, transl = (torch.from_numpy(v).float() for v in (bodies.betas, bodies.transl))
    params = SmplParams(rotations[:, 0], rotations[:, 1:], betas)
    points = torch.cat(body.joints_and_keypoints(params, which="all"), dim=1) + transl[:, None]
    truth = Truth(rotations, betas, points[:, 0], points, torch.ones(len(rows)))
    return People(looked.features, regions, crops.focal_length_px, crops.image_size_px, truth)


if __name__ == "__main__":
    main()

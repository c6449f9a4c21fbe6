"""How much the landmark network's points jitter on real clips, beside the detector's.

python benchmarks/landmark_noise.py CLIP...

As detector_noise.py: every point of every track is compared with a robust local quadratic over nine
frames; what is left is noise that changes quickly, not errors that stay. In the picture: norms in
percent of the longer side of the box, quantiles .5 .9 .99; in metres: mm along x, y and z, 68 % of
them are smaller. Then logits of the visibility, percentiles 5, 25, 50, 75, 95, the median presence,
and the share of frames without landmarks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from detector_noise import HALF, KEPT, WINDOW, smooth
from stages import find_people

from eftvideo.config import RunConfig
from eftvideo.geometry.skeletons import COCO17
from eftvideo.setup import Setup
from eftvideo.train.synthetic.landmark_noise import KIND_OF, KINDS
from eftvideo.types.track import Track
from eftvideo.video.reader import open_video

MIN_SCORE = 0.3


def pieces(track: Track) -> list[Track]:
    """Runs of frames, WINDOW and more, in which the network saw the person."""
    seen = track.landmarks.score > 0
    change = track.starts[1:] | (seen[1:] != seen[:-1])
    runs = np.split(np.arange(len(track)), np.flatnonzero(change) + 1)
    return [track.select(r) for r in runs if len(r) > WINDOW and seen[r[0]]]


def jitter(points: np.ndarray) -> np.ndarray:
    """(T, J, 2) to (T - WINDOW + 1, J, 2): what a smooth curve leaves."""
    return (points[HALF:-HALF] - smooth(points)) / KEPT


def metres_jitter(points: np.ndarray) -> np.ndarray:
    """(T, J, 3) metres to (T - WINDOW + 1, J, 3) mm."""
    mm = 1e3 * points.astype(float)
    return np.concatenate([jitter(mm[..., :2]), jitter(mm[..., 1:])[..., 1:]], axis=-1)


def report(runs: list[Track]) -> None:
    """A line for each kind of point."""
    side = np.concatenate([(r.xyxy[:, 2:] - r.xyxy[:, :2]).max(1)[HALF:-HALF] for r in runs])
    flat = [jitter(r.landmarks.points2d[..., :2].astype(float)) for r in runs]
    off = np.linalg.norm(np.concatenate(flat), axis=-1) / side[:, None]
    detected = [jitter(r.keypoints[..., :2].astype(float)) for r in runs]
    other = np.linalg.norm(np.concatenate(detected), axis=-1) / side[:, None]
    other[np.concatenate([r.keypoints[HALF:-HALF, :, 2] for r in runs]) < MIN_SCORE] = np.nan
    solid = np.abs(np.concatenate([metres_jitter(r.landmarks.points3d) for r in runs]))
    said = np.concatenate([r.landmarks.points2d[..., 2:] for r in runs]).clip(1e-4, 1 - 1e-4)
    said = np.log(said / (1.0 - said))
    for i, kind in enumerate(KINDS):
        mine = KIND_OF.numpy() == i
        own = [k for k, n in enumerate(COCO17) if n.endswith(kind) or (kind == "face" and k < 5)]
        cells = [100.0 * np.percentile(off[:, mine], [50, 90, 99])]
        if own:
            cells.append(100.0 * np.nanpercentile(other[:, own], [50, 90, 99]))
        line = " | detector ".join(" ".join(f"{v:5.2f}" for v in c) for c in cells)
        mm = np.percentile(solid[:, mine], 68, axis=(0, 1))
        seen = np.percentile(said[:, mine, 0], [5, 25, 50, 75, 95])
        print(f"{kind:9}{line} | mm", *(f"{v:.0f}" for v in mm), end=" | visible ")
        print(*(f"{v:.1f}" for v in seen), f"present {np.median(said[:, mine, 1]):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    args = parser.parse_args()
    cfg, runs, refused = RunConfig(), [], []
    for path in args.clips:
        with open_video(path, cfg.clip) as clip:
            tracks = find_people(clip, Setup.load(cfg, clip.info))
        for track in tracks.people:
            refused.append(track.landmarks.score == 0)
            runs += pieces(track)
    if not runs:
        raise SystemExit("nobody is followed for long enough in these clips")
    report(runs)
    print(f"without landmarks {np.concatenate(refused).mean():.3f} of the frames")


if __name__ == "__main__":
    main()

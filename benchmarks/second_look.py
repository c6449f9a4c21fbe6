"""What a second look at people who lean does to the detector's keypoints, in four real views.

python benchmarks/second_look.py CALIBRATION CAM1 CAM2 CAM3 CAM4 --work DIR

The truth is that of benchmarks/multiview.py (docs/multiview.md), of which DIR may be the folder:
limb joints on which three views agree. A joint is grossly wrong if it is off by more than 8 % of
the box's longer side. Of the errors up to 5 % it also tells, in per cent of the box and for each
axis, how large the part is that a joint keeps in a view, and the part that changes; which share of
the latter's variance is new in every frame, and the correlation time of the rest. The last line is
what the lifter is trained with (`NoiseConfig`).
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
from methods import SHIPPED
from multiview.calibration import read_qca
from multiview.observe import (
    choose_athlete,
    collect_sightings,
    plain_tracks,
    sightings,
    weight_of,
)
from multiview.score import GROSS
from multiview.truth import LIMBS, Truth, find_truth, refine_cameras

from eftvideo.config.dotted import set_values
from eftvideo.train.synthetic.observer import NoiseConfig
from eftvideo.types.track import Tracks
from eftvideo.video.reader import open_video

SMALL = 0.05
"""Errors up to this share of the box's longer side are the detector's blur, not its mistakes."""
LOOKS: dict[str, tuple[str, ...]] = {
    "off": ("detect.second_look.enabled=no", "detect.recover.enabled=no"),
    "leaning": (),
    "all": ("detect.second_look.whom=all",),
}
"""What each way changes in the shipped settings. Off: nobody lost is searched for either."""


def errors(truth: Truth, view: int, keypoints: np.ndarray) -> np.ndarray:
    """(T, 17) px from the true place, NaN where either is not known."""
    off = np.linalg.norm(truth.views[view].project(truth.points) - keypoints[..., :2], axis=-1)
    limb = np.isin(np.arange(17), LIMBS)
    return np.where(truth.good & limb & (weight_of(keypoints) > 0), off, np.nan)


def spread(truth: Truth, seen: list[tuple[np.ndarray, np.ndarray]], fps: float) -> str:
    """The small errors of all views, taken apart; `seen` are keypoints and boxes of each."""
    each = []
    for view, (keypoints, boxes) in enumerate(seen):
        side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None]
        error = (keypoints[..., :2] - truth.views[view].project(truth.points)) / side[..., None]
        small = errors(truth, view, keypoints) <= SMALL * side
        each.append(np.where(small[..., None], error, np.nan))
    error = np.stack(each)[:, :, LIMBS]
    kept = np.nanmean(error, axis=1, keepdims=True)
    changing = error - kept
    near, far = (np.nanmean(changing[:, :-k] * changing[:, k:]) for k in (1, 2))
    slow = near**2 / far / np.nanmean(changing**2)
    time_s = -1.0 / fps / np.log(far / near)
    constant, varying = (100 * np.sqrt(np.nanmean(v**2)) for v in (kept, changing))
    return described(constant, varying, 1 - slow, time_s)


def described(constant: float, varying: float, new: float, time_s: float) -> str:
    """One line of the parts of an error."""
    return (
        f"constant {constant:.2f} %, varying {varying:.2f} %, "
        f"new in each frame {new:.2f}, the rest over {time_s:.2f} s"
    )


def trained_with() -> str:
    """The same of the simulated errors."""
    cfg = NoiseConfig()
    level = float(np.exp(cfg.tail**2 + cfg.window_tail**2))
    limbs = [cfg.of_kind(name)[LIMBS].numpy() for name in ("bias", "jitter")]
    constant, varying = (100 * level * np.sqrt((v**2).mean()) for v in limbs)
    return described(constant, varying, cfg.jitter_new, cfg.jitter_time_s)


def detect(args: argparse.Namespace, which: str) -> tuple[list[Tracks], tuple[int, ...], float]:
    """Everybody in each clip, the athlete's track in each, and the seconds that it took."""
    look = set_values(SHIPPED, LOOKS[which])
    folder = args.work / f"look_{which}"
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    plain = [plain_tracks(clip, look, folder) for clip in args.clips]
    took_s = time.perf_counter() - began
    return plain, choose_athlete(read_qca(args.calibration), plain), took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("calibration", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    plain = {which: detect(args, which) for which in LOOKS}
    first, ids, _ = plain["off"]
    seen = collect_sightings(args.clips, first, ids, SHIPPED, args.work)
    px, weight = seen[..., :2], weight_of(seen)
    truth = find_truth(refine_cameras(read_qca(args.calibration), px, weight)[0], px, weight)
    fps = float(open_video(args.clips[0]).info.fps)
    print(f"{'second look':12}" + "".join(f"{c.stem:>18}" for c in args.clips) + "  seconds")
    for which, (everybody, ids, took_s) in plain.items():
        print(f"{which:12}", end="")
        both = [sightings(tracks, i) for tracks, i in zip(everybody, ids, strict=True)]
        for view, (keypoints, boxes) in enumerate(both):
            off = errors(truth, view, keypoints)
            side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None]
            known = ~np.isnan(off)
            gross = 100 * (off > GROSS * side)[known].mean()
            print(f"{gross:9.1f}% {np.median(off[known]):5.1f} px", end="")
        print(f"  {took_s:.0f}")
        print(f"{'':12}{spread(truth, both, fps)}")
    print(f"{'simulated':12}{trained_with()}")


if __name__ == "__main__":
    main()

"""How much the detector's keypoints jitter on real clips: no truth needed, only smoothness.

python benchmarks/detector_noise.py CLIP... [--stride N] [--model NAME]

Every keypoint of every track is compared with a robust local quadratic over WINDOW frames; what
is left is noise (and some acceleration too fast for the fit). Slow errors are not seen this way.
Distances are in percent of the longer side of the person's box.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from stages import find_people

from eftvideo.config import ClipConfig, RunConfig
from eftvideo.geometry.skeletons import COCO17
from eftvideo.setup import Setup
from eftvideo.types.track import Track
from eftvideo.video.reader import open_video

WINDOW = 9
HALF = WINDOW // 2
KEPT = np.sqrt(1.0 - 59.0 / 231.0)
"""Share of white noise that a quadratic over 9 points leaves at its centre."""
OUTLIER = 0.05
KINDS = ("face", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
KIND_OF = np.array([next((i for i, k in enumerate(KINDS) if n.endswith(k)), 0) for n in COCO17])
SCORES = (0.3, 0.5, 0.7, 0.85, 0.95, 1.01)
SIZES = (0, 60, 120, 200, 350, 600, 4000)
PAIRS = {"arms": ("elbow", "wrist"), "legs": ("knee", "ankle"), "hips": ("hip",)}


@dataclass(frozen=True)
class Residuals:
    """One row per keypoint and frame."""

    kind: np.ndarray
    score: np.ndarray
    side_px: np.ndarray
    error: np.ndarray
    """Share of the box."""
    lag: np.ndarray
    """(K, 2) per kind: sums of the products of neighbours in time, and of the squares."""


def smooth(points: np.ndarray) -> np.ndarray:
    """(T, J, 2) to (T - WINDOW + 1, J, 2): value at the centre of a robust quadratic (Tukey)."""
    basis = np.vander(np.arange(WINDOW) - HALF, 3, increasing=True).astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(points, WINDOW, axis=0)
    weights = np.ones((*windows.shape[:2], WINDOW))
    for _ in range(4):
        normal = np.einsum("tjw,wa,wb->tjab", weights, basis, basis)
        right = np.einsum("tjw,wa,tjcw->tjac", weights, basis, windows)
        solved = np.linalg.solve(normal + 1e-6 * np.eye(3), right)
        off = np.linalg.norm(windows - np.einsum("wa,tjac->tjcw", basis, solved), axis=2)
        scale = 1.4826 * np.median(off, axis=-1, keepdims=True) + 0.3
        weights = np.clip(1.0 - (off / (4.685 * scale)) ** 2, 0.02, None) ** 2
    return solved[:, :, 0]


def residuals(track: Track) -> Residuals:
    """Of one track without gaps."""
    keypoints = track.keypoints.astype(float)
    boxes = track.xyxy
    middle = slice(HALF, len(boxes) - HALF)
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[middle]
    off = (keypoints[middle, :, :2] - smooth(keypoints[..., :2])) / (KEPT * side[:, None, None])
    error = np.linalg.norm(off, axis=-1)
    score = keypoints[middle, :, 2]
    lag = np.zeros((len(KINDS), 2))
    good = (score > 0.5) & (error < OUTLIER)
    both = good[1:] & good[:-1]
    product = (off[1:] * off[:-1]).sum(-1) * both
    square = 0.5 * (error[1:] ** 2 + error[:-1] ** 2) * both
    np.add.at(lag, KIND_OF, np.stack([product.sum(0), square.sum(0)], axis=1))
    kind = np.broadcast_to(KIND_OF, error.shape)
    sides = np.broadcast_to(side[:, None], error.shape)
    return Residuals(kind.ravel(), score.ravel(), sides.ravel(), error.ravel(), lag)


def swaps(track: Track) -> dict[str, np.ndarray]:
    """{pair: (2,) swapped, comparable}: left and right change places between frames."""
    keypoints, boxes = track.keypoints.astype(float), track.xyxy
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    found = {}
    for pair, parts in PAIRS.items():
        left = keypoints[:, [COCO17.index(f"left_{p}") for p in parts]]
        right = keypoints[:, [COCO17.index(f"right_{p}") for p in parts]]

        def moved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return np.linalg.norm(a[1:, :, :2] - b[:-1, :, :2], axis=-1).sum(axis=1)

        apart = np.linalg.norm(left - right, axis=-1).mean(axis=1) / side > 0.04
        sure = np.minimum(left[..., 2].min(axis=1), right[..., 2].min(axis=1)) > 0.3
        usable = (apart & sure)[1:] & (apart & sure)[:-1]
        crossed = moved(left, right) + moved(right, left)
        swapped = usable & (crossed < 0.5 * (moved(left, left) + moved(right, right)))
        found[pair] = np.array([swapped.sum(), usable.sum()])
    return found


def without_gaps(track: Track) -> list[Track]:
    """Pieces of WINDOW frames and more."""
    pieces = np.split(np.arange(len(track)), np.flatnonzero(track.starts)[1:])
    return [track.select(p) for p in pieces if len(p) > WINDOW]


def line(name: str, error: np.ndarray) -> None:
    """One row of a table, if there is enough to say something."""
    if len(error) >= 30:
        cells = " ".join(f"{v:7.2f}" for v in 100 * np.percentile(error, [50, 68, 90, 95, 99]))
        print(f"{name:24} {len(error):7d} {cells} {100 * (error > OUTLIER).mean():7.2f}")


def report(rows: list[Residuals], swapped: list[dict[str, np.ndarray]]) -> None:
    kind, score, side, error = (
        np.concatenate([getattr(r, name) for r in rows])
        for name in ("kind", "score", "side_px", "error")
    )
    print(f"{'':24} {'n':>7} {'50 %':>7} {'68 %':>7} {'90 %':>7} {'95 %':>7} {'99 %':>7}    >5 %")
    line("all, score over 0.3", error[score > 0.3])
    for low, high in pairwise(SCORES):
        line(f"score {low} to {high:.2f}", error[(score >= low) & (score < high)])
    for i, name in enumerate(KINDS):
        line(f"{name}, score over 0.3", error[(kind == i) & (score > 0.3)])
    for low, high in pairwise(SIZES):
        line(f"box {low} to {high} px", error[(side >= low) & (side < high) & (score > 0.5)])
    lag = np.sum([r.lag for r in rows], axis=0)
    print("\ncorrelation with the next frame (white noise gives -0.34, AR(1) of 0.7 gives -0.13):")
    print("  ".join(f"{n} {a / b:.2f}" for n, (a, b) in zip(KINDS, lag, strict=True) if b > 0))
    print("\nleft and right swapped between neighbouring frames, of frames where one could tell:")
    for pair in PAIRS:
        wrong, usable = np.sum([s[pair] for s in swapped], axis=0)
        print(f"  {pair}: {wrong} of {usable}")
    print("\nscores by kind: percentiles 5, 25, 50, 75, 95")
    for i, name in enumerate(KINDS):
        cells = " ".join(f"{v:.2f}" for v in np.percentile(score[kind == i], [5, 25, 50, 75, 95]))
        print(f"  {name:10} {cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--model", default=RunConfig().detect.model)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    cfg = RunConfig(clip=ClipConfig(stride=args.stride), device=args.device)
    cfg = replace(cfg, detect=replace(cfg.detect, model=args.model))
    pieces: list[Track] = []
    for path in args.clips:
        with open_video(path, cfg.clip) as clip:
            tracks = find_people(clip, Setup.load(cfg, clip.info))
        for track in tracks.people:
            pieces += without_gaps(track)
    if not pieces:
        raise SystemExit("nobody is followed for long enough in these clips")
    report([residuals(p) for p in pieces], [swaps(p) for p in pieces])


if __name__ == "__main__":
    main()

"""Warm against cold start, and all people at once against one by one, on a real clip.

python benchmarks/real_clip.py CLIP [--end SECONDS]

The people are detected once; each way of fitting then sees the same keypoints. Times are CPU
seconds of this process, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from methods import with_fit
from stages import find_people

from eftvideo.config import ClipConfig, RunConfig
from eftvideo.fit import fit_tracks
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.setup import Setup
from eftvideo.types import REJECTED
from eftvideo.types.track import Tracks
from eftvideo.types.track_fit import Bodies
from eftvideo.video.reader import open_video


def timed(tracks: Tracks, setup: Setup) -> tuple[Bodies, float]:
    """Fit all frames once; the bodies and CPU seconds."""
    began = time.process_time()
    fits = fit_tracks(tracks, setup)
    return fits.bodies(), time.process_time() - began


def report(name: str, bodies: Bodies, seconds: float) -> None:
    num = len(bodies)
    print(
        f"{name:22} {num:6d} {bodies.num_steps.mean():7.2f} {1e3 * seconds / num:9.2f} "
        f"{np.median(bodies.loss_px):9.2f} {bodies.loss_px.mean():9.2f} "
        f"{(bodies.status == REJECTED).sum():8d}",
        flush=True,
    )


def differences(a: Bodies, b: Bodies) -> tuple[float, float, float]:
    """Largest difference of rotation matrices, of joints from the pelvis (m), and of px."""
    turns = []
    for bodies in (a, b):
        angles = np.concatenate([bodies.global_orient, bodies.body_pose], axis=1)
        turns.append(axis_angle_to_matrix(torch.from_numpy(angles).unflatten(1, (24, 3))))
    apart = [bodies.joints3d - bodies.joints3d[:, :1] for bodies in (a, b)]
    return (
        float((turns[0] - turns[1]).abs().max()),
        float(np.abs(apart[0] - apart[1]).max()),
        float(np.abs(a.loss_px - b.loss_px).max()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--end", type=float)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    cfg = RunConfig(clip=ClipConfig(end_s=args.end), device=args.device)
    with open_video(args.clip, cfg.clip) as clip:
        setup = Setup.load(cfg, clip.info)
        tracks = find_people(clip, setup)
    if not tracks.people:
        raise SystemExit(f"nobody is seen in {args.clip}: choose another clip, or a later --end")
    print(
        f"{'':22} {'rows':>6} {'steps':>7} {'ms/row':>9} {'px median':>9} {'px mean':>9} rejected"
    )
    ways = {
        "regressor alone": with_fit(cfg, method="regress"),
        "EFT cold": with_fit(cfg, warm_start=False),
        "EFT warm": cfg,
    }
    results = {}
    for name, way in ways.items():
        results[name], seconds = timed(tracks, replace(setup, cfg=way))
        report(name, results[name], seconds)
    alone = with_fit(cfg, eft=replace(cfg.fit.eft, max_people=1))
    bodies, apart = timed(tracks, replace(setup, cfg=alone))
    report("EFT warm, one by one", bodies, apart)
    rotation, metres, px = differences(results["EFT warm"], bodies)
    print(
        f"one by one takes {apart / seconds:.1f} times as long; largest difference "
        f"{rotation:.1e} in rotation matrices, {1e3 * metres:.1e} mm in joints from the pelvis, "
        f"{px:.1e} px"
    )


if __name__ == "__main__":
    main()

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
from eftvideo.fit.people import fit_people

from eftvideo.bodies import load_body
from eftvideo.config import ClipConfig, RunConfig
from eftvideo.detect.people import detect_people
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.pipeline import choose_device, full_frame_camera
from eftvideo.progress import Progress
from eftvideo.regressors._load import load_regressor
from eftvideo.video.reader import open_video


def timed(cfg, frames, regressor, body, view, device):  # noqa: ANN001, ANN201
    """Fit all frames once; rows and CPU seconds."""
    began = time.process_time()
    rows = fit_people(frames, regressor, body, view, cfg, device, Progress())
    return rows, time.process_time() - began


def report(name: str, rows: dict[str, np.ndarray], seconds: float) -> None:
    num = len(rows["frame"])
    print(
        f"{name:22} {num:6d} {rows['num_steps'].mean():7.2f} {1e3 * seconds / num:9.2f} "
        f"{np.median(rows['loss_px']):9.2f} {rows['loss_px'].mean():9.2f} "
        f"{(rows['status'] == 1).sum():8d}",
        flush=True,
    )


def differences(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Largest difference of rotation matrices, of joints from the pelvis (m), and of px."""
    turns = []
    for rows in (a, b):
        angles = np.concatenate([rows["global_orient"], rows["body_pose"]], axis=1)
        turns.append(axis_angle_to_matrix(torch.from_numpy(angles).unflatten(1, (24, 3))))
    apart = [rows["joints3d"] - rows["joints3d"][:, :1] for rows in (a, b)]
    return (
        float((turns[0] - turns[1]).abs().max()),
        float(np.abs(apart[0] - apart[1]).max()),
        float(np.abs(a["loss_px"] - b["loss_px"]).max()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--end", type=float)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    cfg = RunConfig(clip=ClipConfig(end_s=args.end), device=args.device)
    device = choose_device(cfg.device)
    body = load_body(None, device)
    regressor = load_regressor(cfg, device, body)
    with open_video(args.clip, cfg.clip) as clip:
        frames = detect_people(clip, cfg, device, Progress())
        view = full_frame_camera(clip.info, cfg)
    common = (frames, regressor, body, view)
    print(
        f"{'':22} {'rows':>6} {'steps':>7} {'ms/row':>9} {'px median':>9} {'px mean':>9} rejected"
    )
    ways = {
        "regressor alone": replace(cfg, method="regress"),
        "EFT cold": replace(cfg, warm_start=False),
        "EFT warm": cfg,
    }
    results = {}
    for name, way in ways.items():
        results[name], seconds = timed(way, *common, device)
        report(name, results[name], seconds)
    alone = replace(cfg, eft=replace(cfg.eft, max_people=1))
    rows, apart = timed(alone, *common, device)
    report("EFT warm, one by one", rows, apart)
    rotation, metres, px = differences(results["EFT warm"], rows)
    print(
        f"one by one takes {apart / seconds:.1f} times as long; largest difference "
        f"{rotation:.1e} in rotation matrices, {1e3 * metres:.1e} mm in joints from the pelvis, "
        f"{px:.1e} px"
    )


if __name__ == "__main__":
    main()

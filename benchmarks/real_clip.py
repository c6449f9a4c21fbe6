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

from eftvideo import eft
from eftvideo.bodies import load_body
from eftvideo.config import ClipConfig, EftConfig, RunConfig
from eftvideo.fitting import fit_people
from eftvideo.pipeline import choose_device, detect_people, full_frame_camera, load_regressor
from eftvideo.progress import Progress
from eftvideo.sightings import TrackMemory, crops_of
from eftvideo.video import open_video


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


def frame_by_frame(frames, regressor, body, view, cfg, device, *, apart):  # noqa: ANN001, ANN201
    """The clip in order of time without pieces: all people of a frame at once, or one by one."""
    memory, warm = TrackMemory(frames), eft.WarmStart()
    losses, poses = [], []
    began = time.process_time()
    for frame in frames:
        if frame.is_cut:
            warm = eft.WarmStart()
        if not len(frame.people):
            continue
        crops = crops_of(frame, memory, regressor, view, cfg, device)
        ids = frame.people.track_id.tolist()
        people: dict = {}
        for rows in [[i] for i in range(len(ids))] if apart else [list(range(len(ids)))]:
            some = [ids[i] for i in rows]
            part = crops.select(torch.tensor(rows, device=device))
            fit, after = eft.fit(regressor, body, part, some, frame.time_s, warm, cfg.eft)
            people |= {k: v for k, v in after.people.items() if k in some}
            losses.append(fit.loss_px.cpu())
            poses.append(fit.prediction.params.body_pose.cpu())
        warm = eft.WarmStart(people)
    return torch.cat(losses), torch.cat(poses), time.process_time() - began


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
    fixed = replace(cfg, eft=replace(EftConfig(), threshold_px=0.0, num_steps=5, stall_steps=99))
    _, streams = timed(fixed, *common, device)
    px, pose, together = frame_by_frame(*common, fixed, device, apart=False)
    px_apart, pose_apart, apart = frame_by_frame(*common, fixed, device, apart=True)
    num = len(px)
    print(
        f"at 5 steps each: as streams {1e3 * streams / num:.2f} ms/row, all people of a frame at "
        f"once {1e3 * together / num:.2f}, one by one {1e3 * apart / num:.2f}; one by one over all "
        f"at once {apart / together:.2f}, over streams {apart / streams:.2f}; largest difference "
        f"{(px - px_apart).abs().max():.1e} px, {(pose - pose_apart).abs().max():.1e} in rotation "
        "matrices"
    )


if __name__ == "__main__":
    main()

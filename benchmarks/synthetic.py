"""All ways of fitting on held-out motion with detector-like errors, against exact truth.

python benchmarks/synthetic.py --poses POSES.npz [--methods regress,eft-warm] [--json FILE]

Sets, drawn with fixed seeds: `typical` (the errors measured on detector and landmark network),
`steady` (more of the detector's stays, and less changes: what the lifters up to ef96ead were
trained on), `occluded` (something in front of part of everybody), `truncated` (people larger than
the picture), and `typical` with witnesses left out: `keypoints` (the detector alone), `landmarks`
(without its keypoints), `no_places` and `no_metres` (without the network's points in the picture,
or its metres). Each clip is one person before a camera of known focal length. Figures are those of
`eftvideo eval` (docs/protocols.md) over the 12 limb joints: "2D true" to the true keypoints, "2D
seen" to the seen ones, px of a 224 px crop; accelerations in m/s^2; CPU time per person-frame of
fitting.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from methods import METHODS, CpuProgress, choose, figures, print_header, print_row, with_fit
from sequences import FPS, NUM_FRAMES, Sequences, draw_sequences
from stages import fit_people, result_of

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import RunConfig, ShapeConfig
from eftvideo.evaluate.score import Evaluation, evaluate
from eftvideo.evaluate.truth import Truth, make_truth
from eftvideo.geometry.camera import Camera
from eftvideo.regressors import Regressor
from eftvideo.regressors._load import load_regressor
from eftvideo.results.result import Result
from eftvideo.setup import Setup
from eftvideo.track import mend_left_right, soften_outliers
from eftvideo.train.synthetic.examples import ErrorConfig
from eftvideo.train.synthetic.observer import NoiseConfig
from eftvideo.train.synthetic.scenes import SceneConfig
from eftvideo.types import Detections, FrameDetections, Landmarks
from eftvideo.types.track import Tracks

STEADY = NoiseConfig(
    bias=(0.004, 0.007, 0.007, 0.008, 0.011, 0.008, 0.007),
    jitter=(0.002, 0.004, 0.005, 0.008, 0.005, 0.005, 0.006),
    jitter_new=0.0,
    jitter_time_s=0.15,
)
SETS: dict[str, dict[str, Any]] = {
    "typical": {},
    "keypoints": {},
    "landmarks": {},
    "no_places": {},
    "no_metres": {},
    "steady": {"noise": ErrorConfig(STEADY)},
    "occluded": {"noise": ErrorConfig(NoiseConfig(occluder=1.0))},
    "truncated": {"scene": SceneConfig(person_size=(1.3, 2.2))},
}


def without(data: Sequences, name: str) -> Sequences:
    """The sequences without the witness that the set `name` lacks."""
    if name == "keypoints":
        return replace(data, looks=None)
    if name == "landmarks":
        seen = replace(data.seen, keypoints=data.seen.keypoints * torch.tensor([1.0, 1.0, 0.0]))
        return replace(data, seen=seen)
    lost = {"no_places": slice(0, 4), "no_metres": slice(4, 7)}.get(name)
    if lost is None or data.looks is None:
        return data
    looks = data.looks.clone()
    looks[..., lost] = 0.0
    return replace(data, looks=looks)


def tracks_of(data: Sequences, i: int, setup: Setup) -> Tracks:
    """What the detector says of person i, with left and right mended as the program does."""
    frames = []
    for t in range(data.num_frames):
        landmarks = looks_of(data, i, t)
        seen = bool((data.seen.keypoints[i, t, :, 2] > 0.3).any()) or bool(landmarks.score[0])
        there = bool(data.seen.found[i, t]) and seen
        people = Detections(
            data.seen.xyxy[i, t : t + 1].numpy(),
            np.ones(1, np.float32),
            data.seen.keypoints[i, t : t + 1].numpy(),
            np.ones(1, np.int64),
            landmarks,
        )
        frames.append(
            FrameDetections(t, t / FPS, people if there else Detections.empty(), is_cut=False)
        )
    return mend_left_right(Tracks.gather(frames), setup)


def looks_of(data: Sequences, i: int, frames: int | slice) -> Landmarks:
    """What the landmark network says of person i in a frame, or in several."""
    if data.looks is None:
        return Landmarks.none(len(np.atleast_1d(np.arange(data.num_frames)[frames])))
    seen = data.looks[i, frames].reshape(-1, 33, 7).numpy()
    score = (np.abs(seen).max(axis=(1, 2)) > 0).astype(np.float32)
    return Landmarks(seen[..., :4], seen[..., 4:], score)


def camera_of(data: Sequences, i: int) -> Camera:
    """The camera of clip i."""
    return Camera(float(data.focal_length_px[i]), *(int(v) for v in data.image_size_px[i]))


def truth_of(data: Sequences, i: int) -> Truth:
    """Exact joints, and keypoints in the picture; frames in which nobody could be seen are out."""
    num = data.num_frames
    keypoints = np.concatenate([data.truth_px[i].numpy(), np.ones((num, 17, 1))], axis=2)
    return make_truth(
        frame=np.arange(num),
        track_id=np.ones(num),
        time_s=np.arange(num) / FPS,
        joints3d=data.joints[i].numpy(),
        keypoints2d=keypoints,
        focal_length_px=float(data.focal_length_px[i]),
    )


def run_one(
    data: Sequences, i: int, cfg: RunConfig, regressor: Regressor, body: BodyModel
) -> tuple[Evaluation, Result, float]:
    """Fit and score one clip."""
    setup, progress = Setup(cfg, regressor, body, camera_of(data, i)), CpuProgress()
    with progress.stage("fit", data.num_frames):
        fits = fit_people(soften_outliers(tracks_of(data, i, setup), setup), setup)
    result = result_of(fits, setup, data.names[i], Fraction(FPS), data.num_frames)
    scored = evaluate(result, truth_of(data, i), joints="limbs12", gate=2.0)
    return scored, result, progress.cpu_s["fit"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--methods", default="all", help="names separated by commas")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--weights", help="regressor weights; default: the shipped ones")
    parser.add_argument(
        "--against", action="append", default=[], help="other lifter weights, only asked; repeat"
    )
    parser.add_argument("--frames", type=int, default=NUM_FRAMES)
    parser.add_argument("--per-clip", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    ways = {
        name: replace(cfg, regressor_weights=args.weights)
        for name, cfg in choose(args.methods).items()
    }
    regressors = dict.fromkeys(ways, load_regressor(next(iter(ways.values())), "cpu", body))
    for path in args.against:
        other = with_fit(METHODS["regress"], shape=ShapeConfig(enabled=False))
        other = replace(other, regressor_weights=path)
        name = f"regress, {Path(path).stem}"
        regressors[name], ways[name] = load_regressor(other, "cpu", body), other
    out = {}
    for name in args.sets.split(","):
        data = draw_sequences(
            args.poses,
            body,
            num_frames=args.frames,
            per_clip=args.per_clip,
            seed=args.seed,
            **SETS[name],
        )
        data = without(data, name)
        print_header(f"{name}, {len(data.names)} clips")
        out[name] = {}
        for way, cfg in ways.items():
            scored = [run_one(data, i, cfg, regressors[way], body) for i in range(len(data.names))]
            out[name][way] = figures([s for s in scored if len(s[1])])
            print_row(way, out[name][way])
        print(f"truth's own jitter {out[name][way]['jitter_truth']:.2f} m/s^2\n", flush=True)
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The whole program, from pixels, on drawn people whose truth is known.

python benchmarks/rendered.py --poses POSES.npz --work FOLDER [--methods regress,eft-warm]

Held-out motion on bodies of the population, clothed and drawn over backgrounds (rendered_scene.py)
into short clips with a truth file beside each; they are made once and kept in FOLDER. Then
`run_video` sees the clips only: it finds the people, guesses the camera and fits. Figures are those
of `eftvideo eval` (docs/protocols.md) over the 12 limb joints, by everybody that was found; the
columns "found" and "false" say how many that are.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from methods import CpuProgress, choose, figures, print_header, print_row
from rendered_scene import Look, Painter, background, dress

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import ClipConfig, DrawConfig
from eftvideo.evaluate.bodies import Bodies
from eftvideo.evaluate.score import evaluate
from eftvideo.evaluate.truth import Truth, load_truth, make_truth, save_truth
from eftvideo.geometry.rotations import about_axis, matrix_to_axis_angle
from eftvideo.pipeline import run_video
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.types import SmplParams, VideoInfo
from eftvideo.video.reader import open_video
from eftvideo.video.writer import VideoWriter

STRIDE = 2
"""The library has 30 frames a second, the clips 15."""
FPS = 30 // STRIDE


@dataclass(frozen=True)
class Person:
    """One person of a clip."""

    motion: str
    """Name of a held-out clip of the library."""
    start: int
    """First frame in it."""
    heading_deg: float
    place_m: tuple[float, float]
    """Right of the middle and in front of the camera, at the middle of the clip."""


@dataclass(frozen=True)
class Clip:
    """What is drawn."""

    name: str
    people: tuple[Person, ...]
    fov_deg: float
    pitch_deg: float
    seed: int
    photo: bool = True
    """Whether the background is a blurred photograph."""
    raise_m: float = 0.0
    """How far above the middle of the picture people stand; large values cut off heads."""
    num_frames: int = 60
    size: tuple[int, int] = (960, 540)


CLIPS = (
    Clip("bend", (Person("02_06", 60, 25.0, (0.1, 3.6)),), 55.0, 8.0, 1),
    Clip("swords", (Person("02_07", 120, -50.0, (-0.3, 3.2)),), 65.0, 15.0, 2, photo=False),
    Clip("boxing", (Person("17_10#1", 40, 160.0, (0.0, 4.4)),), 45.0, 3.0, 3),
    Clip(
        "salsa",
        (
            Person("salsa/21#1", 60, 0.0, (-0.6, 3.8)),
            Person("salsa/21#2", 200, 60.0, (0.9, 4.6)),
        ),
        60.0,
        5.0,
        4,
    ),
    Clip("cut_off", (Person("131_02", 60, 90.0, (0.0, 2.0)),), 50.0, 5.0, 5, raise_m=-0.35),
)


def camera_of(clip: Clip) -> float:
    """Focal length, px."""
    return clip.size[0] / (2.0 * np.tan(np.radians(clip.fov_deg) / 2.0))


def pose_people(
    clip: Clip, library: MotionLibrary, body: BodyModel
) -> tuple[list[SmplParams], list[torch.Tensor]]:
    """Parameters and transl (T, 3) of each person over the clip, camera frame."""
    g = torch.Generator().manual_seed(clip.seed)
    tilt = about_axis(0, torch.deg2rad(torch.tensor(clip.pitch_deg)))
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    params, places = [], []
    for person in clip.people:
        index = library.clip_names.index(person.motion)
        motion = library.sequence(index, person.start, STRIDE * clip.num_frames)
        turns, pelvis = motion.rotations[0, ::STRIDE].clone(), motion.pelvis[0, ::STRIDE]
        view = tilt @ flip @ about_axis(1, torch.deg2rad(torch.tensor(person.heading_deg)))
        turns[:, 0] = view @ turns[:, 0]
        middle = (pelvis.amax(dim=0) + pelvis.amin(dim=0)) / 2.0
        center = torch.tensor([person.place_m[0], -clip.raise_m, person.place_m[1]])
        pelvis = (pelvis - middle) @ view.T + center
        betas = torch.randn(10, generator=g).expand(len(turns), 10)
        params.append(SmplParams(turns[:, 0], turns[:, 1:], betas))
        places.append(pelvis - body.rest_pelvis(betas))
    return params, places


def truth_of(
    clip: Clip, params: list[SmplParams], places: list[torch.Tensor], body: BodyModel
) -> Truth:
    """Everybody's rows, sorted by frame."""
    parts = []
    for i, (p, transl) in enumerate(zip(params, places, strict=True)):
        joints, keypoints = body.joints_and_keypoints(p)
        parts.append(
            {
                "frame": np.arange(len(p)),
                "track_id": np.full(len(p), i + 1),
                "joints3d": (joints + transl[:, None]).numpy(),
                "keypoints3d": (keypoints + transl[:, None]).numpy(),
                "global_orient": matrix_to_axis_angle(p.global_orient).numpy(),
                "body_pose": matrix_to_axis_angle(p.body_pose).flatten(1).numpy(),
                "betas": p.betas.numpy(),
                "transl": transl.numpy(),
            }
        )
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((rows["track_id"], rows["frame"]))
    return make_truth(
        **{name: value[order] for name, value in rows.items()},
        time_s=rows["frame"][order] / FPS,
        focal_length_px=camera_of(clip),
        body=body.name,
        source=f"{clip.name}.mp4",
    )


def draw_clip(
    clip: Clip, library: MotionLibrary, body: BodyModel, photo: np.ndarray, folder: Path
) -> None:
    """Write the truth, then the video: a video that is there has its truth."""
    params, places = pose_people(clip, library, body)
    save_truth(folder / f"{clip.name}_truth.npz", truth_of(clip, params, places, body))
    rng = np.random.default_rng(clip.seed)
    looks: list[Look] = [dress(body, p.betas[0], rng) for p in params]
    ground = background(photo if clip.photo else None, clip.size, clip.seed)
    vertices = [body.vertices(p, t).numpy() for p, t in zip(params, places, strict=True)]
    path = folder / f"{clip.name}.mp4"
    num, rate = clip.num_frames, Fraction(FPS)
    info = VideoInfo(path, *clip.size, rate, num, num / FPS, rotation_deg=0, has_audio=False)
    painter = Painter(clip.size, camera_of(clip), body.faces)
    with VideoWriter(path, info, render=DrawConfig(crf=16, preset="medium")) as video:
        for t in range(num):
            people = [(v[t], look) for v, look in zip(vertices, looks, strict=True)]
            video.write(painter.draw(ground, people, rng), t / FPS)
    painter.close()


def first_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8: the first frame of a clip."""
    with open_video(path, ClipConfig(end_s=0.2)) as clip:
        return next(iter(clip)).image


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for the clips")
    parser.add_argument("--methods", default="all", help="names separated by commas")
    parser.add_argument("--weights", help="regressor weights; default: the shipped ones")
    parser.add_argument("--known-camera", action="store_true", help="tell the program the camera")
    parser.add_argument("--by-clip", action="store_true", help="a line for each clip too")
    parser.add_argument("--photo", type=Path, default=root / "examples" / "sports2d_demo_short.mp4")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    args.work.mkdir(parents=True, exist_ok=True)
    body = load_body()
    library = MotionLibrary(args.poses, held_out=True)
    for clip in CLIPS:
        if not (args.work / f"{clip.name}.mp4").exists():
            draw_clip(clip, library, body, first_picture(args.photo), args.work)
    bodies, out = Bodies(body, {body.name: body}), {}
    print_header(f"{len(CLIPS)} clips")
    for way, cfg in choose(args.methods).items():
        scored = []
        for clip in CLIPS:
            focal = camera_of(clip) if args.known_camera else None
            told = replace(cfg, regressor_weights=args.weights, focal_length_px=focal)
            progress = CpuProgress()
            result = run_video(args.work / f"{clip.name}.mp4", args.work / way, told, progress)
            truth = load_truth(args.work / f"{clip.name}_truth.npz")
            score = evaluate(result, truth, "limbs12", bodies)
            scored.append((score, result, progress.cpu_s["fit"]))
            if args.by_clip:
                print_row(f"  {clip.name}", figures(scored[-1:]))
        out[way] = figures(scored)
        print_row(way, out[way])
    print(f"truth's own jitter {out[way]['jitter_truth']:.2f} m/s^2", flush=True)
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()

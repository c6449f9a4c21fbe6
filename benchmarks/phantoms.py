"""A clip with a hard shadow, a poster and a statue beside somebody who moves: who is found?

python benchmarks/phantoms.py --poses POSES.npz --work FOLDER [--landmarks off]

The person is drawn as in rendered.py and throws a hard shadow on the floor; on the wall hangs a
picture of a real person (a frame of the example clip), and a grey body that never moves stands on a
block. Whoever is found but the one person is a phantom. The clip, which is made once, its overlay
and its npz are in FOLDER, to be looked at.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from rendered import FPS, Clip, Person, camera_of, pose_people, truth_of
from rendered_scene import Look, Painter, background, dress

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import ClipConfig, DrawConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.evaluate.match import match_people
from eftvideo.evaluate.truth import Truth, load_truth, save_truth
from eftvideo.geometry.rotations import about_axis
from eftvideo.pipeline import run_video
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.types import VideoInfo
from eftvideo.video.reader import open_video
from eftvideo.video.writer import VideoWriter

CLIP = Clip(
    "phantoms", (Person("salsa/21#1", 60, 0.0, (0.4, 4.4)),), 60.0, 12.0, 4, False, num_frames=75
)
LIGHT = (-0.9, -0.8, 0.25)
"""Which way the sun's rays go, in a world of y up, x right and z to the viewer."""
SHADE = 0.35
"""What is left of the floor's brightness in the shadow."""
POSTER_S, POSTER_BOX = 3.0, (0.26, 0.47, 0.40, 0.97)
"""Frame of the example clip, and the part of it that hangs on the wall: shares of its sides."""
POSTER_PLACE = (120, 90, 120, 240)
"""x, y, width, height in the picture, px."""
STATUE_M = (-1.1, 5.4)
"""Right of the middle, and in front of the camera."""
STONE = 0.55
CRF = 28
"""As clips on the Internet are coded: most of the noise of the camera is gone, where nothing moves
two frames are the same."""


def on_floor(vertices: np.ndarray, floor_m: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(V, 3) where rays through the vertices meet the floor, camera frame."""
    ray = up_to_camera() @ np.array(LIGHT)
    height = (vertices - floor_m) @ up
    return vertices - ray * (height / (ray @ up))[:, None] + 0.002 * up


def up_to_camera() -> np.ndarray:
    """(3, 3) from the y-up world to the clip's camera."""
    tilt = about_axis(0, torch.deg2rad(torch.tensor(CLIP.pitch_deg)))
    return (tilt @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))).numpy().astype(float)


def scenery(example: Path, statue: tuple[np.ndarray, Look], painter: Painter) -> np.ndarray:
    """(H, W, 3) uint8: wall and floor, the poster, the statue on its block."""
    rng = np.random.default_rng(CLIP.seed)
    ground = background(None, CLIP.size, CLIP.seed)
    with open_video(example, ClipConfig(start_s=POSTER_S, end_s=POSTER_S + 0.2)) as clip:
        picture = next(iter(clip)).image
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (np.array(POSTER_BOX) * [width, height, width, height]).astype(int)
    x, y, w, h = POSTER_PLACE
    ground[y - 6 : y + h + 6, x - 6 : x + w + 6] = 235
    ground[y : y + h, x : x + w] = cv2.resize(picture[y0:y1, x0:x1], (w, h))
    vertices = statue[0]
    low = vertices[vertices[:, 1].argmax()]
    focal = camera_of(CLIP)
    foot = low[:2] / low[2] * focal + np.array(CLIP.size) / 2
    half = 0.5 / low[2] * focal
    block = (
        slice(int(foot[1]) - 8, int(foot[1]) + 60),
        slice(int(foot[0] - half), int(foot[0] + half)),
    )
    ground[block] = 120
    return painter.draw(ground, [statue], rng)


def draw(path: Path, poses: Path, example: Path, body: BodyModel) -> None:
    """Write the clip and the truth of the one who is there."""
    library = MotionLibrary(poses, held_out=True)
    params, places = pose_people(CLIP, library, body)
    rng = np.random.default_rng(CLIP.seed)
    look = dress(body, params[0].betas[0], rng)
    vertices = body.vertices(params[0], places[0]).numpy()
    stone = replace(look, colours=np.full_like(look.colours, STONE))
    stands = params[0].select(torch.tensor([40]))
    there = torch.tensor([[STATUE_M[0], 0.0, STATUE_M[1]]]) - body.rest_pelvis(stands.betas)
    painter = Painter(CLIP.size, camera_of(CLIP), body.faces)
    ground = scenery(example, (body.vertices(stands, there)[0].numpy(), stone), painter)
    up = up_to_camera() @ np.array([0.0, 1.0, 0.0])
    lowest = vertices.reshape(-1, 3)[(vertices.reshape(-1, 3) @ up).argmin()]
    black = Look(np.zeros_like(look.colours), np.zeros_like(look.offset_m))
    white = np.full((*CLIP.size[::-1], 3), 255, np.uint8)
    info = VideoInfo(path, *CLIP.size, Fraction(FPS), len(vertices), len(vertices) / FPS, 0, False)
    save_truth(path.with_name("truth.npz"), truth_of(CLIP, params, places, body))
    with VideoWriter(path, info, render=DrawConfig(crf=CRF, preset="medium")) as video:
        for t, points in enumerate(vertices):
            flat = on_floor(points, lowest, up)
            shadow = painter.draw(white, [(flat, black)], rng).mean(axis=2, keepdims=True) < 90
            shaded = np.where(shadow, ground * SHADE, ground).astype(np.uint8)
            video.write(painter.draw(shaded, [(points, look)], rng), t / FPS)
    painter.close()


def report(name: str, path: Path, cfg: RunConfig, truth: Truth) -> None:
    """Run, and say who was found."""
    result = run_video(path, path.parent / name, cfg)
    pairs = match_people(result, truth)
    mine = set(result.track_id[pairs.result].tolist())
    print(f"landmarks {name}: of {len(truth)} sightings {len(pairs.result)} found; tracks:")
    for track in result.track_ids:
        rows = result.track_id == track
        what = "the person" if track in mine else "PHANTOM"
        print(f"  {track}: {rows.sum()} frames, {what}")


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--landmarks", default="heavy,off", help="networks, separated by commas")
    parser.add_argument("--example", type=Path, default=root / "examples/sports2d_demo_short.mp4")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    path = args.work / f"{CLIP.name}.mp4"
    if not path.exists():
        draw(path, args.poses, args.example, load_body())
    truth = load_truth(path.with_name("truth.npz"))
    for name in args.landmarks.split(","):
        cfg = set_values(RunConfig(device="cpu"), [f"detect.landmarks.network={name}"])
        report(name, path, cfg, truth)


if __name__ == "__main__":
    main()

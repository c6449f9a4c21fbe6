"""All ways of fitting, drawn side by side on the same frames.

python benchmarks/side_by_side.py --out PICTURE.jpg CLIP@SECONDS[#TRACK] [CLIP@SECONDS ...]

Each clip is read for a second before and after the moment; everybody is detected once, and each way
sees the same keypoints. Two rows are a moment: as the camera sees it, and the same bodies turned by
90 degrees. The person is the largest one unless a track is named. Where a fit was rejected the
regressor's answer is drawn, as the program does.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from methods import METHODS, choose
from stages import find_people, fit_people

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import ClipConfig, RunConfig
from eftvideo.draw.people import DrawnPeople, drawn_by_run, make_layers
from eftvideo.files import write_whole
from eftvideo.results.result import Result
from eftvideo.setup import Setup
from eftvideo.types import VideoFrame
from eftvideo.video.images import jpeg_bytes, resize, write_words
from eftvideo.video.reader import VideoReader, open_video

AROUND_S = 1.0
HEIGHT_PX = 300
MARGIN = 0.25
WAYS = (
    "regress,eft-cold,eft-warm,eft-warm-smooth,smplify-from-regressor,smplify-best,smplify,"
    "smplify-no-prior"
)


def results(clip: VideoReader, cfg: RunConfig, ways: dict[str, RunConfig]) -> dict[str, Result]:
    """What each way says of the frames that were chosen."""
    setup, out = Setup.load(cfg, clip.info), {}
    tracks = find_people(clip, setup)
    for name, way in ways.items():
        mine = replace(setup, cfg=way)
        header = mine.header(clip.info, clip.failures)
        out[name] = Result.of(fit_people(tracks, mine), header, {})
    return out


def box_of(result: Result, frame: int, track_id: int | None) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the picture's part around a person, upright 3 : 4."""
    rows = np.flatnonzero(result.frame == frame)
    if track_id is not None:
        rows = rows[result.track_id[rows] == track_id]
    if not len(rows):
        raise SystemExit(f"nobody there in frame {frame}: choose another moment or track")
    x0, y0, x1, y1 = result.bbox_xyxy[rows].T
    left, top, right, bottom = result.bbox_xyxy[rows[np.argmax((x1 - x0) * (y1 - y0))]]
    half = (0.5 + MARGIN / 2) * max(bottom - top, 4 / 3 * (right - left))
    x, y = (left + right) / 2, (top + bottom) / 2
    return int(x - 0.75 * half), int(y - half), int(x + 0.75 * half), int(y + half)


def part(image: np.ndarray, box: tuple[int, int, int, int], name: str) -> np.ndarray:
    """The part of a picture, white outside of it, at the height of a row, with words on it."""
    left, top, right, bottom = box
    out = np.full((bottom - top, right - left, 3), 255, np.uint8)
    y0, y1 = max(top, 0), min(bottom, image.shape[0])
    x0, x1 = max(left, 0), min(right, image.shape[1])
    out[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    out = resize(out, round(HEIGHT_PX * 0.75), HEIGHT_PX)
    write_words(out, name, (4, 14), (255, 255, 255))
    return out


def drawn(
    frame: VideoFrame, result: Result, body: BodyModel, cfg: RunConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The frame with everybody's mesh; and everybody turned by 90 degrees, on white."""
    people = DrawnPeople(result, body).of_frame(frame.index)
    turned = []
    for person, pelvis in zip(people, result.joints3d[:, 0], strict=True):
        x, y, z = (person.vertices_cam - pelvis).T
        turned.append(replace(person, vertices_cam=np.stack([-z, y, x], axis=1) + pelvis))
    images = [frame.image, np.full_like(frame.image, 255)]
    size = (result.width_px, result.height_px)
    for layer in make_layers(drawn_by_run(cfg.draw), body, size, cfg.draw.opacity):
        with layer:
            images = [layer.draw(i, p) for i, p in zip(images, (people, turned), strict=True)]
    return images[0], images[1]


def row_of(spec: str, ways: dict[str, RunConfig]) -> np.ndarray:
    """The pictures of one moment beside each other; below them the same bodies from the side."""
    path, _, rest = spec.rpartition("@")
    moment, _, track = rest.partition("#")
    time_s = float(moment)
    start = max(0.0, time_s - AROUND_S)
    cfg = replace(METHODS["eft-warm"], clip=ClipConfig(start_s=start, end_s=time_s + AROUND_S))
    with open_video(Path(path), cfg.clip) as clip:
        found = results(clip, cfg, ways)
        frame = next(f for f in clip if f.time_s >= time_s - 1e-6)
    body = load_body()
    first = next(iter(found.values()))
    box = box_of(first, frame.index, int(track) if track else None)
    tiles = [part(frame.image, box, "")]
    sides = [np.full_like(tiles[0], 255)]
    for name, result in found.items():
        here = result.select(result.frame == frame.index)
        if track:
            here = here.select(here.track_id == int(track))
        seen, side = drawn(frame, here, body, cfg)
        tiles.append(part(seen, box, name))
        sides.append(part(side, box, ""))
    return np.concatenate([np.concatenate(row, axis=1) for row in (tiles, sides)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("moments", nargs="+", metavar="CLIP@SECONDS[#TRACK]")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", default=WAYS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    ways = choose(args.methods)
    picture = np.concatenate([row_of(spec, ways) for spec in args.moments])
    write_whole(args.out, jpeg_bytes(picture))


if __name__ == "__main__":
    main()

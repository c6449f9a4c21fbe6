"""What the corrections are tried on: people with truth, drawn people, four cameras, real clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ablation_beam import athlete_rows, beam_truth
from ablation_figures import Figures, against_truth, before_cameras, of_clip
from ablation_path import detect
from ablation_raw import Raw, load_raw, save_raw
from ablation_switches import DETECT, SWITCHES, Settings
from rendered import CLIPS, draw_clip, first_picture
from rendered import FPS as DRAWN_FPS
from sequences import FPS, NUM_FRAMES, Sequences, draw_sequences
from synthetic import looks_of, truth_of

from eftvideo.bodies import load_body
from eftvideo.evaluate.bodies import Bodies
from eftvideo.evaluate.score import evaluate
from eftvideo.evaluate.truth import load_truth
from eftvideo.results.result import Result
from eftvideo.train.synthetic.motions import MotionLibrary

EVERY = 2
"""Every second held-out sequence of `synthetic.py`: ten of them."""
BEAM = ("beam_cam01", "beam_cam02", "beam_cam03", "beam_cam04")
REAL = {"bikes": None, "sports2d_demo": None, "tennis": 6.0}
"""Clips without truth, and where they end, seconds."""
QUICK = {"synthetic": 3, "drawn": 2, "beam": 1, "real": 1}
"""Cases of each kind that `--quick` takes."""


@dataclass(frozen=True)
class Case:
    """One clip."""

    data: str
    """One of `CANNOT`."""
    name: str
    raw: Callable[[Settings], Raw]
    """What was detected, with the `detect` switches as they are set."""
    score: Callable[[Result], Figures]


def make_cases(data: str, poses: Path, clips: Path, work: Path, num: int | None) -> Iterator[Case]:
    """The first `num` cases of a kind (None: all), made one after the other."""
    if data == "synthetic":
        return _synthetic(poses, num)
    if data == "drawn":
        return _drawn(poses, work, num)
    if data == "beam":
        return _beam(clips, work, num)
    return _real(clips, work, num)


def _synthetic(poses: Path, num: int | None) -> Iterator[Case]:
    data = draw_sequences(poses, load_body(), num_frames=NUM_FRAMES, per_clip=1)
    for i in range(0, len(data.names), EVERY)[:num]:

        def score(result: Result, i: int = i) -> Figures:
            truth = truth_of(data, i)
            return against_truth(lambda r: evaluate(r, truth, "limbs12", gate=2.0), result)

        yield Case("synthetic", data.names[i], lambda s, i=i: _observed(data, i, s), score)


def _observed(data: Sequences, i: int, settings: Settings) -> Raw:
    """Person i as a detector, a tracker and the landmark network would tell it: one track."""
    keypoints, xyxy = data.seen.keypoints[i].numpy(), data.seen.xyxy[i].numpy()
    asked = settings[DETECT[3]]
    looks = looks_of(data if asked else replace(data, looks=None), i, slice(None))
    seen_at_all = (keypoints[..., 2] > 0.3).any(1) | (looks.score > 0)
    there = data.seen.found[i].numpy() & seen_at_all
    width, height = (int(v) for v in data.image_size_px[i])
    num, seen = data.num_frames, int(there.sum())
    return Raw(
        width,
        height,
        float(FPS),
        num,
        float(data.focal_length_px[i]),
        frame=np.arange(num),
        time_s=np.arange(num) / FPS,
        is_cut=np.zeros(num, bool),
        num_people=there.astype(np.int64),
        xyxy=xyxy[there],
        score=np.ones(seen, np.float32),
        keypoints=keypoints[there],
        track_id=np.ones(seen, np.int64),
        points2d=looks.points2d[there],
        points3d=looks.points3d[there],
        landmark_score=looks.score[there],
        person=looks.person[there],
    )


def _drawn(poses: Path, work: Path, num: int | None) -> Iterator[Case]:
    folder = work / "drawn"
    folder.mkdir(exist_ok=True)
    body = load_body()
    bodies = Bodies(body, {body.name: body})
    photo = Path(__file__).resolve().parents[1] / "examples" / "sports2d_demo_short.mp4"
    for clip in CLIPS[:num]:
        path = folder / f"{clip.name}.mp4"
        if not path.exists():
            library = MotionLibrary(poses, held_out=True)
            draw_clip(clip, library, body, first_picture(photo), folder)
        truth = load_truth(folder / f"{clip.name}_truth.npz")

        def score(result: Result, truth=truth) -> Figures:  # noqa: ANN001
            return against_truth(lambda r: evaluate(r, truth, "limbs12", bodies), result)

        raw = _kept(path, f"drawn_{clip.name}", None, work)
        assert raw(dict.fromkeys(SWITCHES, True)).fps == DRAWN_FPS
        yield Case("drawn", clip.name, raw, score)


def _beam(clips: Path, work: Path, num: int | None) -> Iterator[Case]:
    raws = [_kept(clips / f"{name}.mp4", name, None, work) for name in BEAM]
    every = [raw(dict.fromkeys(SWITCHES, True)) for raw in raws]
    paths = [clips / f"{name}.mp4" for name in BEAM]
    truth, frames = beam_truth(clips / "beam_calibration.qca.txt", paths, every, work)
    for v, name in list(enumerate(BEAM))[:num]:
        focal = float(truth.views[v].focal_px.mean())

        def raw(settings: Settings, v: int = v, focal: float = focal) -> Raw:
            return replace(raws[v](settings), focal_length_px=focal)

        def score(result: Result, v: int = v) -> Figures:
            rows = athlete_rows(result, truth, v, frames)
            return before_cameras(v, result.select(rows), truth, frames)

        yield Case("beam", name, raw, score)


def _real(clips: Path, work: Path, num: int | None) -> Iterator[Case]:
    for name, end_s in list(REAL.items())[:num]:
        yield Case("real", name, _kept(clips / f"{name}.mp4", name, end_s, work), of_clip)


def _kept(clip: Path, name: str, end_s: float | None, work: Path) -> Callable[[Settings], Raw]:
    """Detections as the two `detect` switches say, each made once and kept in `work`."""

    def raw(settings: Settings) -> Raw:
        off = [name.split(".")[1] for name in DETECT if not settings[name]]
        path = work / f"raw_{name}_{'_'.join(['no', *off]) if off else 'whole'}.npz"
        if not path.exists():
            print(f"detecting {path.stem}", flush=True)
            save_raw(path, detect(clip, end_s, settings))
        return load_raw(path)

    return raw

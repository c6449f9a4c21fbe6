"""The main path with each correction as a switch: the only file that knows how the package has it.

detect(clip, end_s, settings) -> Raw
run_path(raw, settings, memo) -> Result, and how often each correction acted
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from ablation_raw import Raw
from ablation_switches import DETECT, Settings

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import DrawConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.detect.people import detect_people
from eftvideo.fit import fit_tracks
from eftvideo.fit.records import posed
from eftvideo.geometry.camera import Camera
from eftvideo.progress import Progress
from eftvideo.refine import fill_gaps, smooth_tracks
from eftvideo.regressors import Regressor
from eftvideo.regressors._load import load_regressor
from eftvideo.results.result import Result
from eftvideo.setup import Setup
from eftvideo.track import drop_unseen, mend_left_right, soften_outliers
from eftvideo.track.link import drop_unlikely, join_pieces, merge_duplicates, renumber
from eftvideo.track.still import drop_still
from eftvideo.types import REJECTED, Detections, FrameDetections, Landmarks
from eftvideo.types.track import Tracks
from eftvideo.types.track_fit import Fits
from eftvideo.video.reader import open_video

Acted = dict[str, int]

CFG = RunConfig(draw=DrawConfig(enabled=False), device="cpu")
TRACK_STEPS: dict[str, Callable[[Tracks, Setup], Tracks]] = {
    "track.merge.enabled": merge_duplicates,
    "track.join.enabled": join_pieces,
    "track.unlikely.enabled": lambda tracks, setup: drop_still(drop_unlikely(tracks, setup), setup),
    "": lambda tracks, _: renumber(tracks),
    "track.left_right.enabled": mend_left_right,
    "track.outliers.enabled": soften_outliers,
    "track.unseen.enabled": drop_unseen,
}
_LOADED: list[tuple[BodyModel, Regressor]] = []


def config(settings: Settings) -> RunConfig:
    """The program's configuration with some corrections off."""
    given = {name: str(on) for name, on in settings.items()}
    if not settings.get(DETECT[3], True):
        given[DETECT[3]] = "off"
    else:
        given.pop(DETECT[3], None)
    return set_values(CFG, [f"{name}={value}" for name, value in given.items()])


def detect(clip: Path, end_s: float | None, settings: Settings) -> Raw:
    """Detected and tracked people, with nothing done to the tracks."""
    cfg = config(settings)
    cfg = replace(cfg, clip=replace(cfg.clip, end_s=end_s))
    with open_video(clip, cfg.clip) as video:
        info = video.info
        frames = detect_people(video, Setup.load(cfg, info), Progress())
    people = [f.people for f in frames]
    return Raw(
        info.width_px,
        info.height_px,
        float(info.fps),
        info.num_frames,
        math.nan,
        np.array([f.frame_index for f in frames]),
        np.array([f.time_s for f in frames]),
        np.array([f.is_cut for f in frames]),
        np.array([len(p) for p in people]),
        np.concatenate([p.xyxy for p in people]),
        np.concatenate([p.confidence for p in people]),
        np.concatenate([p.keypoints for p in people]),
        np.concatenate([p.track_id for p in people]),
        *vars(Landmarks.cat([p.landmarks for p in people])).values(),
    )


def run_path(raw: Raw, settings: Settings, memo: dict[str, Any]) -> tuple[Result, Acted]:
    """All that comes after detection.

    Args:
        raw: of the detection that the `detect` switches say.
        memo: kept between runs of one case: what was fitted before is not fitted again.

    Returns:
        The result, and for each correction that was on how often it acted (`ACTED` says in what).
    """
    setup = setup_of(raw, settings)
    tracks, acted = clean(to_frames(raw), setup, settings)
    fitted = {k: v for k, v in settings.items() if k.startswith("fit.")}
    key = _digest(tracks, setup.camera, fitted)
    if key not in memo:
        fits = fit_tracks(tracks, setup)
        rejected = sum(int((p.bodies.status == REJECTED).sum()) for p in fits.people)
        memo[key] = fits, {"fit.shape.enabled": len(tracks), "fit.accept.enabled": rejected}
    fits, more = memo[key]
    fits, finished = refine(fits, setup)
    view = setup.camera
    header = {"source": "", "width_px": view.width_px, "height_px": view.height_px, "config": {}}
    header |= {"fps": Fraction(raw.fps).limit_denominator(100_000), "num_frames": raw.num_frames}
    result = Result.of(fits, header | {"body_model": setup.body.name}, {})
    return result, acted | {k: v for k, v in more.items() if settings[k]} | finished


def setup_of(raw: Raw, settings: Mapping[str, bool]) -> Setup:
    """What a run works with; body and regressor are loaded once, the camera guessed if unknown."""
    if not _LOADED:
        body = load_body(CFG.body, "cpu")
        _LOADED.append((body, load_regressor(CFG, "cpu", body)))
    body, regressor = _LOADED[0]
    size = raw.width_px, raw.height_px
    known = math.isfinite(raw.focal_length_px)
    view = Camera(raw.focal_length_px if known else math.hypot(*size), *size)
    return Setup(config(settings), regressor, body, view)


def to_frames(raw: Raw) -> list[FrameDetections]:
    """As the package has them."""
    ends = np.cumsum(raw.num_people)
    frames = []
    for t, end in enumerate(ends):
        rows = slice(int(end - raw.num_people[t]), int(end))
        landmarks = Landmarks(
            raw.points2d[rows], raw.points3d[rows], raw.landmark_score[rows], raw.person[rows]
        )
        people = Detections(
            raw.xyxy[rows], raw.score[rows], raw.keypoints[rows], raw.track_id[rows], landmarks
        )
        at, time_s, is_cut = int(raw.frame[t]), float(raw.time_s[t]), bool(raw.is_cut[t])
        frames.append(FrameDetections(at, time_s, people, is_cut))
    return frames


def clean(
    frames: Sequence[FrameDetections], setup: Setup, settings: Settings
) -> tuple[Tracks, Acted]:
    """The steps on tracks. Tracks are always numbered."""
    tracks = Tracks.gather(frames)
    acted: Acted = {}
    for name, step in TRACK_STEPS.items():
        before, tracks = tracks, step(tracks, setup)
        if settings.get(name):
            acted[name] = _difference(name, before, tracks)
    return tracks, acted


def _difference(name: str, before: Tracks, after: Tracks) -> int:
    """Tracks fewer for joining, keypoints or sightings changed or fewer for the others."""
    if name == "track.join.enabled":
        return len(before) - len(after)
    if name not in ("track.left_right.enabled", "track.outliers.enabled"):
        return sum(map(len, before.people)) - sum(map(len, after.people))
    pairs = zip(before.people, after.people, strict=True)
    if name == "track.outliers.enabled":
        return int(sum((a.keypoints[..., 2] != b.keypoints[..., 2]).sum() for a, b in pairs))
    return int(sum((a.keypoints != b.keypoints).any((1, 2)).sum() for a, b in pairs))


def refine(fits: Fits, setup: Setup) -> tuple[Fits, Acted]:
    """What comes after the fit."""
    cfg, acted = setup.cfg.refine, Acted()
    num = sum(map(len, fits.people))
    fits = fill_gaps(fits, setup)
    if cfg.gaps.enabled:
        acted["refine.gaps.enabled"] = sum(map(len, fits.people)) - num
    fits = smooth_tracks(fits, setup)
    if cfg.smooth.enabled:
        acted["refine.smooth.enabled"] = sum(map(len, fits.people))
    return posed(fits, setup), acted


def _digest(tracks: Tracks, view: Camera, settings: Settings) -> str:
    digest = hashlib.sha256(repr((view, sorted(settings.items()))).encode())
    for values in (vars(tracks.timeline), *(vars(t.seen) for t in tracks.people)):
        for value in values.values():
            digest.update(np.ascontiguousarray(value).tobytes())
    for track in tracks.people:
        digest.update(track.at.tobytes())
    return digest.hexdigest()

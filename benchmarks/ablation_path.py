"""The main path with each correction as a switch: the only file that knows how the package has it.

Where the package has no switch, a call is left out or one of its functions is stood in for; every
such place says so ("stands in" or "left out"). All that the benchmark needs:

    detect(clip, end_s, settings) -> Raw
    run_path(raw, settings, memo) -> Result, and how often each correction acted
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from ablation_raw import Raw
from ablation_switches import Settings

from eftvideo import doubt, eft_engine, pipeline, streams
from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import ClipConfig, RenderConfig, RunConfig
from eftvideo.fitting import Camera, fit_people
from eftvideo.gaps import fill_gaps
from eftvideo.networks import load_regressor
from eftvideo.outliers import soften_outliers
from eftvideo.polish import smooth_rows, stretches
from eftvideo.progress import Progress
from eftvideo.regressors import Regressor
from eftvideo.results import Result
from eftvideo.rows import Rows, refresh
from eftvideo.settle import settle_rows
from eftvideo.swaps import mend_swaps
from eftvideo.tracks import drop_unlikely, drop_unseen, join_pieces, merge_duplicates, renumber
from eftvideo.tuning import settled
from eftvideo.types import FILLED, REJECTED, Detections, FrameDetections

Frames = Sequence[FrameDetections]
Acted = dict[str, int]

CFG = RunConfig(render=RenderConfig(enabled=False), device="cpu")


class _NoSearch:
    """Stands in for `lost.Search`: nobody is searched for."""

    def __init__(self, *_: Any) -> None:
        pass

    def forget(self) -> None:
        pass

    def remember(self, *_: Any) -> None:
        pass

    def with_lost(self, image: np.ndarray, people: Detections, time_s: float) -> Detections:
        return people


class _NoLook:
    """Stands in for `second_look.SecondLook`: keypoints stay as they were first seen."""

    def __init__(self, *_: Any) -> None:
        pass

    def again(self, images: Any, people: Sequence[Detections]) -> Sequence[Detections]:
        return people


def detect(clip: Path, end_s: float | None, settings: Settings) -> Raw:
    """Detected and tracked people, with nothing done to the tracks.

    Today's `detect_people` also cleans tracks: its four functions are stood in for by none.
    `second_look="off"` would turn off the search too, therefore both classes are stood in for.
    """
    with ExitStack() as stack:

        def stand_in(name: str, value: object) -> None:
            stack.enter_context(mock.patch.object(pipeline, name, value))

        stand_in("clean_tracks", lambda frames, _: frames)
        for name in ("mend_swaps", "soften_outliers", "drop_unseen"):
            stand_in(name, lambda frames: frames)
        if not settings["detect.recover.enabled"]:
            stand_in("Search", _NoSearch)
        if not settings["detect.second_look.enabled"]:
            stand_in("SecondLook", _NoLook)
        video = stack.enter_context(pipeline.open_video(clip, ClipConfig(end_s=end_s)))
        frames = pipeline.detect_people(video, CFG, "cpu", Progress())
        info = video.info
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
    )


def run_path(raw: Raw, settings: Settings, memo: dict[str, Any]) -> tuple[Result, Acted]:
    """All that comes after detection.

    Args:
        raw: of the detection that the `detect` switches say.
        memo: kept between runs of one case: what was fitted before is not fitted again.

    Returns:
        The result, and for each correction that was on how often it acted (`ACTED` says in what).
    """
    frames, acted = clean(to_frames(raw), settings)
    view = camera_of(raw)
    fitted = {k: v for k, v in settings.items() if k.startswith("fit.")}
    key = _digest(frames, view, fitted)
    if key not in memo:
        memo[key] = fit(frames, view, settings)
    rows, more = memo[key]
    rows, finished = refine(rows, frames, view, settings)
    header = {"source": "", "width_px": view.width_px, "height_px": view.height_px, "config": {}}
    fps = Fraction(raw.fps).limit_denominator(100_000)
    body = program()[0].name
    result = Result(**rows, **header, fps=fps, num_frames=raw.num_frames, body_model=body)
    return result, acted | more | finished


def program() -> tuple[BodyModel, Regressor, RunConfig]:
    """Body, regressor and configuration, loaded once, as `run_video` puts them together."""
    if not _LOADED:
        body = load_body(CFG.body, "cpu")
        regressor = load_regressor(CFG, "cpu", body)
        cfg = replace(CFG, crop=regressor.crop, eft=settled(CFG.eft, regressor))
        _LOADED.append((body, regressor, cfg))
    return _LOADED[0]


_LOADED: list[tuple[BodyModel, Regressor, RunConfig]] = []


def camera_of(raw: Raw) -> Camera:
    """The camera that is known, or the usual guess."""
    size = raw.width_px, raw.height_px
    known = math.isfinite(raw.focal_length_px)
    return Camera(raw.focal_length_px if known else math.hypot(*size), *size)


def to_frames(raw: Raw) -> list[FrameDetections]:
    """As the package has them."""
    ends = np.cumsum(raw.num_people)
    frames = []
    for t, end in enumerate(ends):
        rows = slice(int(end - raw.num_people[t]), int(end))
        people = Detections(
            raw.xyxy[rows], raw.score[rows], raw.keypoints[rows], raw.track_id[rows]
        )
        at, time_s, is_cut = int(raw.frame[t]), float(raw.time_s[t]), bool(raw.is_cut[t])
        frames.append(FrameDetections(at, time_s, people, is_cut))
    return frames


def clean(frames: Frames, settings: Settings) -> tuple[Frames, Acted]:
    """The steps on tracks: a call is left out where one is off. Tracks are always numbered."""
    cfg = CFG.detect
    steps: dict[str, Any] = {
        "track.merge.enabled": merge_duplicates,
        "track.join.enabled": lambda frames: join_pieces(frames, cfg.max_gap_s),
        "track.unlikely.enabled": lambda frames: drop_unlikely(frames, cfg),
        "": renumber,
        "track.left_right.enabled": mend_swaps,
        "track.outliers.enabled": soften_outliers,
        "track.unseen.enabled": drop_unseen,
    }
    acted: Acted = {}
    for name, step in steps.items():
        if settings.get(name, True):
            before, frames = frames, step(frames)
            acted[name] = _difference(name, before, frames)
    del acted[""]
    return frames, acted


def _difference(name: str, before: Frames, after: Frames) -> int:
    """Tracks fewer for joining, keypoints or sightings changed or fewer for the others."""
    if name == "track.join.enabled":
        return len(_ids(before)) - len(_ids(after))
    num = [sum(len(f.people) for f in frames) for frames in (before, after)]
    if name not in ("track.left_right.enabled", "track.outliers.enabled"):
        return num[0] - num[1]
    part = slice(2, 3) if name == "track.outliers.enabled" else slice(0, 2)
    pairs = zip(before, after, strict=True)
    moved = [
        (a.people.keypoints[..., part] != b.people.keypoints[..., part]).any(-1) for a, b in pairs
    ]
    each = part == slice(2, 3)
    return int(sum(m.sum() if each else m.any(-1).sum() for m in moved))


def _ids(frames: Frames) -> set[int]:
    return {i for f in frames for i in f.people.track_id.tolist()}


def fit(frames: Frames, view: Camera, settings: Settings) -> tuple[Rows, Acted]:
    """Everybody fitted, nothing smoothed."""
    body, regressor, cfg = program()
    if not settings["fit.shape.enabled"]:
        cfg = replace(cfg, shape="per-frame")
    with _context(settings["fit.context.enabled"]) as hidden, ExitStack() as stack:
        if not settings["fit.accept.enabled"]:
            stack.enter_context(mock.patch.object(eft_engine, "acceptable", _all_with_joints))
        rows = fit_people(frames, regressor, body, view, cfg, "cpu", Progress())
    acted = {
        "fit.context.enabled": sum(hidden),
        "fit.shape.enabled": len(_ids(frames)),
        "fit.accept.enabled": int((rows["status"] == REJECTED).sum()),
    }
    return rows, {k: v for k, v in acted.items() if settings[k]}


@contextmanager
def _context(enabled: bool) -> Iterator[list[int]]:
    """`doubt.own_answers` is stood in for, to count whose context it hides, or to leave that out.

    Run-ins are counted too.
    """
    hidden: list[int] = []

    def answers(regressor, body, crops, cfg, tune=None):  # noqa: ANN001, ANN202
        if not enabled:
            return crops, *doubt._asked(regressor, body, crops, cfg, tune)
        out = doubt.own_answers(regressor, body, crops, cfg, tune)
        if crops.context is not None:
            changed = (out[0].context != crops.context).flatten(1).any(1)
            hidden.append(int(changed.sum()))
        return out

    with mock.patch.object(streams, "own_answers", answers):
        yield hidden


def _all_with_joints(tuned, own, loss_px, enough, crops, cfg) -> torch.Tensor:  # noqa: ANN001
    """Stands in for `acceptable`: only people of whom too little is seen to fit are left."""
    return enough


def refine(rows: Rows, frames: Frames, view: Camera, settings: Settings) -> tuple[Rows, Acted]:
    """What `polish_rows` does, with a switch for each of its three steps."""
    body, _, cfg = program()
    size, told = (view.width_px, view.height_px), (cfg.eft, "cpu")
    acted: Acted = {}
    new = rows
    if settings["refine.gaps.enabled"]:
        new = fill_gaps(new, frames, cfg.smooth.max_gap_s)
        acted["refine.gaps.enabled"] = len(new["frame"]) - len(rows["frame"])
    if settings["refine.smooth.enabled"]:
        new = smooth_rows(new, frames, cfg.smooth)
        acted["refine.smooth.enabled"] = len(new["frame"])
    if settings["refine.realign.enabled"]:
        posed = refresh(new, body, size, *told)
        new = settle_rows(posed, stretches(posed, frames), size, cfg.eft)
        moved = (new["transl"] != posed["transl"]).any(1)
        acted["refine.realign.enabled"] = int(moved.sum())
    if new is not rows:
        new = refresh(new, body, size, *told)
        new = new | {"loss_px": np.where(new["status"] == FILLED, 0.0, new["loss_px"])}
    return new, acted


def _digest(frames: Frames, view: Camera, settings: Settings) -> str:
    digest = hashlib.sha256(repr((view, sorted(settings.items()))).encode())
    for f in frames:
        digest.update(repr((f.frame_index, f.time_s, f.is_cut)).encode())
        for value in vars(f.people).values():
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()

"""The four-camera benchmark from the calibration to the table; see benchmarks/multiview.py."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from methods import EFT_CLOSE, NOT_SMOOTHED, SHIPPED, SMPLIFY_BEST, with_fit
from stages import fit_people

from eftvideo.config import ClipConfig, RunConfig, SmplifyConfig
from eftvideo.errors import ConfigError
from eftvideo.results.result import Result
from eftvideo.results.result_file import load_result, save_result
from eftvideo.setup import Setup
from eftvideo.types.track import Tracks
from eftvideo.video.reader import open_video
from multiview.calibration import read_qca, save_views
from multiview.draw import Layer, draw_layers, images_at, save_row
from multiview.geometry import View
from multiview.keep import keep_second
from multiview.looks import look_with, looks_of
from multiview.observe import choose_athlete, collect_sightings, plain_tracks, weight_of
from multiview.score import in_true_camera, mean_row
from multiview.second_truth import SecondTruth, find_second, guide_of, refine_on_both
from multiview.spread import spreads
from multiview.tables import print_spread, print_table, print_truth, print_wrong, tabulate
from multiview.truth import Truth, find_truth, refine_cameras

METHODS: dict[str, RunConfig] = {
    "regressor": with_fit(SHIPPED, method="regress"),
    "EFT cold": with_fit(SHIPPED, warm_start=False),
    "EFT warm": SHIPPED,
    "EFT warm, not smoothed": replace(SHIPPED, refine=NOT_SMOOTHED),
    "SMPLify": with_fit(SHIPPED, method="smplify", smplify=SmplifyConfig(init="mean")),
    "SMPLify without prior": with_fit(
        SHIPPED, method="smplify", smplify=SmplifyConfig(init="mean", prior=False)
    ),
    "SMPLify from regressor": with_fit(SHIPPED, method="smplify"),
    "EFT warm, close": with_fit(SHIPPED, eft=EFT_CLOSE),
    "SMPLify, best constants": with_fit(SHIPPED, method="smplify", smplify=SMPLIFY_BEST),
}
"""All smoothed, but for one; one line adds a method."""

DRAWN_METHOD = "EFT warm"
COLOURS = {
    "first": (255, 255, 255),
    "second": (255, 220, 0),
    "detector": (60, 230, 60),
    "fit": (255, 40, 200),
}

log = logging.getLogger("multiview")


def fit_view(
    clip: Path, tracks: Tracks, athlete: int, cfg: RunConfig, folder: Path, fresh: bool
) -> Result:
    """The athlete's bodies, by people who were found before; kept in `folder`.

    Every method sees the same detections, made once.
    """
    path = folder / f"{clip.stem}.npz"
    with open_video(clip, cfg.clip) as video:
        setup = Setup.load(cfg, video.info)
        if path.is_file() and not fresh:
            kept = load_result(path)
            settings = setup.cfg.to_dict()
            if {k: kept.config.get(k) for k in settings} == settings:
                return kept
        alone = tracks.of(t for t in tracks.people if t.track_id == athlete)
        header = setup.header(video.info, video.failures)
        result = Result.of(fit_people(alone, setup, video), header, {})
    save_result(path, result)
    return result


def draw(
    clips: Sequence[Path],
    truths: dict[str, Truth],
    frames: np.ndarray,
    by_method: dict[str, list[Result]],
    work: Path,
) -> None:
    """Five moments: the triangulations, the detector, each view's own fit, in `COLOURS`."""
    results = by_method.get(DRAWN_METHOD) or next(iter(by_method.values()))
    moments = frames[np.linspace(0, len(frames) - 1, 5).round().astype(int)].tolist()
    images = [images_at(clip, moments) for clip in clips]
    for moment in moments:
        t = int(np.flatnonzero(frames == moment)[0])
        pictures = []
        for v in range(len(clips)):
            layers: list[Layer] = []
            for name, truth in truths.items():
                view = truth.views[v]
                true = np.where(truth.good[t, :, None], view.project(truth.points[t]), np.nan)
                layers.append((COLOURS[name], true))
            view = truths["first"].views[v]
            for n in np.flatnonzero(results[v].frame == moment):
                seen = results[v].keypoints2d[n]
                own = view.project(view.to_world(in_true_camera(view, results[v])[n]))
                believed = np.where(weight_of(seen)[:, None] > 0, seen[:, :2], np.nan)
                layers = [(COLOURS["detector"], believed), (COLOURS["fit"], own), *layers]
            pictures.append(draw_layers(images[v][moment], layers))
        save_row(work / f"frame_{moment:04d}.png", pictures)


def fit_all(
    plain: Sequence[Tracks],
    ids: Sequence[int],
    views: Sequence[View],
    args: argparse.Namespace,
) -> dict[str, list[Result]]:
    """Each method's fits of each view alone, with that view's focal length."""
    results: dict[str, list[Result]] = {}
    for name in args.method or METHODS:
        method = replace(METHODS[name], regressor=args.regressor)
        folder = args.work / name.replace(",", "").replace(" ", "_")
        folder = folder if args.regressor == "lifter" else folder / args.regressor
        folder.mkdir(parents=True, exist_ok=True)
        for clip, tracks, track_id, view in zip(args.clips, plain, ids, views, strict=True):
            log.info("%s: %s", clip.name, name)
            focal_px = float(view.focal_px.mean())
            mine = replace(method, clip=ClipConfig(stride=args.stride), focal_length_px=focal_px)
            fitted = fit_view(clip, tracks, track_id, mine, folder, args.fresh)
            results.setdefault(name, []).append(fitted)
    return results


def by_yolo(cfg: RunConfig) -> RunConfig:
    """Without the landmark network, so that the first truth stays what it was."""
    landmarks = replace(cfg.detect.landmarks, network="off")
    return replace(cfg, detect=replace(cfg.detect, landmarks=landmarks))


def second_of(
    args: argparse.Namespace,
    rough: Sequence[View],
    first: Truth,
    yolo: tuple[np.ndarray, np.ndarray],
    cfg: RunConfig,
) -> SecondTruth:
    """The truth from both networks; the first one tells them where to look."""
    guide, look = guide_of(first), look_with(torch.device(cfg.device))
    seen = [
        looks_of(clip, view.project(guide), cfg, look, args.work)
        for clip, view in zip(args.clips, first.views, strict=True)
    ]
    scored = np.stack([looks.scored for looks in seen])
    landmarks = (scored[..., :2], scored[..., 2])
    views, rms = refine_on_both(rough, yolo, landmarks)
    with open_video(args.clips[0], cfg.clip) as video:
        fps = float(video.info.fps) / args.stride
    return find_second(views, yolo, landmarks, fps, rms)


def score_against(
    name: str,
    truth: Truth,
    results: dict[str, list[Result]],
    frames: np.ndarray,
) -> dict[str, object]:
    """Print one truth's tables; its figures."""
    table, wrong = tabulate(results, truth, frames)
    print(f"\n{name} truth")
    print_table(table)
    print_wrong(wrong)
    print_spread(name, spreads(np.where(truth.good[..., None], truth.points, np.nan)))
    return {
        "table": [vars(line) for line in table],
        "wrong_joints": {method: mean_row(rows) for method, rows in wrong.items()},
    }


def run(args: argparse.Namespace) -> None:
    """All of it, in order."""
    (args.work / "fitted").mkdir(parents=True, exist_ok=True)
    cfg = replace(SHIPPED, clip=ClipConfig(stride=args.stride))
    rough = read_qca(args.calibration)
    if len(rough) != len(args.clips):
        raise ConfigError(
            f"{args.calibration} has {len(rough)} cameras, but {len(args.clips)} clips were given: "
            "give one clip for each camera, in the same order"
        )
    plain = [plain_tracks(clip, by_yolo(cfg), args.work) for clip in args.clips]
    frames = plain[0].timeline.frame
    if any(not np.array_equal(tracks.timeline.frame, frames) for tracks in plain):
        raise ConfigError("the clips differ in their number of frames: expected one moment in each")
    ids = choose_athlete(rough, plain)
    print("athlete: track " + ", ".join(f"{i} of {c.stem}" for i, c in zip(ids, args.clips)))  # noqa: B905
    seen = collect_sightings(args.clips, plain, ids, cfg, args.work)
    px, weight = seen[..., :2], weight_of(seen)
    views, rms = refine_cameras(rough, px, weight)
    save_views(args.work / "cameras.json", views)
    truths = {"first": find_truth(views, px, weight)}
    print_truth(truths["first"], rough, rms)
    figures: dict[str, object] = {"bundle_px": rms}
    if args.truth == "both":
        second = second_of(args, rough, truths["first"], (px, weight), cfg)
        truths["second"] = second.truth
        print("\nfrom both networks:")
        print_truth(second.truth, rough, second.rms_px)
        keep_second(args.work, second, plain[0].timeline)
        figures["bundle_second_px"] = second.rms_px
    ours = [plain_tracks(clip, cfg, args.work / "fitted") for clip in args.clips]
    results = fit_all(ours, choose_athlete(views, ours), views, args)
    for name, truth in truths.items():
        scored = score_against(name, truth, results, frames)
        figures |= scored if name == "first" else {name: scored}
    (args.work / "multiview.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    draw(args.clips, truths, frames, results, args.work)

"""The four-camera benchmark from the calibration to the table; see benchmarks/multiview.py."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
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
from multiview.observe import (
    choose_athlete,
    collect_sightings,
    plain_tracks,
    weight_of,
)
from multiview.score import Row, in_true_camera, mean_row, score
from multiview.truth import LIMBS, Truth, find_truth, refine_cameras

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

COLUMNS = ("here_px", "pa_mm", "root_mm", "root_px", "plain_mm", "plain_px", "depth_mm")
KINDS = ("right", "wrong", "both")
"""Frames by what the detector did in this view: a grossly wrong limb joint makes it wrong."""
DRAWN_METHOD = "EFT warm"
WHITE, GREEN, PINK = (255, 255, 255), (60, 230, 60), (255, 40, 200)

log = logging.getLogger("multiview")


@dataclass(frozen=True)
class Line:
    """One line of the table: figures are means over `num` frames."""

    view: str
    detector: str
    method: str
    num: int
    mean: Row


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


def _kind(row: Row) -> str:
    return "wrong" if row["gross"] > 0 else "right"


def print_truth(truth: Truth, rough: Sequence[View], rms: dict[str, tuple[float, float]]) -> None:
    for name, (before, after) in rms.items():
        print(f"bundle adjustment, frames {name}: rms {before:.1f} px before, {after:.1f} after")
    for a, b in zip(rough, truth.views, strict=True):
        cos = (np.trace(a.rotation @ b.rotation.T) - 1.0) / 2.0
        turn = np.degrees(np.arccos(np.clip(cos, -1.0, 1.0)))
        print(
            f"  {a.name}: moved {1e3 * np.linalg.norm(a.position - b.position):.0f} mm, turned "
            f"{turn:.1f} degrees; focal length {b.focal_px[0]:.0f} px"
        )
    share = truth.good[:, LIMBS].mean()
    print(f"limb joints triangulated well: {100 * share:.0f} % of {len(truth.good)} frames x 12")


def print_table(table: Sequence[Line]) -> None:
    head = f"{'view':6} {'detector':9} {'method':24} {'n':>4} {'rejected':>8}"
    print("\n" + head + "".join(f" {c:>9}" for c in COLUMNS))
    for line in table:
        if line.num:
            print(
                f"{line.view:6} {line.detector:9} {line.method:24} {line.num:4d} "
                f"{100 * line.mean['rejected']:7.0f}%"
                + "".join(f" {line.mean[c]:9.1f}" for c in COLUMNS)
            )


def print_wrong(wrong: dict[str, list[Row]]) -> None:
    """What becomes of the joints that the detector has grossly wrong."""
    print(
        f"\n{'wrong joints':24} {'n':>5} {'detector off':>13} {'fit off':>8} "
        f"{'fit to detected':>16} {'nearer truth':>13} {'their PA mm':>12}"
    )
    for name, rows in wrong.items():
        if rows:
            mean = mean_row(rows)
            print(
                f"{name:24} {len(rows):5d} {mean['seen_px']:10.0f} px "
                f"{mean['to_truth_px']:5.0f} px {mean['to_seen_px']:13.0f} px "
                f"{100 * mean['nearer_truth']:11.0f} % {mean['pa_mm']:12.0f}"
            )


def draw(
    clips: Sequence[Path],
    truth: Truth,
    frames: np.ndarray,
    results: Sequence[Result],
    work: Path,
) -> None:
    """Five moments: the triangulation white, the detector green, each view's own fit pink."""
    moments = frames[np.linspace(0, len(frames) - 1, 5).round().astype(int)].tolist()
    images = [images_at(clip, moments) for clip in clips]
    for moment in moments:
        t = int(np.flatnonzero(frames == moment)[0])
        pictures = []
        for v, view in enumerate(truth.views):
            true = np.where(truth.good[t, :, None], view.project(truth.points[t]), np.nan)
            layers: list[Layer] = [(WHITE, true)]
            for n in np.flatnonzero(results[v].frame == moment):
                seen = results[v].keypoints2d[n]
                own = view.project(view.to_world(in_true_camera(view, results[v])[n]))
                believed = np.where(weight_of(seen)[:, None] > 0, seen[:, :2], np.nan)
                layers = [(GREEN, believed), (PINK, own), *layers]
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
    for name, method in METHODS.items():
        folder = args.work / name.replace(",", "").replace(" ", "_")
        folder.mkdir(exist_ok=True)
        for clip, tracks, track_id, view in zip(args.clips, plain, ids, views, strict=True):
            log.info("%s: %s", clip.name, name)
            focal_px = float(view.focal_px.mean())
            mine = replace(method, clip=ClipConfig(stride=args.stride), focal_length_px=focal_px)
            fitted = fit_view(clip, tracks, track_id, mine, folder, args.fresh)
            results.setdefault(name, []).append(fitted)
    return results


def tabulate(
    results: dict[str, list[Result]], truth: Truth, frames: np.ndarray
) -> tuple[list[Line], dict[str, list[Row]]]:
    """Mean figures by view, by what the detector did, and by method; the wrong joints' figures."""
    rows = {
        name: [score(v, result, truth, frames) for v, result in enumerate(of_views)]
        for name, of_views in results.items()
    }
    table: list[Line] = []
    for v in [*range(len(truth.views)), None]:
        label = "all" if v is None else truth.views[v].name
        for kind in KINDS:
            for name, scored in rows.items():
                chosen = scored if v is None else [scored[v]]
                some = [r for rs, _ in chosen for r in rs if kind in ("both", _kind(r))]
                table.append(Line(label, kind, name, len(some), mean_row(some)))
    wrong = {name: [w for _, ws in scored for w in ws] for name, scored in rows.items()}
    return table, wrong


def run(args: argparse.Namespace) -> None:
    """All of it, in order."""
    args.work.mkdir(parents=True, exist_ok=True)
    cfg = replace(SHIPPED, clip=ClipConfig(stride=args.stride))
    rough = read_qca(args.calibration)
    if len(rough) != len(args.clips):
        raise ConfigError(
            f"{args.calibration} has {len(rough)} cameras, but {len(args.clips)} clips were given: "
            "give one clip for each camera, in the same order"
        )
    plain = [plain_tracks(clip, cfg, args.work) for clip in args.clips]
    frames = plain[0].timeline.frame
    if any(not np.array_equal(tracks.timeline.frame, frames) for tracks in plain):
        raise ConfigError("the clips differ in their number of frames: expected one moment in each")
    ids = choose_athlete(rough, plain)
    print("athlete: track " + ", ".join(f"{i} of {c.stem}" for i, c in zip(ids, args.clips)))  # noqa: B905
    seen = collect_sightings(args.clips, plain, ids, cfg, args.work)
    px, weight = seen[..., :2], weight_of(seen)
    views, rms = refine_cameras(rough, px, weight)
    save_views(args.work / "cameras.json", views)
    truth = find_truth(views, px, weight)
    print_truth(truth, rough, rms)
    results = fit_all(plain, ids, views, args)
    table, wrong = tabulate(results, truth, frames)
    print_table(table)
    print_wrong(wrong)
    figures = {"bundle_px": rms, "table": [vars(line) for line in table]}
    figures["wrong_joints"] = {name: mean_row(rows) for name, rows in wrong.items()}
    (args.work / "multiview.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    draw(args.clips, truth, frames, results[DRAWN_METHOD], args.work)

"""Four cameras see one athlete: how far one view's fits are off in the others.

python benchmarks/multiview.py CALIBRATION.qca.txt CAM1.mp4 CAM2.mp4 ... --work DIR [--fresh]

The calibration is refined (cameras.json in the work folder), the athlete's joints are triangulated
from all views, and every view is then fitted alone. See docs/multiview.md for the columns. Results
of fits, detections and pictures stay in the work folder; --fresh makes the fits anew.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from methods import EFT_CLOSE, SMPLIFY_BEST
from multiview_calibration import read_qca, save_views
from multiview_draw import Layer, draw_layers, images_at, save_row
from multiview_geometry import View
from multiview_observe import choose_athlete, close_ups, plain_detections, sightings, weight_of
from multiview_score import Row, in_true_camera, mean_row, score
from multiview_truth import LIMBS, Truth, find_truth, refine_cameras

import eftvideo
from eftvideo import pipeline
from eftvideo.config import ClipConfig, RunConfig, SmoothConfig, SmplifyConfig
from eftvideo.errors import ConfigError, EftVideoError
from eftvideo.results.result import Result
from eftvideo.types import FrameDetections

METHODS: dict[str, dict[str, Any]] = {
    "regressor": {"method": "regress"},
    "EFT cold": {"warm_start": False},
    "EFT warm": {},
    "EFT warm, not smoothed": {"smooth": SmoothConfig(strength=0.0)},
    "SMPLify": {"method": "smplify", "smplify": SmplifyConfig(init="mean")},
    "SMPLify without prior": {
        "method": "smplify",
        "smplify": SmplifyConfig(init="mean", prior=False),
    },
    "SMPLify from regressor": {"method": "smplify"},
    "EFT warm, close": {"eft": EFT_CLOSE},
    "SMPLify, best constants": {"method": "smplify", "smplify": SMPLIFY_BEST},
}
"""Name and what it changes in the default configuration; one line adds a method."""

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
    clip: Path,
    frames: list[FrameDetections],
    athlete: int,
    cfg: RunConfig,
    folder: Path,
    fresh: bool,
) -> Result:
    """The whole program on one clip, with the people that were detected before; kept in `folder`.

    Every method sees the same detections, made once: only `detect_people` is stood in for.
    """
    cfg = replace(cfg, render=replace(cfg.render, enabled=False))
    path = folder / f"{clip.stem}.npz"
    if path.is_file() and not fresh:
        kept = eftvideo.load_result(path)
        if {k: kept.config.get(k) for k in cfg.to_dict()} == cfg.to_dict():
            return kept.track(athlete)
    alone = [replace(f, people=f.people.select(f.people.track_id == athlete)) for f in frames]
    with mock.patch.object(pipeline, "detect_people", lambda *_: alone):
        return pipeline.run_video(clip, folder, cfg).track(athlete)


def collect_sightings(
    clips: Sequence[Path],
    plain: Sequence[list[FrameDetections]],
    ids: Sequence[int],
    cfg: RunConfig,
    work: Path,
) -> np.ndarray:
    """(V, K, T, 17, 3): the program's own keypoints, then those of the close-ups."""
    out = []
    for clip, frames, track_id in zip(clips, plain, ids, strict=True):
        own, boxes = sightings(frames, track_id)
        log.info("%s: close-ups of track %d", clip.name, track_id)
        near = close_ups(clip, boxes, cfg, work)
        out.append(np.concatenate([own[None], near]))
    return np.stack(out)


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
    clips: Sequence[Path],
    plain: Sequence[list[FrameDetections]],
    ids: Sequence[int],
    views: Sequence[View],
    cfg: RunConfig,
    work: Path,
    fresh: bool,
) -> dict[str, list[Result]]:
    """Each method's fits of each view alone, with that view's focal length."""
    results: dict[str, list[Result]] = {}
    for name, change in METHODS.items():
        folder = work / name.replace(",", "").replace(" ", "_")
        folder.mkdir(exist_ok=True)
        for clip, frames, track_id, view in zip(clips, plain, ids, views, strict=True):
            log.info("%s: %s", clip.name, name)
            mine = replace(cfg, focal_length_px=float(view.focal_px.mean()), **change)
            fitted = fit_view(clip, frames, track_id, mine, folder, fresh)
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
    cfg = RunConfig(clip=ClipConfig(stride=args.stride), device="cpu")
    rough = read_qca(args.calibration)
    if len(rough) != len(args.clips):
        raise ConfigError(
            f"{args.calibration} has {len(rough)} cameras, but {len(args.clips)} clips were given: "
            "give one clip for each camera, in the same order"
        )
    plain = [plain_detections(clip, cfg, args.work) for clip in args.clips]
    times = [[f.frame_index for f in frames] for frames in plain]
    if any(t != times[0] for t in times):
        raise ConfigError("the clips differ in their number of frames: expected one moment in each")
    ids = choose_athlete(rough, plain)
    print("athlete: track " + ", ".join(f"{i} of {c.stem}" for i, c in zip(ids, args.clips)))  # noqa: B905
    seen = collect_sightings(args.clips, plain, ids, cfg, args.work)
    px, weight = seen[..., :2], weight_of(seen)
    views, rms = refine_cameras(rough, px, weight)
    save_views(args.work / "cameras.json", views)
    truth = find_truth(views, px, weight)
    print_truth(truth, rough, rms)
    results = fit_all(args.clips, plain, ids, views, cfg, args.work, args.fresh)
    frames = np.array(times[0])
    table, wrong = tabulate(results, truth, frames)
    print_table(table)
    print_wrong(wrong)
    figures = {"bundle_px": rms, "table": [vars(line) for line in table]}
    figures["wrong_joints"] = {name: mean_row(rows) for name, rows in wrong.items()}
    (args.work / "multiview.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    draw(args.clips, truth, frames, results[DRAWN_METHOD], args.work)


def main() -> int:
    """Parse the options; a mistake that the user can mend is one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("calibration", type=Path, help="Qualisys calibration, cameras in order")
    parser.add_argument("clips", type=Path, nargs="+", help="one clip a camera, in that order")
    parser.add_argument("--work", type=Path, required=True, help="folder for everything made")
    parser.add_argument("--stride", type=int, default=1, help="every n-th frame")
    parser.add_argument("--fresh", action="store_true", help="fit anew")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    try:
        run(parser.parse_args())
    except EftVideoError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

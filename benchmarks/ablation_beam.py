"""The athlete before four cameras: the truth as `multiview.py` finds it, kept as plain arrays."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ablation_path import CFG, clean, to_frames
from ablation_raw import Raw
from ablation_switches import SWITCHES
from multiview import collect_sightings
from multiview_calibration import read_qca
from multiview_geometry import View
from multiview_observe import choose_athlete, weight_of
from multiview_truth import Truth, find_truth, refine_cameras

from eftvideo.results.result import Result

VIEW_ARRAYS = ("rotation", "translation", "focal_px", "center_px", "distortion")
NEAR = 0.25
"""Somebody is the athlete if the median keypoint is nearer, as a share of the box's longer side."""

log = logging.getLogger("ablation")


def beam_truth(
    calibration: Path, clips: Sequence[Path], raws: Sequence[Raw], work: Path
) -> tuple[Truth, np.ndarray]:
    """Refined cameras and triangulated joints; (T,) index of the frames in the clips.

    Args:
        raws: what was detected in each clip, with every correction: the whole path's tracks are
            what is looked at again for the truth.
    """
    path = work / "beam_truth.npz"
    if not path.exists():
        plain = [list(clean(to_frames(raw), dict.fromkeys(SWITCHES, True))[0]) for raw in raws]
        rough = read_qca(calibration)
        ids = choose_athlete(rough, plain)
        log.info("athlete: tracks %s", ids)
        seen = collect_sightings(clips, plain, ids, CFG, work)
        px, weight = seen[..., :2], weight_of(seen)
        views, _ = refine_cameras(rough, px, weight)
        truth = find_truth(views, px, weight)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(
                file,
                names=np.array([v.name for v in views]),
                points=truth.points,
                good=truth.good,
                frame=raws[0].frame,
                **{name: np.stack([getattr(v, name) for v in views]) for name in VIEW_ARRAYS},
            )
        part.replace(path)
    with np.load(path, allow_pickle=False) as data:
        names = data["names"].tolist()
        views = [View(n, *(data[a][i] for a in VIEW_ARRAYS)) for i, n in enumerate(names)]
        return Truth(views, data["points"], data["good"]), data["frame"]


def athlete_rows(result: Result, truth: Truth, at: int, frames: np.ndarray) -> np.ndarray:
    """Row of the athlete in each frame that has one, by where the truth is in this view.

    Which track that is depends on the corrections, so tracks are not asked.
    """
    true = np.where(truth.good[..., None], truth.views[at].project(truth.points), np.nan)
    rows = []
    for t, frame in enumerate(frames):
        mine = np.flatnonzero(result.frame == frame)
        if not len(mine) or not truth.good[t].any():
            continue
        apart = np.linalg.norm(result.keypoints2d[mine, :, :2] - true[t], axis=-1)
        side = np.ptp(result.bbox_xyxy[mine].reshape(-1, 2, 2), axis=1).max(axis=1)
        share = np.nanmedian(apart, axis=1) / side
        if share.min() < NEAR:
            rows.append(mine[share.argmin()])
    return np.array(rows, np.int64)

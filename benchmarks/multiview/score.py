"""How far one view's fits are from the triangulated athlete, there and in the other views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from eftvideo.evaluate.metrics import similarity_align
from eftvideo.geometry.skeletons import COCO17_HIPS
from eftvideo.results.result import Result
from eftvideo.types import REJECTED
from multiview.geometry import View
from multiview.observe import weight_of
from multiview.truth import LIMBS, Truth

GROSS = 0.08
"""A detected joint is grossly wrong if off by more than this share of the box's longer side."""
MIN_JOINTS = 8
"""Frames with fewer well triangulated limb joints are left out."""

Row = dict[str, float]


def in_true_camera(view: View, result: Result) -> np.ndarray:
    """(N, 17, 3) the fit's keypoints in the frame of the real camera, metres.

    The program knows neither the lens nor the true principal point; each keypoint is put on the
    real ray through the pixel where the program draws it, at the depth it gives.
    """
    points = result.keypoints3d.astype(float)
    middle = np.array([result.width_px, result.height_px]) / 2.0
    focal = result.focal_length_px[:, None, None].astype(float)
    px = points[..., :2] / points[..., 2:] * focal + middle
    slope = view.slope(px)
    return np.concatenate([slope, np.ones_like(slope[..., :1])], axis=-1) * points[..., 2:]


def score(at: int, result: Result, truth: Truth, frames: np.ndarray) -> tuple[list[Row], list[Row]]:
    """Figures of each frame, and of each grossly wrong detected joint.

    Args:
        at: index of the view that the result was made from. result: rows of the athlete.
        frames: (T,) index in the clip of the truth's frames.
    """
    view = truth.views[at]
    others = [v for i, v in enumerate(truth.views) if i != at]
    ours = in_true_camera(view, result)
    rows, wrong = [], []
    for n, frame in enumerate(result.frame):
        t = int(np.flatnonzero(frames == frame)[0])
        use = np.array([j for j in LIMBS if truth.good[t, j]])
        if len(use) < MIN_JOINTS:
            continue
        true, got = view.to_camera(truth.points[t]), ours[n]
        here = view.project(truth.points[t])
        side = float((result.bbox_xyxy[n, 2:] - result.bbox_xyxy[n, :2]).max())
        off = np.linalg.norm(result.keypoints2d[n, :, :2] - here, axis=-1)[use]
        gross = (off > GROSS * side) & (weight_of(result.keypoints2d[n])[use] > 0)
        drawn = view.project(view.to_world(got))[use]
        row, aligned = _figures(view, others, got, true, use)
        to_truth = np.linalg.norm(drawn - here[use], axis=-1)
        to_seen = np.linalg.norm(drawn - result.keypoints2d[n, use, :2], axis=-1)
        row |= {"gross": float(gross.sum()), "here_px": to_truth.mean()}
        row["rejected"] = float(result.status[n] == REJECTED)
        rows.append(row)
        for i in np.flatnonzero(gross):
            wrong.append(
                {"seen_px": off[i], "to_truth_px": to_truth[i], "to_seen_px": to_seen[i]}
                | {"pa_mm": aligned[i], "nearer_truth": float(to_truth[i] < to_seen[i])}
            )
    return rows, wrong


def _figures(
    view: View, others: Sequence[View], got: np.ndarray, true: np.ndarray, use: np.ndarray
) -> tuple[Row, np.ndarray]:
    """Errors of (17, 3) joints over `use`, and each joint's error after Procrustes, mm."""
    fitted = similarity_align(torch.from_numpy(got[use])[None], torch.from_numpy(true[use])[None])
    aligned = 1e3 * np.linalg.norm(fitted[0].numpy() - true[use], axis=-1)
    hips = list(COCO17_HIPS)
    shift = (true[hips] - got[hips]).mean(axis=0) if set(hips) <= set(use.tolist()) else np.nan
    return {
        "pa_mm": aligned.mean(),
        "root_mm": 1e3 * _distance(got[use] + shift, true[use]),
        "root_px": _carried_px(view, others, got[use] + shift, true[use]),
        "plain_mm": 1e3 * _distance(got[use], true[use]),
        "plain_px": _carried_px(view, others, got[use], true[use]),
        "depth_mm": 1e3 * float((got[use] - true[use]).mean(axis=0)[2]),
    }, aligned


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())


def _carried_px(view: View, others: Sequence[View], got: np.ndarray, true: np.ndarray) -> float:
    """Mean distance in the other views' pictures of points in this camera's frame."""
    a, b = view.to_world(got), view.to_world(true)
    return float(np.mean([_distance(v.project(a), v.project(b)) for v in others]))


def mean_row(rows: Sequence[Row]) -> Row:
    """Means over frames, NaN left out; no rows: empty."""
    if not rows:
        return {}
    return {k: float(np.nanmean([r[k] for r in rows])) for k in rows[0]}

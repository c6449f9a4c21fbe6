"""Figures of one clip, and of all clips of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from multiview_score import score
from multiview_truth import Truth
from scipy.spatial.transform import Rotation

from eftvideo.evaluate.score import Evaluation
from eftvideo.geometry.skeletons import LIMB12, SMPL24, select
from eftvideo.results.result import Result
from eftvideo.types import FILLED, REJECTED

Figures = dict[str, float]

LIMBS = select(LIMB12, SMPL24)
COLUMNS: dict[str, dict[str, str]] = {
    "synthetic": {
        "pa_mm": "PA-MPJPE",
        "pa_seen_mm": "PA, not filled",
        "mpjpe_mm": "MPJPE",
        "true_px": "2D true",
        "seen_px": "2D seen",
        "jitter": "jitter",
        "matched": "found",
    },
    "beam": {
        "pa_mm": "PA-MPJPE",
        "root_mm": "pelvis in place",
        "here_px": "2D",
        "matched": "found",
    },
    "real": {
        "rejected": "rejected",
        "turn_deg": "largest turn",
        "mean_px": "2D mean",
        "median_px": "2D median",
        "jitter": "jitter",
        "tracks": "tracks",
        "rows": "person-frames",
        "filled": "filled",
    },
}
COLUMNS["drawn"] = COLUMNS["synthetic"] | {"false": "false"}
SUMS = ("matched", "false", "rejected", "tracks", "rows", "filled")
"""Added up over clips; all others are means, weighted by `weight`."""


def against_truth(evaluated: Callable[[Result], Evaluation], result: Result) -> Figures:
    """mm, px of a 224 px crop, m/s^2.

    PA-MPJPE is told of the frames that were fitted, too: what fills gaps adds frames, and others
    cannot be compared.
    """
    seen = result.status != FILLED
    found, known = evaluated(result), result.loss_px[seen]
    fitted = found if seen.all() else evaluated(result.select(seen))
    return {
        "weight": found.counts["matched"],
        "pa_mm": found.overall["pa_mpjpe"],
        "pa_seen_mm": fitted.overall["pa_mpjpe"],
        "mpjpe_mm": found.overall["mpjpe"],
        "true_px": found.overall["error_2d"],
        "seen_px": float(known.mean()) if len(known) else np.nan,
        "jitter": found.overall["jitter"] / 1e3,
        "matched": found.counts["matched"],
        "false": found.counts["false_people"],
    }


def before_cameras(at: int, athlete: Result, truth: Truth, frames: np.ndarray) -> Figures:
    """mm, px of the view's own picture; means over its frames."""
    rows, _ = score(at, athlete, truth, frames)
    out: Figures = {"weight": len(rows), "matched": len(rows)}
    for name in ("pa_mm", "root_mm", "here_px"):
        out[name] = float(np.nanmean([r[name] for r in rows])) if rows else np.nan
    return out


def of_clip(result: Result) -> Figures:
    """What can be told without truth; degrees, px of a 224 px crop, m/s^2."""
    known = result.loss_px[result.status != FILLED]
    turn, unrest = _turns(result), _unrest(result)
    return {
        "weight": len(known),
        "rejected": int((result.status == REJECTED).sum()),
        "turn_deg": float(turn.max(initial=0.0)),
        "mean_px": float(known.mean()) if len(known) else np.nan,
        "median_px": float(np.median(known)) if len(known) else np.nan,
        "jitter": float(unrest.mean()) if len(unrest) else np.nan,
        "tracks": len(result.track_ids),
        "rows": len(result),
        "filled": int((result.status == FILLED).sum()),
    }


def _turns(result: Result) -> np.ndarray:
    """Degrees by which a body turns from one frame to the next."""
    order = np.lexsort((result.frame, result.track_id))
    frame, track = result.frame[order], result.track_id[order]
    next_to = (np.diff(frame) == 1) & (np.diff(track) == 0)
    if not next_to.any():
        return np.zeros(0)
    turn = Rotation.from_rotvec(result.global_orient[order].astype(float))
    here = np.flatnonzero(next_to)
    return np.degrees((turn[here].inv() * turn[here + 1]).magnitude())


def _unrest(result: Result) -> np.ndarray:
    """Accelerations of the limb joints, seen from the pelvis, over three frames in a row."""
    order = np.lexsort((result.frame, result.track_id))
    frame, track, time_s = result.frame[order], result.track_id[order], result.time_s[order]
    next_to = (np.diff(frame) == 1) & (np.diff(track) == 0)
    here = np.flatnonzero(next_to[1:] & next_to[:-1])
    points = (result.joints3d - result.joints3d[:, :1])[order][:, LIMBS].astype(float)
    speed = np.diff(points, axis=0) / np.maximum(np.diff(time_s), 1e-6)[:, None, None]
    step = np.maximum(time_s[2:] - time_s[:-2], 1e-6)[:, None, None] / 2.0
    return np.linalg.norm((np.diff(speed, axis=0) / step)[here], axis=-1).ravel()


def together(clips: Sequence[Figures]) -> Figures:
    """Figures of several clips in one."""
    weight = np.array([c["weight"] for c in clips], float)
    out: Figures = {}
    for name in clips[0]:
        values = np.array([c[name] for c in clips], float)
        ok = np.isfinite(values) & (weight > 0)
        if name in SUMS or name == "weight":
            out[name] = float(values.sum())
        elif name == "turn_deg":
            out[name] = float(values.max())
        else:
            out[name] = float(np.average(values[ok], weights=weight[ok])) if ok.any() else np.nan
    return out


def doubt(clips: Sequence[Figures], others: Sequence[Figures], name: str) -> float:
    """Standard error of the mean difference of a figure, clip by clip."""
    apart = np.array([b[name] - a[name] for a, b in zip(clips, others, strict=True)], float)
    apart = apart[np.isfinite(apart)]
    return float(apart.std(ddof=1) / np.sqrt(len(apart))) if len(apart) > 1 else np.nan

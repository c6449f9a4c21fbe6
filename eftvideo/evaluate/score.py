"""How far a result is from the truth. Every figure is defined here and in docs/protocols.md.

Lengths in mm, accelerations in mm/s^2, picture errors in px of a 224 px crop. Figures are means
over the matched person-frames; people who were missed or made up are counted, not averaged in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eftvideo.errors import ConfigError
from eftvideo.evaluate import metrics
from eftvideo.evaluate.bodies import H36M17, Bodies, regressed_joints, vertex_errors, with_body
from eftvideo.evaluate.match import GATE, Matches, match_people, result_points_px, truth_points_px
from eftvideo.evaluate.truth import Truth
from eftvideo.geometry.skeletons import COCO17, LIMB12, SMPL24, select
from eftvideo.results.result import Result

CROP_SIDE_PX = 224.0
LSP14: tuple[str, ...] = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "head_top",
)  # fmt: skip
JOINT_SETS: dict[str, tuple[str, ...]] = {
    "lsp14": (*LSP14[:13], "head"),
    "limbs12": LIMB12,
    "smpl24": SMPL24,
    "coco17": COCO17,
    "h36m14": LSP14,
}
"""lsp14, limbs12, smpl24: SMPL's joints. coco17: keypoints of the skin. h36m14: the published
protocol's joints, regressed from vertices. The root is the pelvis; for coco17 the hips' middle."""
UNITS = {
    "mpjpe": "mm",
    "pa_mpjpe": "mm",
    "pck": "%",
    "auc": "%",
    "pve": "mm",
    "root": "mm",
    "error_2d": "px",
    "error_2d_median": "px",
    "accel_error": "mm/s^2",
    "jitter": "mm/s^2",
    "jitter_truth": "mm/s^2",
    "jitter_camera": "mm/s^2",
}


@dataclass(frozen=True)
class Evaluation:
    """The figures of one result; NaN where there was nothing to measure."""

    joints: str
    """The joint set's name."""
    overall: dict[str, float]
    """By the names of `UNITS`."""
    per_joint: dict[str, dict[str, float]]
    """mpjpe, pa_mpjpe and pck by joint."""
    per_person: dict[int, dict[str, float]]
    """mpjpe, pa_mpjpe, error_2d and the number of frames by track of the truth."""
    counts: dict[str, int]
    """frames, true_people, matched, missed, false_people, id_switches, with_body."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for NaN."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {str(k): plain(v) for k, v in value.items()}
            return None if isinstance(value, float) and not np.isfinite(value) else value

        return {
            "joints": self.joints,
            "units": UNITS,
            **plain({"overall": self.overall, "per_joint": self.per_joint}),
            **plain({"per_person": self.per_person, "counts": self.counts}),
        }


@dataclass(frozen=True)
class _Pairs:
    """P matched and scored person-frames; points in mm, camera frame."""

    result: Result
    truth: Truth
    pred: Tensor
    true: Tensor
    pred_root: Tensor
    true_root: Tensor

    @property
    def relative(self) -> tuple[Tensor, Tensor]:
        """(P, J, 3) twice, from the root."""
        return self.pred - self.pred_root[:, None], self.true - self.true_root[:, None]


def evaluate(
    result: Result,
    truth: Truth,
    joints: str | None = None,
    bodies: Bodies | None = None,
    gate: float = GATE,
) -> Evaluation:
    """Score a result.

    Args:
        result: of `eftvideo run`.
        truth: what is known; frames that the run was told to leave out are left out.
        joints: a name of `JOINT_SETS`; None: lsp14, or coco17 where the truth has no SMPL joints.
        bodies: for errors of vertices and for h36m14; None: without.
        gate: see `evaluate_match.match_people`.

    Raises:
        ConfigError: an unknown joint set, or one that the truth does not have.
    """
    bodies = bodies or Bodies()
    truth = truth.select(looked_at(result, truth))
    joints = joints or ("lsp14" if np.isfinite(truth.joints3d).any() else "coco17")
    if joints not in JOINT_SETS:
        raise ConfigError(f"unknown joint set {joints!r}: choose one of {', '.join(JOINT_SETS)}")
    matches = match_people(result, truth, gate)
    use = truth.scored[matches.truth]
    if joints == "h36m14":
        use &= with_body(truth, bodies)[matches.truth]
    order = np.lexsort((truth.frame[matches.truth], truth.track_id[matches.truth]))
    order = order[use[order]]
    paired = result.select(matches.result[order]), truth.select(matches.truth[order])
    pairs = _pairs(*paired, joints, bodies)
    skinned = with_body(pairs.truth, bodies)
    counts = _counts(result, truth, matches, pairs) | {"with_body": int(skinned.sum())}
    overall, rows, per_joint = _position_figures(pairs, joints)
    if skinned.any():
        some = pairs.result.select(skinned), pairs.truth.select(skinned)
        overall["pve"] = 1e3 * float(vertex_errors(*some, bodies).mean())
    rows["error_2d"] = _error_2d(pairs)
    overall["error_2d"] = _mean(rows["error_2d"])
    overall["error_2d_median"] = float(rows["error_2d"].nanmedian())
    overall |= _motion_figures(pairs, result)
    overall = {name: overall.get(name, float("nan")) for name in UNITS}
    return Evaluation(joints, overall, per_joint, _per_person(pairs.truth, rows), counts)


def looked_at(result: Result, truth: Truth) -> np.ndarray:
    """(N,) bool: rows of the truth in frames that the run's time range and stride take in."""
    clip = result.config.get("clip", {})
    time_s = np.where(np.isfinite(truth.time_s), truth.time_s, truth.frame / float(result.fps))
    rows = time_s >= (clip.get("start_s") or 0.0) - 1e-6
    if clip.get("end_s") is not None:
        rows &= time_s < clip["end_s"] - 1e-6
    frames = result.frame if len(result) else truth.frame[rows]
    if len(frames):
        rows &= (truth.frame - frames[0]) % clip.get("stride", 1) == 0
    return rows


def _pairs(result: Result, truth: Truth, joints: str, bodies: Bodies) -> _Pairs:
    names = JOINT_SETS[joints]
    if joints == "h36m14":
        ours, theirs = regressed_joints(result, truth, bodies)
        source, root = H36M17, ("pelvis",)
    elif joints == "coco17":
        ours, theirs, source = result.keypoints3d, truth.keypoints3d, COCO17
        root = ("left_hip", "right_hip")
    else:
        ours, theirs, source, root = result.joints3d, truth.joints3d, SMPL24, ("pelvis",)
    index, roots = select(names, source), select(root, source)
    pred, true = (1e3 * torch.from_numpy(np.asarray(x, np.float64)) for x in (ours, theirs))
    centers = pred[:, roots].mean(dim=1), true[:, roots].mean(dim=1)
    return _Pairs(result, truth, pred[:, index], true[:, index], *centers)


def _position_figures(
    pairs: _Pairs, joints: str
) -> tuple[dict[str, float], dict[str, Tensor], dict[str, dict[str, float]]]:
    """Means, values by row, and means by joint."""
    pred, true = pairs.relative
    use = metrics.known(pred, true)
    error = metrics.joint_errors(pred, true, root=None)
    seen = metrics.known(pairs.pred, pairs.true)
    aligned = metrics.aligned_errors(pairs.pred, pairs.true)
    fixed = seen & aligned.isfinite()
    rows = {
        "mpjpe": metrics.masked_mean(error, use),
        "pa_mpjpe": metrics.masked_mean(aligned, fixed),
        "pck": 100.0 * metrics.pck(error, use),
        "auc": 100.0 * metrics.auc(error, use),
        "root": (pairs.pred_root - pairs.true_root).norm(dim=-1),
    }
    columns = {
        "mpjpe": metrics.masked_mean(error.mT, use.mT),
        "pa_mpjpe": metrics.masked_mean(aligned.mT, fixed.mT),
        "pck": 100.0 * metrics.pck(error.mT, use.mT),
    }
    per_joint = {
        name: {figure: float(values[i]) for figure, values in columns.items()}
        for i, name in enumerate(JOINT_SETS[joints])
    }
    return {name: _mean(value) for name, value in rows.items()}, rows, per_joint


def _error_2d(pairs: _Pairs) -> Tensor:
    """(P,) rms distance in the picture over COCO's keypoints, or else SMPL's joints, px of a crop
    of 224 px (the crop is the result's)."""
    pred = torch.from_numpy(result_points_px(pairs.result))
    true = torch.from_numpy(truth_points_px(pairs.truth, pairs.result))
    square = (pred - true).square().sum(-1)
    use = metrics.known(pred, true)
    coco = torch.arange(pred.shape[1]) >= len(SMPL24)
    use &= torch.where((use & coco).any(dim=-1, keepdim=True), coco, ~coco)
    zoom = CROP_SIDE_PX / torch.from_numpy(pairs.result.crop_size_px.astype(np.float64))
    return metrics.masked_mean(square, use).sqrt() * zoom


def _motion_figures(pairs: _Pairs, result: Result) -> dict[str, float]:
    """Accelerations over three successive frames in which one person kept one id."""
    middle = _triples(pairs, result)
    if not len(middle):
        return {}
    pred, true = pairs.relative
    values = {
        "accel_error": pred - true,
        "jitter": pred,
        "jitter_truth": true,
        "jitter_camera": pairs.pred,
    }
    time_s = torch.from_numpy(pairs.result.time_s.astype(np.float64))
    out = {}
    for name, points in values.items():
        size = metrics.acceleration(points, time_s).norm(dim=-1)[middle]
        out[name] = _mean(size.flatten())
    return out


def _triples(pairs: _Pairs, result: Result) -> np.ndarray:
    """Rows at which three successive frames of one person begin."""
    frames = np.unique(result.frame)
    step = np.diff(frames).min(initial=np.iinfo(np.int64).max)
    one = np.diff(pairs.truth.frame) == step
    one &= np.diff(pairs.truth.track_id) == 0
    one &= np.diff(pairs.result.track_id) == 0
    return np.flatnonzero(one[1:] & one[:-1])


def _counts(result: Result, truth: Truth, matches: Matches, pairs: _Pairs) -> dict[str, int]:
    same_person = np.diff(pairs.truth.track_id) == 0
    switched = same_person & (np.diff(pairs.result.track_id) != 0)
    return {
        "frames": len(np.unique(truth.frame)),
        "true_people": int(truth.scored.sum()),
        "matched": len(pairs.truth),
        "missed": len(matches.missed),
        "false_people": len(matches.false),
        "id_switches": int(switched.sum()),
    }


def _per_person(truth: Truth, rows: dict[str, Tensor]) -> dict[int, dict[str, float]]:
    out = {}
    for track in np.unique(truth.track_id):
        at = torch.from_numpy(truth.track_id == track)
        figures = {name: _mean(rows[name][at]) for name in ("mpjpe", "pa_mpjpe", "error_2d")}
        out[int(track)] = {"frames": int(at.sum()), **figures}
    return out


def _mean(values: Tensor) -> float:
    return float(values.nanmean())

"""The ways of fitting that benchmarks compare, and the table they print. One line adds a way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eftvideo.config import (
    DrawConfig,
    EftConfig,
    GapConfig,
    RefineConfig,
    RunConfig,
    SmoothConfig,
    SmplifyConfig,
)
from eftvideo.evaluate.score import Evaluation
from eftvideo.progress import Progress
from eftvideo.results.result import Result
from eftvideo.types import FILLED


def with_fit(cfg: RunConfig, **changes: Any) -> RunConfig:
    """With some fields of `FitConfig` changed."""
    return replace(cfg, fit=replace(cfg.fit, **changes))


SHIPPED = RunConfig(draw=DrawConfig(enabled=False), device="cpu")
NOT_SMOOTHED = RefineConfig(smooth=SmoothConfig(enabled=False))
AS_FITTED = replace(NOT_SMOOTHED, gaps=GapConfig(enabled=False))
SMPLIFY_BEST = replace(
    SmplifyConfig(),
    pose_weight=SmplifyConfig().pose_weight / 2.0,
    angle_weight=SmplifyConfig().angle_weight / 2.0,
    shape_weight=SmplifyConfig().shape_weight / 2.0,
    body_hip_weight=1.0,
    robust_px=20.0,
)
"""The constants that smplify_constants.py found best: hips in, 2D term x 4, robust at 20 px."""
EFT_CLOSE = EftConfig(
    robust_px=20.0, num_steps=40, stall_px=0.01, warm_stall_steps=4, pull=0.02, stay_weight=0.5
)
"""EFT made to follow the keypoints as closely as SMPLify does, gross errors among them."""
_RAW = replace(SHIPPED, refine=AS_FITTED)
_SMPLIFY = with_fit(_RAW, method="smplify", warm_start=False)
"""Cold: a warm start saves it few steps and lets it drift (docs/smplify.md)."""
METHODS: dict[str, RunConfig] = {
    "regress": with_fit(_RAW, method="regress"),
    "eft-cold": with_fit(_RAW, warm_start=False),
    "eft-warm": _RAW,
    "eft-close": with_fit(_RAW, eft=EFT_CLOSE),
    "smplify": with_fit(_SMPLIFY, smplify=SmplifyConfig(init="mean")),
    "smplify-no-prior": with_fit(_SMPLIFY, smplify=SmplifyConfig(init="mean", prior=False)),
    "smplify-from-regressor": _SMPLIFY,
    "smplify-best": with_fit(_SMPLIFY, smplify=SMPLIFY_BEST),
    "regress-smooth": with_fit(SHIPPED, method="regress"),
    "eft-warm-smooth": SHIPPED,
}
"""As fitted, except those named smooth; the last is what `eftvideo run` does."""
COLUMNS = {
    "mpjpe": "MPJPE mm",
    "pa_mpjpe": "PA mm",
    "pck": "PCK %",
    "pve": "PVE mm",
    "error_2d": "2D true px",
    "seen_2d": "2D seen px",
    "accel_error": "accel err",
    "jitter": "jitter",
    "jitter_camera": "jitter cam",
    "steps": "steps",
    "rejected": "rejected %",
    "cpu_ms": "CPU ms",
    "found": "found %",
    "false": "false",
}


class CpuProgress(Progress):
    """CPU seconds of this process by stage: other work on the machine counts less."""

    def __init__(self) -> None:
        super().__init__()
        self.cpu_s: dict[str, float] = {}

    def begin(self, stage: str, total: int) -> None:
        """Start the clock of a stage."""
        self._stage, self._began = stage, time.process_time()

    def end(self) -> None:
        """Stop it."""
        self.cpu_s[self._stage] = time.process_time() - self._began


def figures(scored: Sequence[tuple[Evaluation, Result, float]]) -> dict[str, float]:
    """Means over clips, each weighted by its person-frames; lengths mm, accelerations m/s^2.

    Args:
        scored: for each clip its score, its result and the CPU seconds of fitting.
    """
    weight = np.array([e.counts["matched"] for e, _, _ in scored], float)
    out = {}
    for name in ("mpjpe", "pa_mpjpe", "pck", "pve", "error_2d"):
        out[name] = _weighted([e.overall[name] for e, _, _ in scored], weight)
    for name in ("accel_error", "jitter", "jitter_camera", "jitter_truth"):
        out[name] = _weighted([e.overall[name] for e, _, _ in scored], weight) / 1e3
    rows = [r for _, r, _ in scored]
    out["seen_2d"] = float(np.concatenate([r.loss_px[r.status != FILLED] for r in rows]).mean())
    out["steps"] = float(np.concatenate([r.num_steps for r in rows]).mean())
    out["rejected"] = 100.0 * float(np.concatenate([r.status == 1 for r in rows]).mean())
    out["cpu_ms"] = 1e3 * sum(s for _, _, s in scored) / sum(len(r) for r in rows)
    out["found"] = 100.0 * weight.sum() / sum(e.counts["true_people"] for e, _, _ in scored)
    out["false"] = float(sum(e.counts["false_people"] for e, _, _ in scored))
    return out


def _weighted(values: list[float], weight: np.ndarray) -> float:
    known = np.isfinite(values)
    if not known.any():
        return float("nan")
    return float(np.average(np.array(values)[known], weights=weight[known]))


def choose(names: str) -> dict[str, RunConfig]:
    """The ways named, separated by commas; "all" for every one.

    Raises:
        SystemExit: an unknown name.
    """
    if names == "all":
        return METHODS
    unknown = set(names.split(",")) - METHODS.keys()
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(METHODS)}")
    return {name: METHODS[name] for name in names.split(",")}


def print_header(first: str) -> None:
    """Column names."""
    print(f"{first:24}" + "".join(f"{c:>11}" for c in COLUMNS.values()), flush=True)


def print_row(name: str, values: dict[str, float]) -> None:
    """One line; "-" where there was nothing to measure."""
    cells = (values[c] for c in COLUMNS)
    print(f"{name:24}" + "".join(f"{'-' if c != c else f'{c:.2f}':>11}" for c in cells), flush=True)

"""How well bones keep their length: what a triangulation is worth without another truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.geometry.skeletons import COCO17

BONES: dict[str, tuple[str, str]] = {
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
WIDTHS = {"shoulders": "shoulder", "hips": "hip"}
SIDES = ("left", "right")


@dataclass(frozen=True)
class Spread:
    """The length of one bone over frames."""

    bone: str
    median_mm: float
    sd_mm: float
    mad_mm: float
    """1.48 times the median distance from the median."""
    num: int

    @property
    def sd_percent(self) -> float:
        """Standard deviation over the length."""
        return 100.0 * self.sd_mm / self.median_mm

    @property
    def mad_percent(self) -> float:
        """The robust one over the length."""
        return 100.0 * self.mad_mm / self.median_mm


def lengths(points: np.ndarray, names: tuple[str, ...] = COCO17) -> dict[str, np.ndarray]:
    """Metres of every bone in every frame, (T,) each, of (T, J, 3) points; NaN where an end is."""

    def at(name: str) -> np.ndarray:
        return points[:, names.index(name)]

    def far(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a - b, axis=-1)

    out = {
        f"{side} {bone}": far(at(f"{side}_{a}"), at(f"{side}_{b}"))
        for bone, (a, b) in BONES.items()
        for side in SIDES
    }
    out |= {n: far(at(f"left_{p}"), at(f"right_{p}")) for n, p in WIDTHS.items()}
    top, low = ((at(f"left_{p}") + at(f"right_{p}")) / 2 for p in ("shoulder", "hip"))
    return out | {"torso": far(top, low)}


def spreads(points: np.ndarray, names: tuple[str, ...] = COCO17) -> list[Spread]:
    """Of every bone, over the frames in which both ends are known (not NaN)."""
    out = []
    for bone, length in lengths(points, names).items():
        known = 1e3 * length[np.isfinite(length)]
        if len(known) < 2:
            continue
        middle = float(np.median(known))
        mad = 1.4826 * float(np.median(np.abs(known - middle)))
        out.append(Spread(bone, middle, float(known.std(ddof=1)), mad, len(known)))
    return out


def asymmetry(found: Sequence[Spread]) -> dict[str, float]:
    """Left minus right over their mean, %, of the median lengths of bones that have sides."""
    median = {s.bone: s.median_mm for s in found}
    return {
        bone: 200.0
        * (median[f"left {bone}"] - median[f"right {bone}"])
        / (median[f"left {bone}"] + median[f"right {bone}"])
        for bone in BONES
        if f"left {bone}" in median and f"right {bone}" in median
    }


def mean_percent(found: Sequence[Spread]) -> tuple[float, float]:
    """Means over bones of the standard deviation and of the robust one, % of the length."""
    return (
        float(np.mean([s.sd_percent for s in found])),
        float(np.mean([s.mad_percent for s in found])),
    )

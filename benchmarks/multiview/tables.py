"""The tables of the four-camera benchmark: figures by view and method, as printed and as kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.results.result import Result
from multiview.geometry import View
from multiview.score import Row, mean_row, score
from multiview.spread import Spread, asymmetry, mean_percent
from multiview.truth import LIMBS, Truth

COLUMNS = ("here_px", "pa_mm", "root_mm", "root_px", "plain_mm", "plain_px", "depth_mm")
KINDS = ("right", "wrong", "both")
"""Frames by what the detector did in this view: a grossly wrong limb joint makes it wrong."""


@dataclass(frozen=True)
class Line:
    """One line of the table: figures are means over `num` frames."""

    view: str
    detector: str
    method: str
    num: int
    mean: Row


def _kind(row: Row) -> str:
    return "wrong" if row["gross"] > 0 else "right"


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


def print_spread(name: str, found: Sequence[Spread]) -> None:
    """How far bones keep their length."""
    sd, mad = mean_percent(found)
    print(f"\n{name}: bones, mean sd {sd:.1f} %, robust {mad:.1f} % of the length")
    head = f"{'bone':16} {'n':>4} {'median mm':>10} {'sd mm':>7} {'robust':>7}"
    print(head + f" {'sd %':>6} {'robust %':>8}")
    for s in found:
        print(
            f"{s.bone:16} {s.num:4d} {s.median_mm:10.1f} {s.sd_mm:7.1f} {s.mad_mm:7.1f} "
            f"{s.sd_percent:6.1f} {s.mad_percent:8.1f}"
        )
    sides = ", ".join(f"{bone} {off:+.1f}" for bone, off in asymmetry(found).items())
    print(f"left minus right, %: {sides}")

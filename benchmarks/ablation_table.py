"""Tables in markdown: the whole path, and what changes without each correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ablation_figures import COLUMNS, Figures, doubt, together
from ablation_switches import ACTED, CANNOT, SWITCHES

FULL, NONE = "full", "none"
TITLES = {
    "synthetic": "Held-out motion with detector-like errors",
    "drawn": "Drawn people, found in their pictures",
    "beam": "One athlete before four cameras, each alone",
    "real": "Clips without truth",
}
WHOLE = ("matched", "false", "rejected", "tracks", "rows", "filled", "turn_deg")
"""Printed without decimals."""

Cell = Mapping[str, Mapping[str, Any]]
"""By variant: figures, and how often corrections acted."""


def print_tables(cells: Mapping[str, Mapping[str, Cell]]) -> None:
    """A table for each kind of data and each clip without truth; how often each acted."""
    cells = {data: cells[data] for data in TITLES if data in cells}
    for data, cases in cells.items():
        if data != "real":
            _print_table(f"{TITLES[data]} ({len(cases)} clips)", data, list(cases.values()))
            continue
        for name, cell in cases.items():
            _print_table(f"{TITLES[data]}: {name}", data, [cell])
    _print_acted(cells)


def _print_table(title: str, data: str, cases: Sequence[Cell]) -> None:
    columns = COLUMNS[data]
    whole = [c[FULL]["figures"] for c in cases if FULL in c]
    if len(whole) < len(cases):
        print(f"{title}: the whole path is not there yet\n")
        return
    spread = len(cases) > 1
    heads = ["off", *columns.values(), *(["doubt of PA"] if spread else [])]
    print(f"### {title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    full = together([_known(f) for f in whole])
    values = [_number(name, full[name]) for name in columns]
    print(f"| nothing (the whole path) | {' | '.join(values + [''] * spread)} |")
    for variant in (*SWITCHES, NONE):
        name = "all" if variant == NONE else variant.removesuffix(".enabled")
        done = [c[variant]["figures"] for c in cases if variant in c]
        if len(done) < len(cases):
            mark = "not run yet" if done or variant not in CANNOT[data] else "cannot act here"
            print(f"| {name} ({mark}) | {' | '.join(['–'] * (len(heads) - 1))} |")
            continue
        print(f"| {name} | {' | '.join(_changes(columns, whole, done, spread))} |")
    print()


def _changes(
    columns: Mapping[str, str],
    whole: Sequence[Mapping[str, Any]],
    done: Sequence[Mapping[str, Any]],
    spread: bool,
) -> list[str]:
    """Cells of one row: differences to the whole path."""
    if list(whole) == list(done):
        return ["0"] * (len(columns) + spread)
    a, b = [_known(f) for f in whole], [_known(f) for f in done]
    full, less = together(a), together(b)
    row = [_number(name, less[name] - full[name], sign=True) for name in columns]
    return row + ([f"±{doubt(a, b, 'pa_mm'):.1f}"] if spread else [])


def _number(name: str, value: float, sign: bool = False) -> str:
    if not math.isfinite(value):
        return "–"
    text = f"{value:{'+' if sign else ''}.{0 if name in WHOLE else 2}f}"
    return "0" if sign and not text.strip("+-0.") else text


def _known(figures: Mapping[str, Any]) -> Figures:
    return {k: math.nan if v is None else v for k, v in figures.items()}


def _print_acted(cells: Mapping[str, Mapping[str, Cell]]) -> None:
    """How often each correction acted in the whole path."""
    columns: dict[str, list[Mapping[str, int]]] = {}
    for data, cases in cells.items():
        for name, cell in cases.items():
            column = name if data == "real" else data
            columns.setdefault(column, []).append(cell.get(FULL, {}).get("acted", {}))
    if not columns:
        return
    heads = ["how often it acted", "counted in", *columns]
    print(f"### How often each correction acts\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for switch in SWITCHES:
        counts = [
            str(sum(c[switch] for c in each)) if all(switch in c for c in each) else "–"
            for each in columns.values()
        ]
        name = switch.removesuffix(".enabled")
        print(f"| {name} | {ACTED[switch]} | {' | '.join(counts)} |")
    print()

"""Every correction of the main path off, one at a time, and all off: what does each one give?

python benchmarks/ablation.py --poses POSES.npz [--clips FOLDER] [--work FOLDER] [--quick]
python benchmarks/ablation.py --table [--work FOLDER]

Four kinds of data: held-out motion with detector-like errors (`synthetic`: as in synthetic.py,
every second sequence, one person and one track each), drawn people found in their pictures
(`drawn`: rendered.py's clips), one athlete before four cameras (`beam`: truth as in multiview.py,
fitted with everybody else in the picture), and clips without truth (`real`). FOLDER of --clips has
beam_cam01.mp4 to beam_cam04.mp4, beam_calibration.qca.txt, bikes.mp4, sports2d_demo.mp4 and
tennis.mp4.

What was detected is kept in the work folder as plain arrays, for each clip in six ways: whole, with
each switch of detection off, with all of them off. Figures are added to a JSON
file as they come; what is in it is not run again (another --json, or --fresh, after the program has
changed). --table prints it. `ablation_path.py` is the one file that knows the package's main path.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from ablation_cases import QUICK, Case, make_cases
from ablation_path import run_path
from ablation_raw import num_added, num_changed
from ablation_switches import CANNOT, DETECT, SWITCHES, Settings
from ablation_table import FULL, NONE, print_tables

Cells = dict[str, dict[str, dict[str, Any]]]
"""By kind of data, case and variant."""


def variants() -> dict[str, Settings]:
    """The whole path, each correction off, and all off."""
    full = dict.fromkeys(SWITCHES, True)
    each = {name: full | {name: False} for name in SWITCHES}
    return {FULL: full, **each, NONE: dict.fromkeys(SWITCHES, False)}


def run_case(case: Case, chosen: dict[str, Settings], have: dict[str, Any]) -> dict[str, Any]:
    """Figures of the variants that are not there yet."""
    memo: dict[str, Any] = {}
    new = {}
    for name, settings in chosen.items():
        if name in have or name in CANNOT[case.data]:
            continue
        began = time.process_time()
        result, acted = run_path(case.raw(settings), settings, memo)
        figures = {k: v if math.isfinite(v) else None for k, v in case.score(result).items()}
        if name == FULL and case.data != "synthetic":
            acted |= _detected(case, settings, chosen)
        seconds = round(time.process_time() - began, 2)
        new[name] = {"figures": figures, "acted": acted, "cpu_s": seconds}
    return new


def _detected(case: Case, settings: Settings, chosen: Iterable[str]) -> dict[str, int]:
    """How often those corrections of detection acted that are tried."""
    raw = case.raw(settings)
    recover, turned, look, _ = DETECT
    count = {recover: num_added, turned: num_added, look: num_changed}
    tried = [name for name in count if name in chosen]
    return {name: count[name](raw, case.raw({**settings, name: False})) for name in tried}


def save(path: Path, cells: Cells) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"cells": cells}, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def load(path: Path) -> Cells:
    """What `save` wrote; nothing if there is no such file."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"] if path.is_file() else {}


def run(args: argparse.Namespace, path: Path) -> None:
    """All cases, one after the other."""
    chosen = variants()
    if args.variants:
        chosen = {k: v for k, v in chosen.items() if k in (FULL, *args.variants.split(","))}
    cells: Cells = {} if args.fresh else load(path)
    began = time.process_time()
    for data in args.data.split(","):
        num = QUICK[data] if args.quick else None
        for case in make_cases(data, args.poses, args.clips, args.work, num):
            cell = cells.setdefault(data, {}).setdefault(case.name, {})
            cell |= run_case(case, chosen, cell)
            save(path, cells)
            print(f"{data} {case.name}: {time.process_time() - began:.0f} s so far", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, help="the pose library")
    parser.add_argument("--clips", type=Path, default=Path("../shared/clips"), help="real clips")
    parser.add_argument("--work", type=Path, default=Path("out/ablation"), help="what is kept")
    parser.add_argument("--data", default=",".join(CANNOT), help="kinds, separated by commas")
    parser.add_argument("--variants", help="corrections to turn off, separated by commas")
    parser.add_argument("--quick", action="store_true", help="few cases of each kind")
    parser.add_argument("--fresh", action="store_true", help="forget the figures there are")
    parser.add_argument("--json", type=Path, help="default: ablation.json in the work folder")
    parser.add_argument("--table", action="store_true", help="only print what is in the JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    path = args.json or args.work / "ablation.json"
    if not args.table:
        if args.poses is None:
            parser.error("--poses is needed to run anything")
        args.work.mkdir(parents=True, exist_ok=True)
        run(args, path)
    print_tables(load(path))


if __name__ == "__main__":
    main()

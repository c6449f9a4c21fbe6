"""What the presets of `eftvideo run --preset` give and cost.

python benchmarks/presets.py --poses POSES.npz [--clips FOLDER] [--work FOLDER] [--data KINDS]

Data and figures are those of ablation.py, whose work folder (what was detected) is used: each
preset's own switches of detection choose what was detected. CPU time is that of the steps after
detection, per person-frame.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import ablation_path
import numpy as np
import torch
from ablation_cases import make_cases
from ablation_switches import CANNOT, SWITCHES

from eftvideo.config import RunConfig
from eftvideo.config.dotted import leaves, set_values
from eftvideo.config.presets import PRESETS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--clips", type=Path, default=Path("../shared/clips"))
    parser.add_argument("--work", type=Path, default=Path("out/ablation"))
    parser.add_argument("--data", default=",".join(CANNOT), help="kinds, separated by commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    plain = ablation_path.CFG
    for name, preset in PRESETS.items():
        known = leaves(set_values(RunConfig(), preset))
        settings = {switch: bool(known[switch].value) for switch in SWITCHES}
        ablation_path.CFG = set_values(plain, preset)
        for data in args.data.split(","):
            print(f"{name}, {data}: {measured(data, settings, args)}", flush=True)


def measured(data: str, settings: dict[str, bool], args: argparse.Namespace) -> str:
    """Means over the cases of one kind, in words."""
    figures, seconds, rows = [], 0.0, 0
    for case in make_cases(data, args.poses, args.clips, args.work, None):
        raw = case.raw(settings)
        began = time.process_time()
        result, _ = ablation_path.run_path(raw, settings, {})
        seconds, rows = seconds + time.process_time() - began, rows + len(result)
        figures.append(case.score(result))
    means = {k: float(np.nanmean([f[k] for f in figures])) for k in figures[0]}
    told = ", ".join(f"{k} {v:.2f}" for k, v in means.items())
    return f"{told}; {1e3 * seconds / max(rows, 1):.1f} ms"


if __name__ == "__main__":
    main()

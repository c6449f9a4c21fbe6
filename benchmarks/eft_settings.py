"""What EFT's settings do: each changed alone, warm and smoothed as the program does.

python benchmarks/eft_settings.py --poses POSES.npz [--only NAME,NAME]

The sequences and columns of `synthetic.py --sets typical`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from methods import METHODS, figures, print_header, print_row, with_fit
from sequences import NUM_FRAMES, draw_sequences
from synthetic import run_one

from eftvideo.bodies import load_body
from eftvideo.config import EftConfig, ShapeConfig
from eftvideo.regressors._load import load_regressor

SHIPPED = METHODS["eft-warm-smooth"]
GENTLE: dict[str, Any] = {
    "robust_px": 7.0,
    "pull": 0.1,
    "stall_steps": 4,
    "warm_stall_steps": 2,
    "stall_px": 0.03,
    "stay_weight": 2.0,
    "learning_rate": 5e-4,
}
"""Nearer to the regressor's own answer, in half the steps."""
SETTINGS: dict[str, dict[str, Any]] = {
    "shipped": {},
    "nothing stays": {"stay_weight": 0.0},
    "stay weight 0.3": {"stay_weight": 0.3},
    "stay weight 3": {"stay_weight": 3.0},
    "EFT's weights of legs and betas": {"leg_weight": 0.005, "betas_weight": 0.001},
    "robust at 7 px": {"robust_px": 7.0},
    "robust at 12 px": {"robust_px": 12.0},
    "momentum 0.9": {"momentum": 0.9},
    "rate 0.0004": {"learning_rate": 4e-4},
    "rate 0.001": {"learning_rate": 1e-3},
    "no pull": {"pull": 0.0},
    "pull 0.2": {"pull": 0.2},
    "stop at 2 px": {"threshold_px": 2.0},
    "warm frames wait for two steps": {"warm_stall_steps": 2},
    "gentle": GENTLE,
    "tune norm+bias": {"tune": "norm+bias"},
    "tune late": {"tune": "late"},
}
"""Changes of `EftConfig`; one line adds a row."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--only", help="names separated by commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    data = draw_sequences(args.poses, body, num_frames=NUM_FRAMES, per_clip=1)
    regressor = load_regressor(SHIPPED, "cpu", body)
    ways = {n: with_fit(SHIPPED, eft=EftConfig(**c)) for n, c in SETTINGS.items()}
    ways["shape of every frame"] = with_fit(SHIPPED, shape=ShapeConfig(enabled=False))
    names = args.only.split(",") if args.only else list(ways)
    if unknown := set(names) - ways.keys():
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ways)}")
    print_header(f"{len(data.names)} clips")
    for name in names:
        scored = [run_one(data, i, ways[name], regressor, body) for i in range(len(data.names))]
        print_row(name, figures([s for s in scored if len(s[1])]))


if __name__ == "__main__":
    main()

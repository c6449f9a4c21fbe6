"""Make a lifter larger without changing what it answers, to train on from there.

python tools/grow_lifter.py SMALL.safetensors LARGE.safetensors

The new network has the dimensions of `LifterConfig`. New blocks add nothing at first; frames and
landmarks that the old one did not look at count nothing (net2net: Chen, Goodfellow, Shlens, ICLR
2016).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from eftvideo.errors import ConfigError
from eftvideo.regressors._lifter_mirror import NUM_PLACE, PER_FRAME, PER_LOOK
from eftvideo.regressors.lifter import LifterConfig, Model


def grow(small: Model, cfg: LifterConfig) -> Model:
    """A lifter of `cfg` that answers as `small` does.

    Raises:
        ConfigError: `cfg` lacks frames, blocks or landmarks that `small` has, or has other widths.
    """
    old = small.cfg
    same = (old.width, old.hidden, old.canonical) == (cfg.width, cfg.hidden, cfg.canonical)
    times, all_times = (0.0, *old.context_offsets_s), (0.0, *cfg.context_offsets_s)
    lacks = old.num_blocks > cfg.num_blocks or old.landmarks > cfg.landmarks
    if not same or lacks or not set(times) <= set(all_times):
        raise ConfigError(f"{old} cannot grow to {cfg}")
    large = Model(cfg)
    state, known = large.state_dict(), small.state_dict()
    stem = torch.zeros_like(state["stem.weight"])
    stem[:, -NUM_PLACE:] = known["stem.weight"][:, -NUM_PLACE:]
    blocks = [(0, 0, PER_FRAME)]
    if old.landmarks:
        blocks.append((PER_FRAME * len(times), PER_FRAME * len(all_times), PER_FRAME))
        blocks.append((2 * PER_FRAME * len(times), 2 * PER_FRAME * len(all_times), PER_LOOK))
    for i, time_s in enumerate(times):
        j = all_times.index(time_s)
        for there, here, size in blocks:
            columns = known["stem.weight"][:, there + i * size : there + (i + 1) * size]
            stem[:, here + j * size : here + (j + 1) * size] = columns
    state |= known | {"stem.weight": stem}
    for i in range(old.num_blocks, cfg.num_blocks):
        for name in ("weight", "bias"):
            state[f"blocks.{i}.down.{name}"] = torch.zeros_like(state[f"blocks.{i}.down.{name}"])
    large.load_state_dict(state)
    return large.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("small", type=Path)
    parser.add_argument("large", type=Path)
    args = parser.parse_args()
    large = grow(Model.from_weights(args.small), LifterConfig())
    save_file(large.state_dict(), args.large, metadata=large.metadata())


if __name__ == "__main__":
    main()

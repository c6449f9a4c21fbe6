"""Has a change of the code changed any result? Runs the program and compares to the bit.

    python tools/golden.py record            # before: runs all cases, keeps what they gave
    python tools/golden.py check             # after: runs them again and compares
    python tools/golden.py check --rounding 1e-4 --only smplify regress

The cases are made from the example clip: one and several people, tilted people, cuts, nobody, a
network that sees pixels, and the other methods. What is recorded holds for one machine, one set of
libraries and one thread, and is not kept in the repository. Exit code 1: something differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "sports2d_demo_short.mp4"
HALF = "scale=884:496"
MIRRORED = ("split=3[a][b][c];[a]trim=start_frame=0:end_frame=14,setpts=PTS-STARTPTS[x];"
            "[b]trim=start_frame=50:end_frame=64,setpts=PTS-STARTPTS,hflip[y];"
            "[c]trim=start_frame=80:end_frame=92,setpts=PTS-STARTPTS,eq=brightness=-0.3[z];"
            "[x][y][z]concat=n=3")  # fmt: skip
CLIPS: dict[str, tuple[str, int]] = {
    "people": (HALF, 36),
    "crowd": (f"{HALF},split[a][b];[b]trim=start_frame=30,setpts=PTS-STARTPTS[c];[a][c]hstack", 20),
    "tilted": (f"{HALF},rotate=0.6:ow=884:oh=884", 24),
    "cuts": (f"{HALF},{MIRRORED}", 40),
    "nobody": (f"{HALF},crop=96:96:0:0", 8),
}
"""ffmpeg's filters on the example clip, and how many frames."""
AS_FITTED = ("--set", "refine.smooth.enabled=no")
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "people": ("people", ()),
    "crowd": ("crowd", ()),
    "tilted": ("tilted", ()),
    "cuts": ("cuts", ()),
    "nobody": ("nobody", ()),
    "hmr": (
        "people",
        ("--end", "0.15", "--regressor", "hmr", "--set", "fit.eft.num_steps=2", "--weights", "HMR"),
    ),
    "smplify": ("people", ("--end", "0.5", "--method", "smplify")),
    "regress": ("cuts", ("--method", "regress")),
    "skeleton": ("people", ("--end", "0.3", "--draw", "both", *AS_FITTED)),
}
"""The clip and the options of each run; HMR is a checkpoint of random numbers."""


def main() -> int:
    """Record or check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("record", "check"))
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "golden")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument(
        "--rounding", type=float, default=0.0, help="differences that count as none"
    )
    args = parser.parse_args()
    folder = args.folder.resolve() / args.what
    folder.mkdir(parents=True, exist_ok=True)
    same = True
    for case in args.only:
        run(case, folder)
        if args.what == "check":
            same &= compare(case, folder.parent / "record", folder, args.rounding)
        else:
            print(f"{case}: recorded", flush=True)
    return 0 if same else 1


def run(case: str, folder: Path) -> None:
    """One run of the program, its npz and overlay in `folder`/`case`."""
    name, options = CASES[case]
    clip = folder.parent / f"{name}.mp4"
    if not clip.exists():
        filters, num = CLIPS[name]
        make = ("-vf", filters, "-frames:v", str(num), "-an", "-crf", "20", "-threads", "1")
        ffmpeg("-i", str(EXAMPLE), *make, str(clip))
    out = folder / case
    known = {"HMR": str(random_hmr(folder.parent))} if "HMR" in options else {}
    command = [sys.executable, "-m", "eftvideo", "run", str(clip), "-o", str(out), "-q"]
    command += [known.get(option, option) for option in options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    clip_name = f"{name}_overlay.mp4"
    frames = ffmpeg("-i", str(out / clip_name), "-map", "0:v", "-f", "framemd5", "-")
    (out / "overlay.md5").write_text(hashlib.sha256(frames).hexdigest(), "ascii")


def random_hmr(folder: Path) -> Path:
    """A checkpoint for `--regressor hmr`."""
    path = folder / "random_hmr.pt"
    if not path.exists():
        sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
        import torch
        from hmr_files import random_tensors

        torch.save({"model": random_tensors()}, path)
    return path


def ffmpeg(*args: str) -> bytes:
    """What ffmpeg writes to its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *args]
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout


def compare(case: str, before: Path, after: Path, rounding: float) -> bool:
    """Print what differs; whether arrays and overlay are equal."""
    old, new = read(before / case), read(after / case)
    wrong = [line for name in sorted(old.keys() | new.keys()) if name != "config"
             for line in differs(name, old.get(name), new.get(name), rounding)]  # fmt: skip
    md5 = [(where / case / "overlay.md5").read_text("ascii") for where in (before, after)]
    overlay = "overlay equal" if md5[0] == md5[1] else "OVERLAY DIFFERS"
    config = changed(json.loads(str(old["config"])), json.loads(str(new["config"])))
    arrays = "arrays equal" if not wrong else "ARRAYS DIFFER: " + "; ".join(wrong)
    rows = len(new["frame"])
    print(f"{case}: {rows} rows, {arrays}, {overlay}, config {config}", flush=True)
    return not wrong and (md5[0] == md5[1] or rounding > 0.0)


def read(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of the one npz in a folder."""
    (path,) = folder.glob("*.npz")
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def differs(
    name: str, old: np.ndarray | None, new: np.ndarray | None, rounding: float
) -> Sequence[str]:
    """A few words, or none if both are the same."""
    if old is None or new is None:
        return [f"{name} is {'new' if old is None else 'gone'}"]
    if old.shape != new.shape or old.dtype != new.dtype:
        return [f"{name} {old.dtype}{old.shape} is now {new.dtype}{new.shape}"]
    if hashlib.sha256(old.tobytes()).digest() == hashlib.sha256(new.tobytes()).digest():
        return []
    if old.dtype.kind not in "fi":
        return [f"{name} was {old}, is {new}"]
    most = float(np.abs(old.astype(float) - new.astype(float)).max())
    return [] if most <= rounding else [f"{name} by up to {most:.3g}"]


def changed(old: object, new: object) -> str:
    """In words: whether two configurations are equal, or which dotted names are new or gone."""
    before, after = flat(old), flat(new)
    if before == after:
        return "equal"
    words = {
        "new": sorted(after.keys() - before.keys()),
        "gone": sorted(before.keys() - after.keys()),
        "changed": sorted(k for k in before.keys() & after.keys() if before[k] != after[k]),
    }
    return ", ".join(f"{len(names)} {word}" for word, names in words.items() if names)


def flat(value: object, name: str = "") -> dict[str, object]:
    """Nested dictionaries as one with dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, part in value.items() for k, v in flat(part, f"{name}.{key}").items()}


if __name__ == "__main__":
    raise SystemExit(main())

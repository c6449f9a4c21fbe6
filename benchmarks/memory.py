"""Peak memory of the whole program on a clip, and on the same clip many times over.

python benchmarks/memory.py CLIP [--times 10]

Each run is a process of its own; the largest resident set is what the kernel says of it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

RUN = (
    "import json, resource, sys; from eftvideo.__main__ import keep_memory; keep_memory(); "
    "from eftvideo.pipeline import run_video; "
    "r = run_video(sys.argv[1], sys.argv[2]); "
    "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
    "print(json.dumps([len(r), r.num_frames, peak]))"
)


def repeat(clip: Path, times: int, target: Path) -> None:
    """The clip again and again, without encoding it anew."""
    listed = target.with_suffix(".txt")
    listed.write_text(f"file '{clip.resolve()}'\n" * times)
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    how = ["-f", "concat", "-safe", "0", "-i", str(listed), "-c", "copy", str(target)]
    subprocess.run([ffmpeg, "-v", "error", "-y", *how], check=True)


def peak(clip: Path, out: Path) -> tuple[int, int, float]:
    """Rows, frames, and MiB of a run."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(clip), str(out)], check=True, capture_output=True, text=True
    )
    rows, frames, kib = json.loads(done.stdout.splitlines()[-1])
    return rows, frames, kib / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--times", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long = folder / f"long{args.clip.suffix}"
        repeat(args.clip, args.times, long)
        found = [peak(clip, folder) for clip in (args.clip, long)]
    for rows, frames, mib in found:
        print(f"{frames:6d} frames, {rows:6d} person-frames: {mib:7.0f} MiB")
    print(f"{100 * (found[1][2] / found[0][2] - 1):+.1f} %")


if __name__ == "__main__":
    main()

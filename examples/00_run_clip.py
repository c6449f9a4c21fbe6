"""The command line, as a shell would call it: a clip in, arrays and an overlay video out.

    python examples/00_run_clip.py                # the clip in this folder, into out/example
    python examples/00_run_clip.py CLIP FOLDER

It runs `eftvideo run CLIP -o FOLDER`; see `eftvideo run --help` for all options.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

clip = (
    Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sports2d_demo_short.mp4")
)
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("out/example")

subprocess.run(["eftvideo", "run", str(clip), "-o", str(folder)], check=True)

for file in sorted(folder.glob(f"{clip.stem}*")):
    print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")

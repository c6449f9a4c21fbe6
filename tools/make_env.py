"""Make or complete the project's environment; standard library only, called by the Makefile.

    python tools/make_env.py .venv .[dev]

pip's own output goes to a log in the environment; on the screen one line tells how far it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import venv
from pathlib import Path

INTERVAL_S = 20.0
"""Time between lines where the output is no terminal."""
WIDTH = 78
SHOWN = ("Collecting", "Downloading", "Using cached", "Building", "Installing")
"""Lines of pip that tell how far it is."""


def main() -> int:
    """Install, then write the stamps that the Makefile looks at; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="of the environment")
    parser.add_argument("target", help="what pip installs in editable form: . or .[dev]")
    args = parser.parse_args()
    folder, target = args.folder, args.target
    python = folder / "bin" / "python"
    if not works(python):
        print(f"making {folder} with Python {sys.version.split()[0]}", flush=True)
        venv.create(folder, with_pip=True, clear=folder.exists())
    print(f"installing {target} into {folder} (PyTorch is large: some minutes)", flush=True)
    log = folder / "install.log"
    code = install([str(python), "-m", "pip", "install", "-e", target], log)
    if code:
        print(f"pip failed; the end of {log}:\n", file=sys.stderr)
        print("\n".join(log.read_text(errors="replace").splitlines()[-20:]), file=sys.stderr)
        return code
    (folder / ".installed").touch()
    if "dev" in target:
        (folder / ".installed-dev").touch()
    return 0


def works(python: Path) -> bool:
    """Whether there is an environment, and its interpreter and pip still run."""
    command = [str(python), "-m", "pip", "--version"]
    return python.exists() and subprocess.run(command, capture_output=True).returncode == 0


def install(command: list[str], log: Path) -> int:
    """Run pip with its output in `log`, telling what it is at."""
    began = shown = time.monotonic()
    live = sys.stdout.isatty()
    with (
        log.open("w") as file,
        subprocess.Popen(
            [*command, "--progress-bar", "off", "--no-input"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as pip,
    ):
        assert pip.stdout is not None
        for line in pip.stdout:
            file.write(line)
            if not line.lstrip().startswith(SHOWN):
                continue
            now = time.monotonic()
            text = f"{now - began:5.0f} s  {line.strip()}"[:WIDTH]
            if live:
                print(f"\r\033[K{text}", end="", flush=True)
            elif now - shown >= INTERVAL_S:
                shown = now
                print(text, flush=True)
    done = f"{time.monotonic() - began:5.0f} s  {'failed' if pip.returncode else 'installed'}"
    print(f"\r\033[K{done}" if live else done, flush=True)
    return pip.returncode


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None

"""The program: `eftvideo`, or `python -m eftvideo`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; the exit code is the process's."""
    # Read once, when torch is imported: its threads sleep while they wait for each other. Spinning,
    # the default, makes everything many times slower as soon as another program wants a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from eftvideo.cli import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""The program: `eftvideo`, or `python -m eftvideo`."""

from __future__ import annotations

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""
_TRIM_BYTES, _MMAP_BYTES = 1 << 28, 1 << 25


def keep_memory() -> None:
    """Let glibc keep what is freed: EFT's steps free and take the same 20 MB again and again.

    Given back to the system they return page by page, which is a sixth of the fit's time. Other
    systems' libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


def main() -> None:
    """Run the command line; the exit code is the process's."""
    # Read once, when torch is imported: its threads sleep while they wait for each other. Spinning,
    # the default, makes everything many times slower as soon as another program wants a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_memory()
    try:
        from eftvideo.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

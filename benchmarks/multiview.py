"""Four cameras see one athlete: how far one view's fits are off in the others.

python benchmarks/multiview.py CALIBRATION.qca.txt CAM1.mp4 CAM2.mp4 ... --work DIR [--truth first]

The calibration is refined (cameras.json in the work folder), the athlete's joints are triangulated
from all views, once from YOLO's keypoints and once from these and the landmark networks, and every
view is then fitted alone. See docs/multiview.md for the columns. Results
of fits, detections and pictures stay in the work folder; --fresh makes the fits anew.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from multiview.run import METHODS, run

from eftvideo.errors import EftVideoError


def main() -> int:
    """Parse the options; a mistake that the user can mend is one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("calibration", type=Path, help="Qualisys calibration, cameras in order")
    parser.add_argument("clips", type=Path, nargs="+", help="one clip a camera, in that order")
    parser.add_argument("--work", type=Path, required=True, help="folder for everything made")
    parser.add_argument("--stride", type=int, default=1, help="every n-th frame")
    parser.add_argument("--method", action="append", choices=METHODS, help="only this; repeatable")
    parser.add_argument(
        "--truth", choices=("first", "both"), default="both", help="against which to score"
    )
    parser.add_argument("--regressor", default="lifter", help="by whose answers the fits begin")
    parser.add_argument("--fresh", action="store_true", help="fit anew")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("multiview").setLevel(logging.INFO)
    try:
        run(parser.parse_args())
    except EftVideoError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

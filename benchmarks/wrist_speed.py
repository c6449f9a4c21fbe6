"""How fast and how far wrists move in results of the same clip, and how much bodies shake.

python benchmarks/wrist_speed.py RAW/clip.npz SMOOTHED/clip.npz

For each track: fastest left and right wrist against the pelvis, m/s, with its frame; how far the
right wrist gets along x, y and z, m; mean acceleration of all joints in the camera's frame, m/s^2;
median 2D error, px of a 224 px crop.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from eftvideo.geometry.skeletons import SMPL24
from eftvideo.results.result import Result
from eftvideo.results.result_file import load_result

WRISTS = [SMPL24.index("left_wrist"), SMPL24.index("right_wrist")]


def describe(person: Result) -> str:
    """One line about a track of at least three frames in a row."""
    whole = np.diff(person.frame, n=1)
    three = (whole[1:] == whole[:-1])[:, None]
    step = person.time_s[2:] - person.time_s[:-2]
    wrists = (person.joints3d - person.joints3d[:, :1])[:, WRISTS]
    speed = np.linalg.norm(wrists[2:] - wrists[:-2], axis=-1) / step[:, None] * three
    joints = person.joints3d.astype(np.float64)
    second = joints[2:] - 2.0 * joints[1:-1] + joints[:-2]
    shake = np.linalg.norm(second, axis=-1) / (step[:, None] / 2.0) ** 2
    peak, at = speed.max(axis=0), person.frame[1:-1][speed.argmax(axis=0)]
    extent = np.ptp(wrists[:, 1], axis=0)
    return (
        f"{len(person):6} {peak[0]:8.2f} @{at[0]:<5}{peak[1]:8.2f} @{at[1]:<5}  "
        + " ".join(f"{v:5.2f}" for v in extent)
        + f" {shake[three[:, 0]].mean():9.1f} {np.median(person.loss_px):9.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, nargs="+")
    args = parser.parse_args()
    print("track  frames   left @frame    right @frame   extent x y z      m/s^2   2D px")
    for path in args.results:
        result = load_result(path)
        print(path)
        for i in result.track_ids:
            person = result.track(i)
            if len(person) >= 3:
                print(f"{i:5} {describe(person)}")


if __name__ == "__main__":
    main()

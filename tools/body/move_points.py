"""Move keypoints of a body file to where a network really places them.

    python -m tools.body.move_points --body weights/neutral_body.npz --out weights/neutral_body.npz

`offsets.json` beside this file has, for a keypoint of the left side or the middle, its offset in
metres for each metre of the template's height, in the T-posed template's frame (x to the person's
left, y up, z front), say `{"shoulder": [0.01, 0, 0], "landmark_heel": [0, 0, -0.01]}`. The right
side gets the mirror image; points of the middle keep x = 0. What is not named has no offset. A
body file keeps the rows as they were built (`keypoint_built`), and offsets are always from there:
the same table gives the same file, whatever was applied before. Needs nothing beyond numpy.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tools.body.npz import read, write

OFFSETS = Path(__file__).with_name("offsets.json")
REACH_M = 0.14
MIN_SHARE = 0.02  # bones that move a point less than this do not carry the offset
NUM_CANDIDATES = 400
MIRROR = np.array([-1.0, 1.0, 1.0])


def load_offsets(path: Path = OFFSETS) -> dict[str, list[float]]:
    """The table by name of point, without side."""
    return json.loads(path.read_text())


def table(names: list[str], offsets: Mapping[str, list[float]]) -> np.ndarray:
    """(K, 3) offsets of the keypoints `names`.

    Raises:
        ValueError: an offset for a point that is not there, or one that is not (x, y, z).
    """
    rows, used = np.zeros((len(names), 3)), set()
    for row, name in zip(rows, names, strict=True):
        key = sideless(name)
        if key not in offsets:
            continue
        used.add(key)
        if len(offsets[key]) != 3:
            raise ValueError(f"offset of {key} should be x, y, z, but is {offsets[key]}")
        row[:] = offsets[key]
        if "right" in name:
            row *= MIRROR
        elif "left" not in name:
            row[0] = 0.0
    unknown = sorted(set(offsets) - used)
    if unknown:
        raise ValueError(f"no such points: {', '.join(unknown)}; known: {', '.join(names)}")
    return rows


def sideless(name: str) -> str:
    """Name of a point without its side: `left_hip` to `hip`, `landmark_mouth_right` to
    `landmark_mouth`."""
    for side in ("left", "right"):
        name = name.replace(f"{side}_", "").replace(f"_{side}", "")
    return name


def moved(
    arrays: dict[str, np.ndarray], offsets: Mapping[str, list[float]]
) -> dict[str, np.ndarray]:
    """The arrays of a body file with its keypoints at `offsets` from where they were built.

    Raises:
        ValueError: see `table`.
    """
    names = [str(name) for name in arrays["keypoint_names"]]
    template = arrays["v_template"].astype(np.float64)
    offset = table(names, offsets)
    built = arrays.get("keypoint_built", arrays["keypoint_regressor"])
    regressor = built.astype(np.float64)
    weights = arrays["weights"].astype(np.float64)
    mirror = arrays["mirror_index"]
    for k, name in enumerate(names):
        if "right" in name or not offset[k].any():
            continue
        change = _change(template, weights, regressor[k], offset[k] * np.ptp(template[:, 1]))
        if "left" in name:
            regressor[k] += change
            regressor[names.index(name.replace("left", "right"))] = regressor[k][mirror]
        else:
            regressor[k] += 0.5 * (change + change[mirror])
    return arrays | {
        "keypoint_regressor": regressor.astype(np.float32),
        "keypoint_built": built.astype(np.float32),
        "keypoint_offsets": offset.astype(np.float32),
    }


def _change(
    template: np.ndarray, weights: np.ndarray, row: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """(V,) smallest change of `row` (V,) that moves its point by `shift` (3,) metres, glued on.

    Each bone keeps its share of the point and carries that share of the shift.
    """
    share, origin = row @ weights, row @ template
    bones = np.flatnonzero(share > MIN_SHARE)
    part = share[bones] / share[bones].sum()
    distance = np.linalg.norm(template - origin, axis=1)
    near = np.flatnonzero((distance < REACH_M) & (weights[:, bones].sum(1) > 0.999))
    near = near[np.argsort(distance[near], kind="stable")]
    near = near[:: max(1, len(near) // NUM_CANDIDATES)]
    held = weights[near][:, bones].T
    held = held / held.sum(0)
    place = (template[near] - origin).T
    rows = [np.ones((1, len(near))), held, *(one * place for one in held)]
    goal = np.concatenate([np.zeros(1 + len(bones)), np.outer(part, shift).ravel()])
    change = np.zeros(len(template))
    change[near] = np.linalg.lstsq(np.concatenate(rows), goal, rcond=1e-9)[0]
    return change


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--body", type=Path, required=True, help="npz file to read")
    parser.add_argument("--out", type=Path, required=True, help="npz file to write")
    parser.add_argument("--offsets", type=Path, default=OFFSETS, help="table, json")
    args = parser.parse_args()
    write(args.out, moved(read(args.body), load_offsets(args.offsets)))


if __name__ == "__main__":
    main()

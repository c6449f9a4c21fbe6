"""Toes, heels and knuckles of fitted bodies against marks made by hand on real clips.

python benchmarks/marks.py --clips FOLDER [--results FOLDER] [--out FOLDER] [--each]

`marks.json` beside this file has the marks, and says what a mark is and how exact it is. The
program runs on the clips that have marks, as it is shipped, unless --results has their npz files.
Distances are px of a 224 px crop round the marked box: median, and what 9 in 10 are within. A mark
counts as lost where nobody is found in the marked box; lost marks are in no median. Where a result
has them, the landmark network's own points are measured in the same way.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from eftvideo import Result, RunConfig, load_result, run_video
from eftvideo.config import CropConfig, DrawConfig
from eftvideo.errors import EftVideoError
from eftvideo.geometry.boxes import iou
from eftvideo.geometry.camera import project
from eftvideo.geometry.crops import CROP_SIDE_PX, square_around
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.geometry.skeletons import LANDMARK33
from eftvideo.results.posing import body_of
from eftvideo.types import SmplParams

MARKS = Path(__file__).with_name("marks.json")
KINDS = ("toe", "heel", "knuckle")
BODY_POINTS: dict[str, tuple[str, ...]] = {
    "toe": ("landmark_{side}_foot_index", "{side}_big_toe"),
    "heel": ("landmark_{side}_heel", "{side}_heel"),
    "knuckle": ("landmark_{side}_index", "{side}_hand"),
}
"""Keypoints or joints of a body that stand for a mark: the first that the body has. SMPL's hand
joint lies at the roots of the fingers, near the middle one."""
NETWORK_POINTS: dict[str, tuple[str, ...]] = {
    "toe": ("{side}_foot_index",),
    "heel": ("{side}_heel",),
    "knuckle": ("{side}_index",),
}
MIN_IOU = 0.3
"""A row whose box has less in common with the marked one is somebody else."""


@dataclass(frozen=True)
class Marked:
    """One person in one frame."""

    clip: str
    frame: int
    box: np.ndarray
    """(4,) px, xyxy."""
    points: dict[str, np.ndarray]
    """(2,) px of the full frame by name: left_toe, right_knuckle, ...; absent: cannot be seen."""

    @property
    def crop_side_px(self) -> float:
        """Side of the square crop round the box, px of the full frame."""
        _, side = square_around(torch.from_numpy(self.box)[None], CropConfig())
        return float(side[0])


@dataclass(frozen=True)
class Distance:
    """How far off one mark a point is."""

    clip: str
    frame: int
    name: str
    px: float
    """Of a 224 px crop; NaN: nobody was found there, or without this point."""

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return self.name.partition("_")[2]


def load_marks(path: Path = MARKS) -> list[Marked]:
    """All marked frames."""
    return [
        Marked(
            m["clip"],
            m["frame"],
            np.array(m["box"], float),
            {name: np.array(xy, float) for name, xy in m["points"].items()},
        )
        for m in json.loads(path.read_text(encoding="utf-8"))["frames"]
    ]


def column(name: str, table: dict[str, tuple[str, ...]], known: Sequence[str]) -> int | None:
    """Where `known` has the point that stands for the mark `name`; None: nowhere."""
    side, _, kind = name.partition("_")
    for wanted in table[kind]:
        if wanted.format(side=side) in known:
            return known.index(wanted.format(side=side))
    return None


def row_of(result: Result, marked: Marked) -> int | None:
    """The row of the marked person: the box that has most in common with theirs."""
    rows = np.flatnonzero(result.frame == marked.frame)
    if not len(rows):
        return None
    shared = iou(marked.box, result.bbox_xyxy[rows].astype(float))
    return int(rows[shared.argmax()]) if shared.max() >= MIN_IOU else None


@torch.no_grad()
def body_points(result: Result) -> tuple[tuple[str, ...], np.ndarray]:
    """The body's points in the picture.

    Returns:
        K names, keypoints before joints, and (N, K, 2) px.
    """
    body = body_of(result)
    pose = torch.from_numpy(np.concatenate([result.global_orient, result.body_pose], axis=1))
    turns = axis_angle_to_matrix(pose.unflatten(1, (24, 3)))
    params = SmplParams(turns[:, 0], turns[:, 1:], torch.from_numpy(result.betas))
    joints, keypoints = body.joints_and_keypoints(params, "all")
    points = torch.cat([keypoints, joints], dim=1) + torch.from_numpy(result.transl)[:, None]
    size_px = torch.tensor([[result.width_px, result.height_px]], dtype=points.dtype)
    px = project(points, torch.from_numpy(result.focal_length_px), size_px.expand(len(points), 2))
    return (*body.keypoint_names, *body.joint_names), px.numpy()


def network_points(result: Result) -> np.ndarray | None:
    """(N, 33, 2) px where the landmark network saw its points, NaN where it was not trusted.

    None: a result without them.
    """
    trusted = result.landmark_score > 0.0
    if not trusted.any():
        return None
    return np.where(trusted[:, None, None], result.landmarks2d[..., :2], np.nan)


def distances(
    marks: Sequence[Marked],
    result: Result,
    names: Sequence[str],
    px: np.ndarray,
    table: dict[str, tuple[str, ...]],
) -> list[Distance]:
    """How far points are off the marks of one clip.

    Args:
        marks: of this clip. names: of K points. px: (N, K, 2) points of the result's rows.
        table: which points stand for which mark.
    """
    out = []
    for m in marks:
        row = row_of(result, m)
        for name, xy in m.points.items():
            at = column(name, table, names)
            off = np.nan
            if row is not None and at is not None:
                off = np.linalg.norm(px[row, at] - xy) * CROP_SIDE_PX / m.crop_side_px
            out.append(Distance(m.clip, m.frame, name, float(off)))
    return out


def summary(found: Sequence[Distance]) -> tuple[int, int, float, float]:
    """Marks, lost ones among them, and of the others the median and the 90th percentile, px."""
    px = np.array([d.px for d in found])
    seen = px[np.isfinite(px)]
    if not len(seen):
        return len(px), len(px), float("nan"), float("nan")
    return len(px), len(px) - len(seen), float(np.median(seen)), float(np.percentile(seen, 90))


def table_of(title: str, found: Sequence[Distance]) -> str:
    """The figures of each kind of mark, of all, and of each clip."""
    lines = [f"{title:18} {'marks':>6} {'lost':>5} {'median':>7} {'9 in 10':>8}"]
    groups = {kind: [d for d in found if d.kind == kind] for kind in KINDS}
    groups["all"] = list(found)
    groups |= {
        clip: [d for d in found if d.clip == clip] for clip in dict.fromkeys(d.clip for d in found)
    }
    for name, group in groups.items():
        num, lost, median, most = summary(group)
        lines.append(f"  {name:16} {num:6d} {lost:5d} {median:7.1f} {most:8.1f}")
    return "\n".join(lines)


def result_for(clip: str, args: argparse.Namespace) -> Result:
    """What is stored for a clip, or else a fresh run."""
    if args.results is not None:
        return load_result((args.results / clip).with_suffix(".npz"))
    cfg = replace(RunConfig(), draw=DrawConfig(enabled=False), device=args.device)
    return run_video(args.clips / clip, args.out, cfg)


def measure(args: argparse.Namespace) -> None:
    """Measure all clips and print."""
    bodies: list[Distance] = []
    network: list[Distance] = []
    marks = load_marks()
    for clip in dict.fromkeys(m.clip for m in marks):
        result, mine = result_for(clip, args), [m for m in marks if m.clip == clip]
        names, px = body_points(result)
        bodies += distances(mine, result, names, px, BODY_POINTS)
        seen = network_points(result)
        if seen is not None:
            network += distances(mine, result, LANDMARK33, seen, NETWORK_POINTS)
    for title, found in (("the body's points", bodies), ("the network's own", network)):
        if found:
            print(table_of(title, found), flush=True)
        if args.each:
            for d in found:
                print(f"  {d.clip:18} {d.frame:4d} {d.name:14} {d.px:6.1f}")


def main() -> int:
    """Parse the options; a mistake that the user can mend is one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clips", type=Path, default=Path("../shared/clips"), help="their folder")
    parser.add_argument("--results", type=Path, help="folder of npz files of earlier runs")
    parser.add_argument("--out", type=Path, help="folder for the npz files of these runs")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--each", action="store_true", help="print every distance too")
    try:
        measure(parser.parse_args())
    except EftVideoError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the landmark network gets wrong on drawn people, whose truth is known.

python -m research.image_evidence.landmark_errors --poses POSES.npz [--num 1000]
    [--photos CLIP ...]

Draws people as render_pictures.py does, wider about the box; the network looks twice, first where
the true keypoints say. Its points are other points than the body's: a constant offset of each in
the frame of its bone is fitted and taken off first. Prints the constants of `LandmarkNoise`: errors
in 2D by kind of point (percent of the longer side of the box), how much of its parent's error a
point shares, logits of visibility and presence, and of the metres size, depth, lean, and what is
left.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel, load_body
from eftvideo.bodies._reduced import global_rotations
from eftvideo.evaluate.metrics import pa_mpjpe
from eftvideo.geometry import camera
from eftvideo.geometry.skeletons import LANDMARK33, LIMB12, SMPL24, mirror_index, select
from eftvideo.landmarks.look import look
from eftvideo.landmarks.regions import region_from_keypoints
from eftvideo.landmarks.runtime import Looker
from eftvideo.train.synthetic.examples import ErrorConfig, Sampling, make_examples
from eftvideo.train.synthetic.landmark_noise import HIPS, KIND_OF, KINDS, PARENTS
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.train.synthetic.observer import self_hidden
from eftvideo.train.synthetic.scenes import SceneConfig
from eftvideo.train.synthetic.sightings import landmark_rows
from research.image_evidence.picture_scenery import photographs
from research.image_evidence.render_pictures import Studio

SIDE_PX = 384
WIDER = 1.5
BATCH = 128
MIN_SCORE = 0.5
GROSS = 0.06
"""Errors beyond, in sides of the box, are not of the core."""
_BONES = {
    "shoulder": "spine3",
    "hip": "pelvis",
    **dict.fromkeys(("pinky", "index", "thumb"), "wrist"),
    **dict.fromkeys(("heel", "foot_index"), "ankle"),
}


@dataclass(frozen=True)
class Seen:
    """N drawn people."""

    points: Tensor
    """(N, 33, 3) the body's landmarks, camera frame."""
    joints: Tensor
    """(N, 24, 3)"""
    bones: Tensor
    """(N, 33, 3, 3) turns of the bones that they sit on."""
    view: tuple[Tensor, Tensor, Tensor, Tensor]
    """Centre, side, size of the full frame and focal length, as `Crops.view`."""
    betas: Tensor
    flat: Tensor
    """(N, 33, 4) px of the full frame, visibility, presence."""
    metres: Tensor
    """(N, 33, 3)"""
    score: Tensor
    """(N,)"""

    def select(self, rows: Tensor) -> Seen:
        """Some of them."""
        values: dict[str, Any] = {
            k: tuple(p[rows] for p in v) if k == "view" else v[rows] for k, v in vars(self).items()
        }
        return Seen(**values)

    def project(self, points: Tensor) -> Tensor:
        """(N, K, 3) to px of the full frame."""
        return camera.project(points, self.view[3], self.view[2])


def _bone(name: str) -> int:
    side, _, part = name.partition("_")
    if side not in ("left", "right") or part.startswith(("eye", "ear")):
        return SMPL24.index("head")
    bone = _BONES.get(part, part)
    return SMPL24.index(bone if bone in SMPL24 else f"{side}_{bone}")


def see(args: argparse.Namespace, body: BodyModel) -> Seen:
    """Draw and look."""
    library, looker = (
        MotionLibrary(args.poses, held_out=False),
        Looker("heavy", torch.device("cpu")),
    )
    studio = Studio(body, photographs(args.photos), SIDE_PX)
    rng, g = np.random.default_rng(args.seed), torch.Generator().manual_seed(args.seed)
    bones = torch.tensor([_bone(n) for n in LANDMARK33])
    rows, parts = landmark_rows(body.keypoint_names), []
    while BATCH * len(parts) < args.num:
        errors, sampling = ErrorConfig(network=None), Sampling((0.0,))
        crops, truth = make_examples(library, body, BATCH, sampling, SceneConfig(), errors, g)
        crops, truth = crops.select(truth.weight > 0), truth.select(truth.weight > 0)
        crops = replace(crops, size_px=crops.size_px * WIDER)
        images = list(studio.pictures(crops, truth, rng)[0])
        scale = (crops.size_px / SIDE_PX)[:, None, None]
        corner = (crops.center_px - crops.size_px[:, None] / 2)[:, None]
        pixels = camera.project(truth.points, crops.focal_length_px, crops.image_size_px)
        known = torch.nn.functional.pad((pixels - corner) / scale, (0, 1), value=1.0)[:, 24:41]
        whole = np.array([0.0, 0.0, SIDE_PX, SIDE_PX])
        regions = [region_from_keypoints(k.numpy(), whole) for k in known]
        looks = look(looker, images, look(looker, images, regions).next_regions)
        turns = global_rotations(truth.rotations[:, 0], truth.rotations[:, 1:]).transpose(0, 1)
        flat = torch.from_numpy(looks.landmarks.points2d)
        parts.append(
            Seen(
                truth.points[:, 24:][:, rows],
                truth.points[:, :24],
                turns[:, bones],
                crops.view,
                truth.betas,
                torch.cat([flat[..., :2] * scale + corner, flat[..., 2:]], dim=-1),
                torch.from_numpy(looks.landmarks.points3d),
                torch.from_numpy(looks.landmarks.score),
            )
        )
    studio.close()
    joined: dict[str, Any] = {
        k: tuple(torch.cat(p) for p in zip(*(getattr(s, k) for s in parts), strict=True))
        if k == "view"
        else torch.cat([getattr(s, k) for s in parts])
        for k in vars(parts[0])
    }
    return Seen(**joined)


def moved(seen: Seen, offsets: Tensor) -> Tensor:
    """(N, 33, 3) the body's points with (33, 3) metres in their bones' frames added."""
    return seen.points + (seen.bones @ offsets[:, :, None]).squeeze(-1)


def sides(seen: Seen) -> Tensor:
    """(N,) longer sides, px, of the part in the picture of the boxes round everything."""
    px = seen.project(torch.cat([seen.points, seen.joints], dim=1)).clamp(min=0.0)
    px = torch.minimum(px, seen.view[2][:, None])
    return (px.amax(dim=1) - px.amin(dim=1)).amax(dim=1).clamp(min=1.0)


def believed(seen: Seen, points: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 33) bool each: inside the picture, and hidden by the body itself."""
    px = seen.project(points)
    inside = ((px > 0) & (px < seen.view[2][:, None])).all(-1)
    return inside, self_hidden(seen.joints, points)


def fit_offsets(seen: Seen, rounds: int = 6) -> Tensor:
    """(33, 3) metres in the bones' frames that bring the points to where the network has them;
    robust least squares, left and right alike."""
    offsets = torch.zeros(33, 3)
    for _ in range(rounds):
        points = moved(seen, offsets)
        inside, hidden = believed(seen, points)
        error = (seen.flat[..., :2] - seen.project(points)) / sides(seen)[:, None, None]
        per_m = seen.view[3][:, None] / points[..., 2] / sides(seen)[:, None]
        for i in range(33):
            use = inside[:, i] & ~hidden[:, i]
            rows = seen.bones[use, i, :2] * per_m[use, i, None, None]
            weight = 1.0 / (1.0 + (error[use, i].norm(dim=1) / 0.02) ** 2)
            left = (rows * weight[:, None, None]).flatten(0, 1)
            normal = rows.flatten(0, 1).T @ left
            normal += 1e-3 * normal.diagonal().mean() * torch.eye(3)
            offsets[i] += torch.linalg.solve(normal, left.T @ error[use, i].flatten())
        twin = offsets[mirror_index(LANDMARK33)] * torch.tensor([-1.0, 1.0, 1.0])
        offsets = 0.5 * (offsets + twin)
    return offsets


def report_places(seen: Seen, points: Tensor) -> None:
    """Errors in the picture, and what the network says of its own points."""
    inside, hidden = believed(seen, points)
    error = (seen.flat[..., :2] - seen.project(points)) / sides(seen)[:, None, None]
    logits = torch.logit(seen.flat[..., 2:].clamp(1e-4, 1.0 - 1e-4))
    print("percent of the box, quantiles .5 .75 .9 .95, and logits of visibility and presence")
    for i, kind in enumerate(KINDS):
        mine = torch.eq(KIND_OF, i).expand_as(inside)
        for name, use in (
            ("seen", mine & inside & ~hidden),
            ("hidden", mine & inside & hidden),
            ("outside", mine & ~inside),
        ):
            if use.sum() < 10:
                continue
            off = 100.0 * error[use].norm(dim=-1).quantile(torch.tensor([0.5, 0.75, 0.9, 0.95]))
            said = [f"{v.mean():5.1f} +- {v.std():.1f}" for v in logits[use].T]
            print(f"{kind:9}{name:8}" + "".join(f"{v:7.2f}" for v in off), *said)
    print("share of the parent's error, and the own error along an axis, of the core")
    for i, kind in enumerate(KINDS):
        rows = [k for k in range(33) if KIND_OF[k] == i]
        above = [PARENTS[k] for k in rows]
        use = inside[:, rows] & inside[:, above] & ~hidden[:, rows]
        own, parent = error[:, rows][use], error[:, above][use]
        core = (own.norm(dim=-1) < GROSS) & (parent.norm(dim=-1) < GROSS)
        own, parent = own[core], parent[core]
        carry = torch.zeros(()) if above == rows else (own * parent).sum() / parent.square().sum()
        left = (own - carry * parent).square().mean().sqrt()
        print(f"{kind:9} {carry:.2f} {left:.4f}, core {core.float().mean():.2f}")


def report_metres(seen: Seen, points: Tensor, body: BodyModel) -> None:
    """Errors of the metres, in the axes of a camera that looks straight at the hips."""
    middle = points[:, HIPS].mean(dim=1, keepdim=True)
    center = seen.project(middle)[:, 0]
    view = camera.crop_view_rotation(center, seen.view[2], seen.view[3])
    true = (points - middle) @ view.mT
    core = select(LIMB12, LANDMARK33)
    metres = seen.metres - seen.metres[:, HIPS].mean(dim=1, keepdim=True)
    print(f"PA-MPJPE of 12 limb joints {1e3 * pa_mpjpe(metres[:, core], true[:, core]).mean():.1f}")
    told, known = (v[:, core] - v[:, core].mean(dim=1, keepdim=True) for v in (metres, true))
    scale = (told * known)[..., :2].sum((1, 2)) / known[..., :2].square().sum((1, 2))
    size = (body.mean_bone(seen.betas) / body.mean_bone(torch.zeros(1, 10))).log()
    ratio, size = scale.log() - scale.log().mean(), size - size.mean()
    slope = (ratio * size).mean() / size.square().mean()
    left = (ratio - slope * size).abs().quantile(0.68)
    print(f"size: share that is seen {1.0 + slope:.2f}, spread of what is left {left:.3f}")
    grown = true * scale[:, None, None]
    known = grown[:, core]
    normal = known.mT @ known + 0.05 * torch.eye(3)
    lean = torch.linalg.solve(normal, known.mT @ (metres - grown)[:, core, 2:])
    middle, spread = lean.median(dim=0).values[:, 0], (lean - lean.median(dim=0).values).abs()
    print("depth's change with x, y, depth: median", [f"{v:.2f}" for v in middle])
    print("  spread", [f"{v:.2f}" for v in spread[..., 0].quantile(0.68, dim=0)])
    depth = (metres - grown)[..., 2] - (grown @ lean)[..., 0]
    inside, hidden = believed(seen, points)
    for i, kind in enumerate(KINDS):
        rows = [k for k in range(33) if KIND_OF[k] == i]
        above = [PARENTS[k] for k in rows]
        use = inside[:, rows] & ~hidden[:, rows]
        own, parent = depth[:, rows][use], depth[:, above][use]
        carry = torch.zeros(()) if above == rows else (own * parent).sum() / parent.square().sum()
        off = 1e3 * (own - carry * parent).abs().quantile(0.68)
        print(f"{kind:9} shares {carry:.2f} of its parent's depth error, own {off:.0f} mm")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--num", type=int, default=1000)
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="clips for backgrounds")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    seen = see(args, body)
    found = seen.score >= MIN_SCORE
    print(f"{len(found)} people, score of {MIN_SCORE} and more: {found.float().mean():.3f}")
    seen = seen.select(found)
    points = moved(seen, fit_offsets(seen))
    report_places(seen, points)
    report_metres(seen, points, body)


if __name__ == "__main__":
    main()

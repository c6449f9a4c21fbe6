"""What a detector would report of people whose truth is known.

The errors follow those measured on yolo11n-pose (benchmarks/detector_noise.py): a tight core, a
wide tail, wrong limbs with full confidence, swapped sides, hidden joints guessed with middling
scores, joints outside the picture guessed with low ones. How much of an error stays, how much
changes and how fast was measured in four views of one athlete (benchmarks/second_look.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eftvideo.geometry.skeletons import COCO17, SMPL24, mirror_index

_KINDS = ("face", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_KIND_OF = torch.tensor(
    [_KINDS.index(k) if (k := name.split("_")[-1]) in _KINDS else 0 for name in COCO17]
)


_LIMBS = tuple(
    tuple(COCO17.index(f"{side}_{part}") for part in parts)
    for side in ("left", "right")
    for parts in (("elbow", "wrist"), ("knee", "ankle"))
)
_IN_LIMB = torch.tensor([[k in limb for k in range(17)] for limb in _LIMBS])
_TWIN = torch.where(_IN_LIMB, torch.tensor(mirror_index(COCO17)), torch.arange(17))
_MERGED_ERROR = 0.01


@dataclass(frozen=True)
class NoiseConfig:
    """Detector errors; lengths as shares of the box's longer side, in the order of _KINDS."""

    bias: tuple[float, ...] = (0.003, 0.005, 0.005, 0.0055, 0.0075, 0.0055, 0.005)
    """Constant over a window: what a person's clothes and the labels' habits do."""
    jitter: tuple[float, ...] = (0.003, 0.006, 0.007, 0.0115, 0.007, 0.007, 0.0085)
    """Changes over time."""
    jitter_new: float = 0.35
    """Share of the jitter's variance that is new in every frame; the rest is correlated."""
    jitter_time_s: float = 0.12
    """Correlation time of that rest: AR(1) of about 0.75 between frames at 30 fps."""
    tail: float = 0.6
    """Spread of the logarithm of each joint's own noise level: gives the wide tail."""
    window_tail: float = 0.35
    """The same for whole windows: some people are seen well, some badly."""
    outlier: tuple[float, ...] = (0.003, 0.010, 0.02, 0.035, 0.004, 0.015, 0.02)
    """Share of visible joints that are grossly wrong in a frame, with full confidence."""
    outlier_size: float = 0.08
    hidden_factor: float = 2.5
    """Joints behind the body or another thing are guessed with this much more error."""
    outside_error: float = 0.10
    """Joints outside the picture are guessed with this error on top, and low scores."""
    swap: float = 0.03
    """Share of windows in which left and right change places for a while."""
    merged: float = 0.05
    """Share of windows in which, for a while, both arms or both legs are seen where one is."""
    occluder: float = 0.15
    """Share of windows with something in front of part of the person."""
    dropped_frame: float = 0.06
    """Share of frames in which the person is not found at all."""
    box: float = 0.02
    """Error of each edge of the box."""
    visible_score: tuple[float, ...] = (0.80, 0.97, 0.95, 0.92, 0.985, 0.98, 0.96)
    hidden_score: tuple[float, ...] = (0.15, 0.80, 0.55, 0.50, 0.93, 0.88, 0.80)
    score_spread: float = 0.9
    """Spread of the scores' logits."""

    def of_kind(self, name: str) -> Tensor:
        """(17,) values of a per-kind field, for each COCO keypoint."""
        return torch.tensor(getattr(self, name))[_KIND_OF]


@dataclass(frozen=True)
class Observation:
    """N windows of T frames as detected."""

    keypoints: Tensor
    """(N, T, 17, 3) px, px, score."""
    xyxy: Tensor
    """(N, T, 4) px, inside the picture."""
    found: Tensor
    """(N, T) whether the person was found in the frame."""
    cover: Tensor
    """(N, T, 4) px: a box of the picture in which something stands in front; zeros: nothing."""


_SPHERES: tuple[tuple[str, str, tuple[float, ...], float], ...] = (
    ("pelvis", "neck", (0.0, 0.3, 0.6, 0.85), 0.13),
    ("head", "head", (0.0,), 0.10),
    ("left_hip", "left_knee", (0.3, 0.65), 0.075),
    ("right_hip", "right_knee", (0.3, 0.65), 0.075),
    ("left_knee", "left_ankle", (0.3, 0.7), 0.055),
    ("right_knee", "right_ankle", (0.3, 0.7), 0.055),
    ("left_elbow", "left_wrist", (0.5,), 0.04),
    ("right_elbow", "right_wrist", (0.5,), 0.04),
)
_SPHERE_A = torch.tensor([SMPL24.index(a) for a, _, ts, _ in _SPHERES for _ in ts])
_SPHERE_B = torch.tensor([SMPL24.index(b) for _, b, ts, _ in _SPHERES for _ in ts])
_SPHERE_T = torch.tensor([t for _, _, ts, _ in _SPHERES for t in ts])[:, None]
_SPHERE_R = torch.tensor([r for _, _, ts, r in _SPHERES for _ in ts])


def self_hidden(joints: Tensor, keypoints: Tensor) -> Tensor:
    """Which keypoints the body itself hides from the camera.

    The body is a handful of spheres along its bones; a keypoint is hidden where one of them lies
    well in front of it on its line of sight.

    Args:
        joints: (B, 24, 3), keypoints: (B, 17, 3), metres, camera frame.

    Returns:
        (B, 17) bool.
    """
    centers = torch.lerp(joints[:, _SPHERE_A], joints[:, _SPHERE_B], _SPHERE_T)
    ray = torch.nn.functional.normalize(keypoints, dim=-1)
    along = ray @ centers.mT
    miss = centers.square().sum(-1)[:, None] - along.square()
    distance = keypoints.norm(dim=-1, keepdim=True)
    in_front = along + 0.8 * _SPHERE_R + 0.06 < distance
    return ((miss < _SPHERE_R.square()) & in_front).any(-1)


def covered(cover: Tensor, places_px: Tensor) -> Tensor:
    """(N, T, K) bool: whether places (N, T, K, 2) lie in boxes (N, T, 4)."""
    low, high = cover[:, :, None, :2], cover[:, :, None, 2:]
    return ((places_px > low) & (places_px < high)).all(-1)


def slow_noise(
    shape: tuple[int, ...], time_s: Tensor, new: float, correlation_s: float, g: torch.Generator
) -> Tensor:
    """Unit noise (N, T, ...) at times (N, T): the share `new` of the variance is new in every
    frame, the rest AR(1) with a correlation time in seconds."""
    noise = torch.randn(shape, generator=g)
    keep = torch.exp(-time_s.diff(dim=1).abs() / correlation_s)
    keep = keep.view(*keep.shape, *([1] * (len(shape) - 2)))
    change = (1.0 - keep.square()).sqrt()
    for t in range(1, shape[1]):
        noise[:, t].mul_(change[:, t - 1]).addcmul_(keep[:, t - 1], noise[:, t - 1])
    noise *= (1.0 - new) ** 0.5
    return noise.add_(torch.randn(shape, generator=g), alpha=new**0.5)


def in_spells(num: int, time_s: Tensor, share: float, g: torch.Generator) -> Tensor:
    """(N, T) bool: in a share of windows, a spell of random length somewhere in the window."""
    span = time_s[:, -1:] - time_s[:, :1] + 1e-6
    at = (time_s - time_s[:, :1]) / span
    middle, half = torch.rand(num, 1, generator=g), torch.rand(num, 1, generator=g) ** 2 * 0.7
    return (torch.rand(num, 1, generator=g) < share) & ((at - middle).abs() <= half)


def _boxes(extent_px: Tensor, image_size: Tensor, cfg: NoiseConfig, g: torch.Generator) -> Tensor:
    """(N, T, 4) boxes round (N, T, K, 2) points, with errors, clipped to the picture."""
    low, high = extent_px.amin(dim=2), extent_px.amax(dim=2)
    limit = image_size[:, None]
    side = (high - low).amax(-1, keepdim=True)
    xyxy = torch.cat([low - 0.01 * side, high + 0.01 * side], dim=-1)
    slow = torch.randn(len(xyxy), 1, 4, generator=g)
    xyxy = xyxy + cfg.box * side * (0.8 * slow + 0.5 * torch.randn(xyxy.shape, generator=g))
    return torch.minimum(xyxy.clamp(min=0.0), torch.cat([limit, limit], dim=-1))


def _merge_limbs(
    seen: Tensor, side: Tensor, time_s: Tensor, cfg: NoiseConfig, g: torch.Generator
) -> Tensor:
    """(N, T, 17, 2) points of which one limb's lie, for a spell, on those of its twin."""
    num = len(seen)
    spell = in_spells(num, time_s, cfg.merged, g)[..., None, None]
    pick = torch.randint(len(_LIMBS), (num,), generator=g)
    theirs = _TWIN[pick].expand(seen.shape[1], -1, -1).transpose(0, 1)
    twin = torch.gather(seen, 2, theirs[..., None].expand(-1, -1, -1, 2))
    twin = twin + _MERGED_ERROR * side * torch.randn(seen.shape, generator=g)
    return torch.where(spell & _IN_LIMB[pick][:, None, :, None], twin, seen)


def observe(
    keypoints_px: Tensor,
    extent_px: Tensor,
    hidden: Tensor,
    image_size_px: Tensor,
    time_s: Tensor,
    cfg: NoiseConfig,
    g: torch.Generator,
) -> Observation:
    """Detections of people with known projections.

    Args:
        keypoints_px: (N, T, 17, 2) true COCO keypoints in the picture.
        extent_px: (N, T, K, 2) points that span the person in the picture.
        hidden: (N, T, 17) bool, hidden by the body itself.
        image_size_px: (N, 2). time_s: (N, T) ascending.
    """
    n, t = keypoints_px.shape[:2]
    limit = image_size_px[:, None, None]
    xyxy = _boxes(extent_px, image_size_px, cfg, g)
    side = (xyxy[..., 2:] - xyxy[..., :2]).amax(-1).clamp(min=1.0)[..., None, None]
    corner = torch.rand(n, 1, 2, generator=g)
    reach = torch.rand(n, 1, 2, generator=g) * 0.6 + 0.2
    covers = in_spells(n, time_s, cfg.occluder, g)[..., None]
    cover = torch.cat([corner - reach / 2, corner + reach / 2], dim=-1) * side[..., 0]
    cover = (cover + xyxy[..., :2].repeat(1, 1, 2)) * covers
    hidden = hidden | covered(cover, keypoints_px)
    level = torch.exp(
        cfg.tail * torch.randn(n, 1, 17, 1, generator=g)
        + cfg.window_tail * torch.randn(n, 1, 1, 1, generator=g)
    )
    level = level * torch.where(hidden, cfg.hidden_factor, 1.0)[..., None]
    shape = (n, t, 17, 2)
    error = cfg.of_kind("bias")[:, None] * torch.randn(n, 1, 17, 2, generator=g)
    jitter = slow_noise(shape, time_s, cfg.jitter_new, cfg.jitter_time_s, g)
    error = error + cfg.of_kind("jitter")[:, None] * jitter
    gross = torch.rand(n, t, 17, generator=g) < cfg.of_kind("outlier")
    error = error * level + gross[..., None] * cfg.outlier_size * torch.randn(shape, generator=g)
    points = keypoints_px + error * side
    swap = in_spells(n, time_s, cfg.swap, g)[..., None, None]
    index = mirror_index(COCO17)
    points = torch.where(swap, points[:, :, index], points)
    points = _merge_limbs(points, side, time_s, cfg, g)
    outside = ((points < 0.0) | (points > limit)).any(-1)
    guess = cfg.outside_error * side * torch.randn(n, 1, 17, 2, generator=g)
    points = torch.where(outside[..., None], points + guess, points)
    score = torch.where(hidden, cfg.of_kind("hidden_score"), cfg.of_kind("visible_score"))
    logit = torch.logit(score) + cfg.score_spread * torch.randn(n, t, 17, generator=g)
    outside_logit = -1.7 + 1.5 * torch.randn(n, t, 17, generator=g)
    score = torch.sigmoid(torch.where(outside, outside_logit, logit))
    found = torch.rand(n, t, generator=g) >= cfg.dropped_frame
    return Observation(torch.cat([points, score[..., None]], dim=-1), xyxy, found, cover)

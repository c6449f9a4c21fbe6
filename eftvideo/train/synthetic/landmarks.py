"""What the landmark network would report of people whose truth is known.

Its errors run down the limbs: a point has a share of its parent's error and some of its own. Errors
in 2D and in metres go together; metres are of a body of mean size whose depth is pressed flat and
whose trunk leans. Part of an error stays over a window, part changes slowly, part is new in every
frame. Sides, limbs and whole people are taken for others for a while, and what a guard has refused
is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eftvideo.geometry import camera
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.train.synthetic.landmark_noise import (
    HIPS,
    LIMBS,
    MERGING,
    ROOTS,
    TWIN,
    LandmarkNoise,
)
from eftvideo.train.synthetic.observer import in_spells, slow_noise


@dataclass(frozen=True)
class Sight:
    """N windows of T frames of people, as they are."""

    points: Tensor
    """(N, T, 33, 3) landmarks in the camera frame, metres."""
    pixels: Tensor
    """(N, T, 33, 2) where they are in the picture, px."""
    hidden: Tensor
    """(N, T, 33) bool: something is in front of them."""
    xyxy: Tensor
    """(N, T, 4) the person's box."""
    focal_length_px: Tensor
    """(N,)"""
    image_size_px: Tensor
    """(N, 2)"""
    size: Tensor
    """(N,) the person's size over the mean body's."""


def look(sight: Sight, time_s: Tensor, cfg: LandmarkNoise, g: torch.Generator) -> Tensor:
    """(N, T, 33, 7) as in `Crops.landmarks`, but px of the picture; zeros where refused.

    Args:
        sight: the truth. time_s: (N, T) ascending.
    """
    n, t = time_s.shape
    pixels, points, hidden = _taken_for(sight, time_s, cfg, g)
    side = (sight.xyxy[..., 2:] - sight.xyxy[..., :2]).amax(-1).clamp(min=1.0)[..., None, None]
    doubt = torch.randn(n, 1, 33, generator=g)
    pick = torch.randint(len(LIMBS), (n,), generator=g)
    wrong = in_spells(n, time_s, cfg.gross, g)[..., None] & LIMBS[pick][:, None]
    error = _errors(hidden, wrong, doubt, time_s, cfg, g)
    flat = torch.addcmul(pixels, error[:, :, :2].mT, side)
    outside = ((flat < 0.0) | (flat > sight.image_size_px[:, None, None])).any(-1)
    guess = cfg.outside_error * torch.randn(n, 1, 33, 2, generator=g) * side
    flat = flat.addcmul_(guess, outside[..., None].to(flat.dtype))
    middle = sight.points[:, :, HIPS].mean(dim=2)
    depth = middle[..., 2:].clamp(min=0.1)
    metres = cfg.coupled * side * depth[..., None] / sight.focal_length_px.view(-1, 1, 1, 1)
    error[:, :, 2:4].addcmul_(error[:, :, :2], metres)
    solid = torch.baddbmm(
        error[:, :, 2:].mT.flatten(0, 1),
        (points - middle[:, :, None]).flatten(0, 1),
        _as_believed(sight, middle[..., :2] / depth, cfg, g).mT,
    ).unflatten(0, (n, t))
    solid -= solid[:, :, HIPS].mean(dim=2, keepdim=True)
    seen = torch.cat(
        [flat, torch.sigmoid(_logits(hidden, outside, wrong, doubt, cfg, g)), solid], dim=-1
    )
    seen = _somebody_else(seen, sight.xyxy, time_s, cfg, g)
    there = torch.rand(n, t, generator=g) >= cfg.refused
    there &= ~in_spells(n, time_s, cfg.refused_spell, g)
    there &= torch.rand(n, 1, generator=g) >= cfg.never
    return seen.mul_(there[..., None, None])


def _taken_for(
    sight: Sight, time_s: Tensor, cfg: LandmarkNoise, g: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, points and what is hidden, as `Sight` has them, with limbs taken for others."""
    num = len(time_s)
    every = in_spells(num, time_s, cfg.swap, g)[..., None]
    legs = in_spells(num, time_s, cfg.swap_legs, g)[..., None] & LIMBS[2:4].any(0)
    pick = torch.randint(MERGING, (num,), generator=g)
    merged = in_spells(num, time_s, cfg.merged, g)[..., None] & LIMBS[pick][:, None]
    is_other = every ^ (legs | merged)
    rows, frames = is_other.any(-1).nonzero(as_tuple=True)
    seen_as = torch.where(is_other[rows, frames], TWIN, torch.arange(33))
    at = (rows[:, None], frames[:, None], seen_as)
    parts = (sight.pixels, sight.points, sight.hidden)
    pixels, points, hidden = (v.index_put((rows, frames), v[at]) for v in parts)
    return pixels, points, hidden


def _errors(
    hidden: Tensor,
    wrong: Tensor,
    doubt: Tensor,
    time_s: Tensor,
    cfg: LandmarkNoise,
    g: torch.Generator,
) -> Tensor:
    """(N, T, 5, 33): of x and y in shares of the box, and of x, y, z in metres."""
    n, t = time_s.shape
    stays = torch.tensor([cfg.stays] * 2 + [cfg.stays_m] * 3)[:, None]
    size = torch.stack([cfg.of_kind(k) for k in ("own", "own", "own_m", "own_m", "depth_m")])
    level = torch.exp(
        cfg.tail * torch.randn(n, 1, 1, 33, generator=g)
        + cfg.window_tail * torch.randn(n, 1, 1, 1, generator=g)
        + cfg.doubted * doubt[:, None]
    )
    own = slow_noise((n, t, 5, 33), time_s, cfg.new, cfg.time_s, g)
    own *= (1.0 - stays).sqrt() * size * level
    own += stays.sqrt() * size * level * torch.randn(n, 1, 5, 33, generator=g)
    more = torch.tensor([cfg.hidden_factor] * 2 + [cfg.hidden_factor_m] * 3) - 1.0
    own *= 1.0 + more[:, None] * hidden[:, :, None]
    gross = torch.tensor([cfg.gross_size] * 2 + [cfg.gross_m] * 3)
    rows, frames, points = (wrong & ROOTS).nonzero(as_tuple=True)
    own[rows, frames, :, points] += (gross * torch.randn(n, 5, generator=g))[rows]
    flat, solid = own[:, :, :2] @ cfg.chain("carry").mT, own[:, :, 2:] @ cfg.chain("carry_m").mT
    return torch.cat([flat, solid], dim=2)


def _as_believed(sight: Sight, slope: Tensor, cfg: LandmarkNoise, g: torch.Generator) -> Tensor:
    """(N * T, 3, 3) that turns camera axes into those of a camera that looks straight at the hips,
    seen at `slope` (N, T, 2), then makes a mean body, which leans and is pressed flat."""
    n, t = slope.shape[:2]
    focal = sight.focal_length_px.repeat_interleave(t)
    size = sight.image_size_px.repeat_interleave(t, dim=0)
    center = slope.flatten(0, 1) * focal[:, None] + size / 2.0
    view = camera.crop_view_rotation(center, size, focal)
    turn = torch.tensor(cfg.lean_spread_deg) * torch.randn(n, 3, generator=g)
    turn = axis_angle_to_matrix((turn + torch.tensor(cfg.lean_deg)) * (torch.pi / 180.0))
    scale = (cfg.sized - 1.0) * sight.size.log() + cfg.size * torch.randn(n, generator=g)
    press = torch.ones(n, 3)
    press[:, 2] = (cfg.flat + cfg.flat_spread * torch.randn(n, generator=g)).clamp(min=0.2)
    change = scale.exp()[:, None, None] * press[:, :, None] * turn
    return change.repeat_interleave(t, dim=0) @ view


def _logits(
    hidden: Tensor,
    outside: Tensor,
    wrong: Tensor,
    doubt: Tensor,
    cfg: LandmarkNoise,
    g: torch.Generator,
) -> Tensor:
    """(N, T, 33, 2) of visibility and presence."""
    unseen = hidden | outside
    visible = torch.where(unseen, cfg.of_kind("hidden"), cfg.of_kind("visible"))
    visible = visible - cfg.of_kind("visible_spread") * doubt - cfg.warned * wrong
    present = torch.where(outside, cfg.of_kind("absent"), cfg.present)
    spread = cfg.presence_spread * torch.randn(len(hidden), 1, 33, generator=g)
    return torch.stack([visible, present + spread * (1.0 + outside)], dim=-1)


def _somebody_else(
    seen: Tensor, xyxy: Tensor, time_s: Tensor, cfg: LandmarkNoise, g: torch.Generator
) -> Tensor:
    """Spells in which another window's person is reported, beside the own box."""
    n = len(seen)
    rows, frames = in_spells(n, time_s, cfg.other, g).nonzero(as_tuple=True)
    theirs = (rows + n // 2) % n
    low = xyxy[..., :2]
    side = (xyxy[..., 2:] - low).amax(-1, keepdim=True).clamp(min=1.0)
    away = torch.rand(n, 1, 2, generator=g) - 0.5
    other = seen[theirs, frames].clone()
    place = (other[..., :2] - low[theirs, frames][:, None]) / side[theirs, frames][:, None]
    mine = (place + away[rows]) * side[rows, frames][:, None] + low[rows, frames][:, None]
    other[..., :2] = mine
    return seen.index_put((rows, frames), other)

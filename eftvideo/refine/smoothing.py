"""Smoothing of a track without smearing it: local polynomials whose windows shrink in fast motion.

Each joint's rotations are averaged as matrices with the weights of a local quadratic fit (zero
phase: the window looks as far ahead as back) and brought back to the nearest rotation. How long the
window may be is decided for each frame: windows are made longer as long as their answers agree
within the noise. That is the rule of intersecting confidence intervals (Goldenshluger and
Nemirovski 1997; Katkovnik, IEEE Trans. Signal Processing 1999). Noise changes sign from frame to
frame and lets windows grow; a swing that a long window would flatten does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eftvideo.config import SmoothConfig
from eftvideo.geometry.rotations import nearest_rotation
from eftvideo.geometry.skeletons import SMPL24_PARENTS

_REACH = 3.0
"""Windows end at this many bandwidths; a Gaussian has nothing beyond."""
_RIDGE = 1e-3
"""Keeps the polynomial from running away where a window holds few frames."""
_MIN_NOISE = 1e-5
"""Noise of channels that do not move at all, so that nothing divides by zero."""


@dataclass(frozen=True)
class _Window:
    """The frames around each of T frames."""

    index: Tensor
    """(T, K)"""
    offset_s: Tensor
    """(T, K)"""
    inside: Tensor
    """(T, K) bool: in the clip, and in the same segment."""

    @classmethod
    def around(cls, time_s: Tensor, segment: Tensor, reach_s: float) -> _Window:
        num = len(time_s)
        at = torch.arange(num)
        low = torch.searchsorted(time_s, time_s - reach_s - 1e-9)
        high = torch.searchsorted(time_s, time_s + reach_s + 1e-9) - 1
        radius = int(torch.maximum(at - low, high - at).max())
        index = at[:, None] + torch.arange(-radius, radius + 1)
        inside = (index >= 0) & (index < num)
        index = index.clamp(0, num - 1)
        offset = time_s[index] - time_s[:, None]
        inside &= (offset.abs() <= reach_s + 1e-9) & (segment[index] == segment[:, None])
        return cls(index, offset, inside)

    def weights(self, bandwidth_s: float, frame_weight: Tensor) -> Tensor:
        """(T, K) factors of a local quadratic fit with a Gaussian window; they sum to 1."""
        d = self.offset_s / bandwidth_s
        near = self.inside & (d.abs() <= _REACH + 1e-6)
        kernel = torch.exp(-0.5 * d.square()) * frame_weight[self.index] * near
        powers = torch.stack([torch.ones_like(d), d, d.square()], dim=-1)
        moments = torch.einsum("tk,tka,tkb->tab", kernel, powers, powers)
        total = moments[:, 0, 0].clamp(min=1e-12)
        moments = moments / total[:, None, None] + torch.diag(d.new_tensor([0.0, _RIDGE, _RIDGE]))
        first = d.new_tensor([1.0, 0.0, 0.0]).expand(len(d), 3)
        factor = torch.linalg.solve(moments, first)
        return torch.einsum("tka,ta->tk", powers, factor) * kernel / total[:, None]


def smooth_track(
    rotations: Tensor,
    pelvis: Tensor,
    time_s: Tensor,
    cfg: SmoothConfig | None = None,
    *,
    starts: Tensor | None = None,
    weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Smooth one person's motion.

    Args:
        rotations: (T, 24, 3, 3): the root's in the camera frame, the others' to their parents.
        pelvis: (T, 3) metres, camera frame; z positive.
        time_s: (T,) rising, need not be even.
        cfg: how strongly.
        starts: (T,) bool: nothing is mixed across the frames where it is set (cuts, long gaps).
        weight: (T,) trust in each frame, above 0; None: all the same.

    Returns:
        New rotations and pelvis, of the same shapes and types. Direction and depth of the pelvis
        are smoothed apart: across the ray as little as the limbs, along it, where one camera knows
        least, with longer windows.
    """
    cfg = cfg or SmoothConfig()
    num = len(time_s)
    if num < 3 or cfg.strength <= 0.0:
        return rotations, pelvis
    time = time_s.detach().double().cpu()
    segment = torch.zeros(num, dtype=torch.int64) if starts is None else starts.cpu().cumsum(0)
    trust = torch.ones(num, dtype=torch.float64) if weight is None else weight.double().cpu()
    bands = [cfg.strength * b for b in cfg.bandwidths_s]
    limbs = rotations.detach().double().cpu().flatten(2)
    place = pelvis.detach().double().cpu()
    adapt = _Adaptive(time, segment, trust, cfg)
    turned = adapt.smooth(list(limbs.unbind(1)), bands, _neighbours(cfg.share_joints))
    ray = place[:, :2] / place[:, 2:]
    alone = torch.ones(1, 1, dtype=torch.float64)
    (ray,) = adapt.smooth([ray], bands, alone)
    far = [cfg.depth_factor * b for b in bands]
    (log_depth,) = adapt.smooth([place[:, 2:].log()], far, alone)
    depth = log_depth.exp()
    new = nearest_rotation(torch.stack(turned, dim=1).unflatten(2, (3, 3)))
    return new.to(rotations), torch.cat([ray * depth, depth], dim=1).to(pelvis)


def smooth_slowly(
    values: Tensor, time_s: Tensor, bandwidth_s: float, weight: Tensor | None = None
) -> Tensor:
    """Smooth what hardly changes, such as a person's shape: plain Gaussian means.

    Args:
        values: (T, D). time_s: (T,) rising. bandwidth_s: standard deviation of the window.
        weight: (T,) trust in each frame; None: all the same.
    """
    if len(values) < 2 or bandwidth_s <= 0.0:
        return values
    window = _Window.around(time_s.double(), torch.zeros_like(time_s), _REACH * bandwidth_s)
    kernel = torch.exp(-0.5 * (window.offset_s / bandwidth_s).square()) * window.inside
    if weight is not None:
        kernel = kernel * weight[window.index]
    mean = torch.einsum("tk,tkd->td", kernel, values.double()[window.index])
    return (mean / kernel.sum(1)[:, None]).to(values)


@dataclass(frozen=True)
class _Adaptive:
    """Smooths channels of one track, each with windows of its own."""

    time_s: Tensor
    segment: Tensor
    trust: Tensor
    cfg: SmoothConfig

    def smooth(self, channels: list[Tensor], bands: list[float], mix: Tensor) -> list[Tensor]:
        """Channels (T, D) each; `mix` (C, C) says how much a channel heeds others' windows."""
        window = _Window.around(self.time_s, self.segment, _REACH * bands[-1])
        factors = [window.weights(b, self.trust) for b in bands]
        votes = torch.stack([self._level(c, window, factors) for c in channels], dim=1)
        levels = self._gradual(torch.minimum(votes @ mix.T, votes + self.cfg.lead))
        return [_blend(c, levels[:, i], window, factors) for i, c in enumerate(channels)]

    def _level(self, channel: Tensor, window: _Window, factors: list[Tensor]) -> Tensor:
        """(T,) how many times the window may be made longer."""
        answers = _answers(channel, window, factors)
        spread = torch.stack([f.square().sum(1).sqrt() for f in factors])
        noise = _noise(channel, answers[min(2, len(factors) - 1)])
        agree = torch.ones(len(channel), dtype=torch.bool)
        level = torch.zeros(len(channel), dtype=torch.float64)
        for longer in range(1, len(factors)):
            gap = (answers[longer] - answers[:longer]).norm(dim=-1) / noise
            allowed = self.cfg.gate * (spread[longer] + spread[:longer])
            allowed[0] *= self.cfg.burst_gate
            agree &= (gap < allowed).all(0)
            level += agree
        return level

    def _gradual(self, levels: Tensor) -> Tensor:
        """(T, C) levels that change little from frame to frame."""
        near = _Window.around(self.time_s, self.segment, self.cfg.level_min_s)
        seen = levels[near.index].masked_fill(~near.inside[..., None], torch.inf)
        levels = seen.amin(dim=1)
        near = _Window.around(self.time_s, self.segment, _REACH * self.cfg.level_blur_s)
        kernel = torch.exp(-0.5 * (near.offset_s / self.cfg.level_blur_s).square()) * near.inside
        return torch.einsum("tk,tkc->tc", kernel, levels[near.index]) / kernel.sum(1)[:, None]


def _answers(channel: Tensor, window: _Window, factors: list[Tensor]) -> Tensor:
    """(H, T, D) the channel smoothed with each window."""
    around = channel[window.index]
    return torch.stack([torch.einsum("tk,tkd->td", f, around) for f in factors])


def _noise(channel: Tensor, smooth: Tensor) -> Tensor:
    """Typical distance between a channel and its smooth course: frames of fast motion count little.

    The median, so that half of the frames may be anything.
    """
    return (channel - smooth).norm(dim=-1).median().clamp(min=_MIN_NOISE)


def _blend(channel: Tensor, level: Tensor, window: _Window, factors: list[Tensor]) -> Tensor:
    """(T, D) the answers of each frame's own level, between two windows in proportion."""
    if len(factors) == 1:
        return _answers(channel, window, factors)[0]
    low = level.floor().clamp(0, len(factors) - 2).long()
    part = (level - low)[:, None]
    stacked, at = torch.stack(factors), torch.arange(len(level))
    factor = (1.0 - part) * stacked[low, at] + part * stacked[low + 1, at]
    return torch.einsum("tk,tkd->td", factor, channel[window.index])


def _neighbours(reach_joints: float) -> Tensor:
    """(24, 24) rows that sum to 1: how much a joint heeds the others, by steps on the skeleton.

    Errors of neighbouring joints make up for each other in the picture; very different windows
    would undo that.
    """
    num = len(SMPL24_PARENTS)
    steps = torch.full((num, num), torch.inf, dtype=torch.float64).fill_diagonal_(0.0)
    for child, parent in enumerate(SMPL24_PARENTS):
        if parent >= 0:
            steps[child, parent] = steps[parent, child] = 1.0
    for via in range(num):
        steps = torch.minimum(steps, steps[:, via : via + 1] + steps[via : via + 1])
    near = torch.exp(-steps / reach_joints)
    return near / near.sum(dim=1, keepdim=True)

"""Fast turns, which the pose library hardly has: people who spin, and who turn over in the air."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.train.synthetic.motions import Motion
from eftvideo.train.synthetic.scenes import log_uniform

PEAK_DEG_S = (150.0, 900.0)
"""Fastest moment of a turn: from stepping round to a pirouette or a somersault."""
DURATION_S = (0.2, 0.9)
MIDDLE_S = 0.7
OVER = 0.2
"""Share of turns over the person's own left-right axis; the others are about the vertical."""


def add_turns(motion: Motion, time_s: Tensor, share: float, generator: torch.Generator) -> Motion:
    """Let a share of windows turn quickly about the pelvis, somewhere in the window.

    Args:
        motion: N windows of T frames, y up.
        time_s: (N, T) seconds from the frame in question.
    """
    rows = (torch.rand(len(time_s), generator=generator) < share).nonzero().squeeze(1)
    num = len(rows)
    lot = torch.rand(3, num, generator=generator)
    peak = log_uniform(PEAK_DEG_S, lot[0]) * math.pi / 180.0
    duration = log_uniform(DURATION_S, lot[1])
    middle = MIDDLE_S * (2.0 * lot[2] - 1.0)
    sign = torch.randint(2, (num,), generator=generator) * 2.0 - 1.0
    done = ((time_s[rows] - middle[:, None]) / duration[:, None] + 0.5).clamp(0.0, 1.0)
    smooth = done * done * (3.0 - 2.0 * done)
    angle = (sign * peak * duration / 1.5)[:, None] * smooth
    sideways = motion.rotations[rows, time_s.shape[1] // 2, 0, :, 0]
    over = torch.rand(num, 1, generator=generator) < OVER
    axis = torch.where(over, sideways, torch.tensor([0.0, 1.0, 0.0]))
    rotations = motion.rotations.clone()
    turn = axis_angle_to_matrix(angle[..., None] * axis[:, None])
    rotations[rows, :, 0] = turn @ rotations[rows, :, 0]
    return Motion(rotations, motion.pelvis)

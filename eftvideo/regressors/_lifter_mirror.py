"""The lifter's numbers in the mirror."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.geometry.skeletons import COCO17, LANDMARK33, SMPL24, mirror_index
from eftvideo.regressors._raw import NUM_BETAS, NUM_POSE, NUM_RAW

PER_FRAME = 17 * 3 + 1
"""x, y and trust of each keypoint, and whether the person was seen."""
PER_LOOK = 33 * 7 + 1
"""x, y, trust and presence of each landmark, then its X, Y, Z, and whether anybody looked."""
NUM_PLACE = 4
"""Numbers that say where the crop is and how large."""


def num_inputs(num_frames: int, landmarks: bool) -> int:
    """Numbers that the lifter takes: the frames' keypoints; with landmarks, what the detector says
    beside that and the landmarks themselves; the place."""
    return num_frames * (PER_FRAME + (PER_FRAME + PER_LOOK) * landmarks) + NUM_PLACE


def mirrored_layout(num_frames: int, landmarks: bool) -> dict[str, Tensor]:
    """Where each number of the input and of the raw answer goes in the mirror, and its sign.

    The picture is mirrored left to right: x turns round, left and right joints change places, and
    of a rotation matrix the elements that mix x with another axis change sign.
    """
    parts = [_repeated(*_frame(COCO17, (3,)), num_frames)]
    if landmarks:
        parts.append(_repeated(*_frame(COCO17, (3,)), num_frames))
        parts.append(_repeated(*_frame(LANDMARK33, (4, 3)), num_frames))
    parts.append((torch.arange(NUM_PLACE), torch.tensor([-1.0, 1.0, 1.0, 1.0])))
    index, start = [], 0
    for own, _ in parts:
        index.append(start + own)
        start += len(own)
    joints = torch.tensor(mirror_index(SMPL24))
    six_d = (6 * joints[:, None] + torch.arange(6)).flatten()
    rest = torch.arange(NUM_POSE, NUM_RAW)
    return {
        "mirror_input": torch.cat(index),
        "mirror_input_sign": torch.cat([sign for _, sign in parts]),
        "mirror_raw": torch.cat([six_d, rest]),
        "mirror_raw_sign": torch.cat(
            [
                torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0, 1.0]).repeat(24),
                torch.ones(NUM_BETAS),
                torch.tensor([1.0, -1.0, 1.0]),
            ]
        ),
    }


def _frame(names: tuple[str, ...], sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """One frame's index and sign: blocks of `sizes` numbers a point, x first, then one flag."""
    twin = torch.tensor(mirror_index(names))
    index, sign, start = [], [], 0
    for size in sizes:
        index.append(start + (size * twin[:, None] + torch.arange(size)).flatten())
        sign.append(torch.tensor([-1.0] + [1.0] * (size - 1)).repeat(len(names)))
        start += size * len(names)
    return torch.cat([*index, torch.tensor([start])]), torch.cat([*sign, torch.ones(1)])


def _repeated(index: Tensor, sign: Tensor, num: int) -> tuple[Tensor, Tensor]:
    starts = len(index) * torch.arange(num)
    return (starts[:, None] + index).flatten(), sign.repeat(num)

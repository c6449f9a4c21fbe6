"""The lifter's numbers in the mirror."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.geometry.skeletons import COCO17, SMPL24, mirror_index
from eftvideo.regressors._raw import NUM_BETAS, NUM_POSE, NUM_RAW

PER_FRAME = 17 * 3 + 1
"""x, y and trust of each keypoint, and whether the person was seen."""


def mirrored_layout(num_frames: int) -> dict[str, Tensor]:
    """Where each number of the input and of the raw answer goes in the mirror, and its sign.

    The picture is mirrored left to right: x turns round, left and right joints change places, and
    of a rotation matrix the elements that mix x with another axis change sign.
    """
    keypoints = torch.tensor(mirror_index(COCO17))
    points = (3 * keypoints[:, None] + torch.arange(3)).flatten()
    frame = torch.cat([points, torch.tensor([PER_FRAME - 1])])
    frame_sign = torch.tensor([-1.0, 1.0, 1.0]).repeat(17)
    starts = PER_FRAME * torch.arange(num_frames)
    place = PER_FRAME * num_frames + torch.arange(4)
    joints = torch.tensor(mirror_index(SMPL24))
    six_d = (6 * joints[:, None] + torch.arange(6)).flatten()
    rest = torch.arange(NUM_POSE, NUM_RAW)
    return {
        "mirror_input": torch.cat([(starts[:, None] + frame).flatten(), place]),
        "mirror_input_sign": torch.cat(
            [
                torch.cat([frame_sign, torch.ones(1)]).repeat(num_frames),
                torch.tensor([-1.0, 1.0, 1.0, 1.0]),
            ]
        ),
        "mirror_raw": torch.cat([six_d, rest]),
        "mirror_raw_sign": torch.cat(
            [
                torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0, 1.0]).repeat(24),
                torch.ones(NUM_BETAS),
                torch.tensor([1.0, -1.0, 1.0]),
            ]
        ),
    }

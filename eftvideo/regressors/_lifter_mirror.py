"""The lifter's numbers in the mirror."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.skeletons import COCO17, SMPL24, mirror_index


def mirrored_layout(num_frames: int, num_raw: int) -> dict[str, Tensor]:
    """Where each number of the input and of the raw answer goes in the mirror, and its sign.

    The picture is mirrored left to right: x turns round, left and right joints change places, and
    of a rotation matrix the elements that mix x with another axis change sign.
    """
    keypoints = torch.tensor(mirror_index(COCO17))
    points = (3 * keypoints[:, None] + torch.arange(3)).flatten()
    frame = torch.cat([points, torch.tensor([51])])
    frame_sign = torch.tensor([-1.0, 1.0, 1.0]).repeat(17)
    starts = 52 * torch.arange(num_frames)
    place = 52 * num_frames + torch.arange(4)
    joints = torch.tensor(mirror_index(SMPL24))
    six_d = (6 * joints[:, None] + torch.arange(6)).flatten()
    rest = torch.arange(24 * 6, num_raw)
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
                torch.ones(10),
                torch.tensor([1.0, -1.0, 1.0]),
            ]
        ),
    }

"""People with pixels, and settings for networks that nobody trained."""

from __future__ import annotations

from dataclasses import replace

import torch

from eftvideo.config import AcceptConfig, EftConfig
from eftvideo.geometry.crops import to_crop
from eftvideo.geometry.resample import cut_out
from eftvideo.setup import Setup
from eftvideo.types import Crops
from eftvideo.video.reader import open_video
from tests.conftest import FinishedRun
from tests.eft_people import setup_of

# Steps are large, and where to go is far from the first answer.
UNTRAINED_EFT = EftConfig(
    learning_rate=1e-3,
    num_steps=60,
    robust_px=1e4,
    threshold_px=4.0,
    stall_steps=60,
    warm_stall_steps=60,
    stay_weight=0.0,
    pull=0.0,
)
UNTRAINED_ACCEPT = AcceptConfig(max_pose_change_rad=4.0, max_abs_beta=50.0)


def untrained(regressor, body, eft=UNTRAINED_EFT, **accept) -> Setup:
    """What a run works with; `accept` are other settings of `AcceptConfig`."""
    return setup_of(regressor, body, eft, accept=replace(UNTRAINED_ACCEPT, **accept))


def two_people(finished: FinishedRun, side_px: int) -> Crops:
    """Both people of the clip's first frame, their keypoints and pixels."""
    result = finished.result
    center, size, points, focal = (
        torch.from_numpy(getattr(result, name)[:2].copy())
        for name in ("crop_center_px", "crop_size_px", "keypoints2d", "focal_length_px")
    )
    image_size = torch.tensor([[float(result.width_px), float(result.height_px)]])
    frame = next(iter(open_video(finished.clip)))
    image = cut_out(frame.image, center, size, side_px)
    keypoints = to_crop(points, center, size)
    return Crops(keypoints, center, size, focal, image_size.expand(2, 2), image=image)

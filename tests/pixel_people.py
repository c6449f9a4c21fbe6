"""People with pixels, and settings for networks that nobody trained."""

from __future__ import annotations

from dataclasses import replace

from eftvideo.config import EftConfig
from eftvideo.fit.records import crops_of_rows
from eftvideo.geometry.resample import cut_out
from eftvideo.types import Crops
from eftvideo.video.reader import open_video
from tests.conftest import FinishedRun

# Steps are large, and where to go is far from the first answer.
UNTRAINED_EFT = EftConfig(
    learning_rate=1e-3,
    num_steps=60,
    robust_px=1e4,
    threshold_px=4.0,
    stall_steps=60,
    warm_stall_steps=60,
    max_pose_change_rad=4.0,
    max_abs_beta=50.0,
    stay_weight=0.0,
    pull=0.0,
)


def two_people(finished: FinishedRun, side_px: int) -> Crops:
    """Both people of the clip's first frame, their keypoints and pixels."""
    result = finished.result
    names = ("crop_center_px", "crop_size_px", "keypoints2d", "focal_length_px")
    rows = {name: getattr(result, name)[:2] for name in names}
    found = crops_of_rows(rows, (result.width_px, result.height_px), "cpu")
    frame = next(iter(open_video(finished.clip)))
    return replace(found, image=cut_out(frame.image, found.center_px, found.size_px, side_px))

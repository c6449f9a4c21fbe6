"""Square crops round boxes, and keypoints in their coordinates."""

from __future__ import annotations

import torch

from eftvideo.config import CropConfig
from eftvideo.geometry.crops import crop_people, square_around, to_crop
from eftvideo.regressors.hmr2 import Model

BOXES = torch.tensor([[10.0, 20.0, 110.0, 60.0], [0.0, 0.0, 30.0, 90.0], [5.0, 5.0, 5.0, 5.0]])


def test_square_is_centred_and_as_large_as_the_longer_side():
    center, side = square_around(BOXES, CropConfig(box_scale=1.5, min_size_px=8.0))
    torch.testing.assert_close(center, torch.tensor([[60.0, 40.0], [15.0, 45.0], [5.0, 5.0]]))
    torch.testing.assert_close(side, torch.tensor([150.0, 135.0, 8.0]))


def test_whole_box_is_in_the_upright_part_that_hmr2_sees():
    center, side = square_around(BOXES, Model.crop)
    torch.testing.assert_close(side, torch.tensor([100.0 * 256 / 192, 90.0, 8.0]))
    seen = 0.75 * side
    inside = (BOXES[:, 0] >= center[:, 0] - seen / 2 - 1e-3) & (
        BOXES[:, 2] <= center[:, 0] + seen / 2 + 1e-3
    )
    assert inside.all()


def test_corners_are_minus_one_and_one():
    center, side = square_around(BOXES, CropConfig())
    low = torch.cat([center - side[:, None] / 2, torch.ones(3, 1)], dim=1)
    high = torch.cat([center + side[:, None] / 2, torch.ones(3, 1)], dim=1)
    points = torch.stack([low, high], dim=1)
    want = torch.tensor([[-1.0, -1.0, 1.0], [1.0, 1.0, 1.0]]).expand(3, 2, 3)
    torch.testing.assert_close(to_crop(points, center, side), want)


def test_context_lies_in_the_crop_of_now():
    g = torch.Generator().manual_seed(0)
    keypoints = torch.rand(3, 17, 3, generator=g) * 100
    context = keypoints[:, None].repeat(1, 4, 1, 1)
    crops = crop_people(
        BOXES, keypoints, torch.ones(3), torch.full((3, 2), 100.0), CropConfig(), context
    )
    assert len(crops) == 3
    torch.testing.assert_close(crops.context, crops.keypoints[:, None].repeat(1, 4, 1, 1))
    torch.testing.assert_close(crops.keypoints[..., 2], keypoints[..., 2])


def test_nobody():
    crops = crop_people(
        torch.zeros(0, 4), torch.zeros(0, 17, 3), torch.zeros(0), torch.zeros(0, 2), CropConfig()
    )
    assert len(crops) == 0 and crops.context is None

"""Cameras: both ways through the crop camera, the projection by hand, the turned view."""

from __future__ import annotations

import math

import pytest
import torch

from eftvideo.config import EftConfig
from eftvideo.fit.losses import project_to_crop
from eftvideo.geometry import camera
from eftvideo.geometry.crops import CROP_SIDE_PX
from eftvideo.types import Crops


def random_crops(num=50, seed=0):
    g = torch.Generator().manual_seed(seed)
    size = torch.tensor([1280.0, 720.0]).double()
    return {
        "center_px": torch.rand(num, 2, generator=g).double() * size,
        "size_px": 50 + 600 * torch.rand(num, generator=g).double(),
        "image_size_px": size.expand(num, 2),
        "focal_length_px": 500 + 2000 * torch.rand(num, generator=g).double(),
    }


def test_translation_comes_back():
    g = torch.Generator().manual_seed(1)
    transl = torch.randn(50, 3, generator=g).double()
    transl[:, 2] = 1 + 20 * torch.rand(50, generator=g).double()
    crops = random_crops()
    pred_cam = camera.transl_to_pred_cam(transl, **crops)
    assert (pred_cam[:, 0] > 0).all()
    torch.testing.assert_close(camera.pred_cam_to_transl(pred_cam, **crops), transl)


def test_by_hand():
    """A crop of 200 px round the middle, f 1000: s = 1 stands 10 m away, tx, ty are metres."""
    transl = camera.pred_cam_to_transl(
        torch.tensor([[1.0, 0.5, -0.25]]),
        center_px=torch.tensor([[320.0, 240.0]]),
        size_px=torch.tensor([200.0]),
        image_size_px=torch.tensor([[640.0, 480.0]]),
        focal_length_px=torch.tensor([1000.0]),
    )
    torch.testing.assert_close(transl, torch.tensor([[0.5, -0.25, 10.0]]))


def test_middle_of_the_crop_is_seen_there():
    """s, 0, 0 places the body's origin on the ray through the crop's centre, wherever it is."""
    crops = random_crops()
    pred_cam = torch.tensor([[0.8, 0.0, 0.0]]).double().expand(50, 3)
    transl = camera.pred_cam_to_transl(pred_cam, **crops)
    px = camera.project(transl[:, None], crops["focal_length_px"], crops["image_size_px"])
    torch.testing.assert_close(px[:, 0], crops["center_px"])


def test_weak_camera_agrees_with_perspective_far_away():
    """u = s (x + tx) in crop coordinates (SPIN) is what the full camera shows of a far body."""
    g = torch.Generator().manual_seed(2)
    points = torch.randn(20, 17, 3, generator=g).double() * 0.4
    crops = random_crops(20)
    crops["center_px"] = crops["image_size_px"] / 2.0
    pred_cam = torch.tensor([[0.02, 0.1, -0.2]]).double().expand(20, 3)
    transl = camera.pred_cam_to_transl(pred_cam, **crops)
    keypoints = torch.zeros(20, 17, 3).double()
    seen = project_to_crop(points + transl[:, None], Crops(keypoints=keypoints, **crops))
    weak = pred_cam[:, None, :1] * (points[..., :2] + pred_cam[:, None, 1:])
    torch.testing.assert_close(seen, weak, atol=2e-3, rtol=0)


def test_project_by_hand_and_behind_the_camera():
    points = torch.tensor([[[1.0, 2.0, 4.0], [0.0, 0.0, 1.0], [0.1, 0.0, -3.0]]])
    px = camera.project(points, torch.tensor([100.0]), torch.tensor([[60.0, 40.0]]))
    want = torch.tensor([[[55.0, 70.0], [30.0, 20.0], [30.0 + 100 * 0.1 / 0.1, 20.0]]])
    torch.testing.assert_close(px, want)


def test_focal_lengths():
    assert camera.default_focal_length_px(300, 400) == 500.0
    assert camera.fov_to_focal_length_px(90.0, 640) == pytest.approx(320.0)
    for fov in (0.0, -5.0, 180.0, math.nan):
        with pytest.raises(ValueError, match="between 0 and 180"):
            camera.fov_to_focal_length_px(fov, 640)


def test_view_rotation_looks_at_the_crop():
    crops = random_crops()
    turn = camera.crop_view_rotation(
        crops["center_px"], crops["image_size_px"], crops["focal_length_px"]
    )
    eye = torch.eye(3).double().expand(50, 3, 3)
    torch.testing.assert_close(turn @ turn.mT, eye, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.det(turn), torch.ones(50).double())
    offset = crops["center_px"] - crops["image_size_px"] / 2.0
    ray = torch.cat([offset / crops["focal_length_px"][:, None], torch.ones(50, 1)], dim=1)
    ahead = torch.tensor([0.0, 0.0, 1.0]).double().expand(50, 3)
    seen = torch.nn.functional.normalize((turn @ ray[..., None]).squeeze(-1), dim=1)
    torch.testing.assert_close(seen, ahead, atol=1e-12, rtol=0)
    # The smallest such turn has its axis in the image plane: no roll.
    torch.testing.assert_close(turn[:, 0, 1], turn[:, 1, 0])


def test_gradients_reach_the_camera():
    crops = {name: value[:3] for name, value in random_crops().items()}
    pred_cam = torch.tensor([[0.9, 0.1, 0.2]]).double().repeat(3, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: camera.pred_cam_to_transl(p, **crops), pred_cam)


def test_crop_of_the_loss_is_that_of_the_paper():
    assert CROP_SIDE_PX == 224.0 and EftConfig().threshold_px < 4.0

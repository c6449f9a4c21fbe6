"""People for the tests of EFT: poses that the regressor half knows, seen without errors."""

from dataclasses import replace

import torch

from eftvideo.config import EftConfig, FitConfig, RunConfig
from eftvideo.fit.batch import Batch
from eftvideo.fit.eft.engine import Engine
from eftvideo.fit.eft.fit import fit_eft
from eftvideo.fit.eft.slots import PersonFrames
from eftvideo.geometry import camera
from eftvideo.geometry.camera import Camera
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.setup import Setup
from eftvideo.types import Crops, SmplParams

VIEW = Camera(1400.0, 1280, 720)


def setup_of(regressor, body, eft=None, **fit):
    """What a run works with; `fit` are other settings of `FitConfig`."""
    cfg = RunConfig(fit=FitConfig(eft=eft or EftConfig(), **fit))
    return Setup(cfg, regressor, body, VIEW)


def fit_cold(setup, crops):
    """EFT of N people, everybody alone."""
    return fit_eft(Batch.of(crops, setup), setup)


def fit_from(setup, crops, starts=None):
    """EFT of N people of one frame, each from a state of their own; None: cold.

    Returns the fits, and the states from which the next frame starts.
    """
    engine = Engine(Batch.of(crops, setup), setup)
    starts = starts or [None] * len(crops)
    frames = [PersonFrames([i], start) for i, start in enumerate(starts)]
    return engine.run(frames, len(crops))


def people(regressor, body, num, *, bend=0.35, seed=0):
    """Crops of people whose pose is the regressor's answer to a first guess, bent at the joints.

    Returns the crops and the true parameters.
    """
    g = torch.Generator().manual_seed(seed)
    size = torch.tensor([[1280.0, 720.0]]).expand(num, 2)
    center = size / 2 + torch.randn(num, 2, generator=g) * 100
    focal = torch.full((num,), 1400.0)
    standing = SmplParams(
        torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(num, 3, 3),
        torch.eye(3).expand(num, 23, 3, 3),
        torch.zeros(num, 10),
    )
    arms_down = torch.zeros(num, 23, 3)
    arms_down[:, 15, 2], arms_down[:, 16, 2] = -1.1, 1.1
    turn = axis_angle_to_matrix(arms_down + bend * 0.3 * torch.randn(num, 23, 3, generator=g))
    params = replace(standing, body_pose=turn)
    depth = torch.full((num, 1), 4.0)
    transl = torch.cat([(center - size / 2) / 1400.0 * depth, depth], dim=1)
    _, keypoints = body.joints_and_keypoints(params)
    px = camera.project(keypoints + transl[:, None], focal, size)
    low, high = px.amin(1), px.amax(1)
    side = (high - low).amax(1) * 1.2
    crop_center = (low + high) / 2
    xy = (px - crop_center[:, None]) / (side / 2)[:, None, None]
    crops = Crops(
        torch.cat([xy, torch.full((num, 17, 1), 0.95)], dim=-1), crop_center, side, focal, size
    )
    return crops, params

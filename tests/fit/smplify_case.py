"""People for the tests of SMPLify: how they are seen, and a setup with few steps."""

import torch

from eftvideo.config import SmplifyConfig
from eftvideo.fit.answer import answer
from eftvideo.fit.smplify.fit import fit_rows
from eftvideo.geometry import camera
from eftvideo.types import Crops
from tests import eft_people

FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
FEW = SmplifyConfig(camera_steps=12, body_steps=25, stall_steps=50)


def crops_of(body, params, transl):
    """What a detector without errors would report of bodies in a 1280 x 720 px picture."""
    num = len(params)
    size = torch.tensor([[1280.0, 720.0]]).expand(num, 2)
    focal = torch.full((num,), 1400.0)
    _, keypoints = body.joints_and_keypoints(params)
    px = camera.project(keypoints + transl[:, None], focal, size)
    low, high = px.amin(1), px.amax(1)
    side, center = (high - low).amax(1) * 1.2, (low + high) / 2
    xy = (px - center[:, None]) / (side / 2)[:, None, None]
    return Crops(torch.cat([xy, torch.full((num, 17, 1), 0.95)], -1), center, side, focal, size)


def setup_of(regressor, body, cfg=None, **other):
    cfg = cfg or SmplifyConfig()
    return eft_people.setup_of(regressor, body, method="smplify", smplify=cfg, **other)


def fit(regressor, body, crops, cfg, starts=None):
    setup = setup_of(regressor, body, cfg)
    return fit_rows(crops, answer(crops, setup), starts or [None] * len(crops), setup)

"""A setup for steps that ask neither the network nor the body."""

from __future__ import annotations

from types import SimpleNamespace

from eftvideo.config import CropConfig, RunConfig
from eftvideo.geometry.camera import Camera
from eftvideo.setup import Setup

NOBODY = SimpleNamespace(rates={"all": 1e-3}, tunable=lambda which: [], crop=CropConfig())


def setup_for(cfg=None):
    """Settings and a camera, no network and no body."""
    return Setup(cfg or RunConfig(), NOBODY, None, Camera(1400.0, 1280, 720))

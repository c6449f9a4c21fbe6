"""A setup for steps that ask neither the network nor the body."""

from __future__ import annotations

from types import SimpleNamespace

from eftvideo.config import CropConfig, RunConfig
from eftvideo.geometry.camera import Camera
from eftvideo.setup import Setup


def no_network(**more):
    """A regressor that is asked nothing but what is said here."""
    known = {"needs": "keypoints", "context_offsets_s": (), "crop": CropConfig()}
    known |= {"rates": {"all": 1e-3}, "tunable": lambda which: [], "image_scale": 1.0}
    return SimpleNamespace(**(known | more))


def setup_for(cfg=None):
    """Settings and a camera, no network and no body."""
    return Setup(cfg or RunConfig(), no_network(), None, Camera(1400.0, 1280, 720))

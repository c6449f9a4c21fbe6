"""Every default once, with its unit and its source: one file a stage. Standard library only."""

from __future__ import annotations

from eftvideo.config.clip import ClipConfig
from eftvideo.config.detect import DetectConfig, KeypointConfig
from eftvideo.config.draw import DrawConfig, DrawMode, OutputKind, RerenderConfig
from eftvideo.config.fit import AcceptConfig, CropConfig, FitConfig, Method, ShapeConfig
from eftvideo.config.methods import PUBLISHED_EFT, EftConfig, SmplifyConfig
from eftvideo.config.refine import GapConfig, RefineConfig, SmoothConfig
from eftvideo.config.run import RunConfig
from eftvideo.config.track import TrackConfig

RenderConfig = DrawConfig  # its name in version 0.1

__all__ = [
    "PUBLISHED_EFT",
    "AcceptConfig",
    "ClipConfig",
    "CropConfig",
    "DetectConfig",
    "DrawConfig",
    "DrawMode",
    "EftConfig",
    "FitConfig",
    "GapConfig",
    "KeypointConfig",
    "Method",
    "OutputKind",
    "RefineConfig",
    "RenderConfig",
    "RerenderConfig",
    "RunConfig",
    "ShapeConfig",
    "SmoothConfig",
    "SmplifyConfig",
    "TrackConfig",
]

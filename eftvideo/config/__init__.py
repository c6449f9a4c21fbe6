"""Every default once, with its unit and its source: one file a stage. Standard library only."""

from __future__ import annotations

from eftvideo.config.fit import PUBLISHED_EFT, EftConfig, SmplifyConfig, SmplifyInit
from eftvideo.config.run import (
    ClipConfig,
    CropConfig,
    DetectConfig,
    DrawMode,
    Method,
    OutputKind,
    RenderConfig,
    RerenderConfig,
    RunConfig,
    SecondLook,
    Shape,
    SmoothConfig,
    Tracker,
)

__all__ = [
    "PUBLISHED_EFT",
    "ClipConfig",
    "CropConfig",
    "DetectConfig",
    "DrawMode",
    "EftConfig",
    "Method",
    "OutputKind",
    "RenderConfig",
    "RerenderConfig",
    "RunConfig",
    "SecondLook",
    "Shape",
    "SmoothConfig",
    "SmplifyConfig",
    "SmplifyInit",
    "Tracker",
]

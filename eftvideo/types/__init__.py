"""The data that flows between the stages; people over time are in `track` and `track_fit`."""

from __future__ import annotations

from eftvideo.types.clip import VideoFrame, VideoInfo
from eftvideo.types.fits import (
    FILLED,
    FITTED,
    REJECTED,
    Crops,
    FitResult,
    Prediction,
    SmplParams,
)
from eftvideo.types.landmarks import Landmarks
from eftvideo.types.masks import Masks
from eftvideo.types.people import Detections, FrameDetections

__all__ = [
    "FILLED",
    "FITTED",
    "REJECTED",
    "Crops",
    "Detections",
    "FitResult",
    "FrameDetections",
    "Landmarks",
    "Masks",
    "Prediction",
    "SmplParams",
    "VideoFrame",
    "VideoInfo",
]

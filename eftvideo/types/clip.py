"""What is known of a clip, and its frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a clip before its frames are read.

    width_px and height_px are those of the upright picture (rotation metadata applied).
    """

    path: Path
    width_px: int
    height_px: int
    fps: Fraction
    num_frames: int
    """Frames in the file (not only in the chosen time range)."""
    duration_s: float
    rotation_deg: int
    """Clockwise turn that the file asks for: 0, 90, 180 or 270. Already applied to frames."""
    has_audio: bool


@dataclass(frozen=True)
class VideoFrame:
    """One picture: its index in the file, its presentation time and its upright RGB pixels."""

    index: int
    time_s: float
    image: np.ndarray
    """(height_px, width_px, 3) uint8, RGB."""

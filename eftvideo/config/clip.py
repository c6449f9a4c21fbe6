"""Which frames of a clip are read."""

from __future__ import annotations

from dataclasses import dataclass

from eftvideo.config.values import Count, NotNegative


@dataclass(frozen=True)
class ClipConfig:
    """Which frames are read."""

    start_s: NotNegative = 0.0
    """Time of the first frame."""
    end_s: float | None = None
    """Frames with start_s <= time < end_s; None reads to the end."""
    stride: Count = 1
    """Every n-th frame of the range."""

"""Which frames of a clip are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eftvideo.config.values import Count, NotNegative
from eftvideo.errors import ConfigError


@dataclass(frozen=True)
class ClipConfig:
    """Which frames are read."""

    start_s: NotNegative = 0.0
    """Time of the first frame."""
    end_s: float | None = None
    """Frames with start_s <= time < end_s; None reads to the end."""
    stride: Count = 1
    """Every n-th frame of the range."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise ConfigError(f"start must be 0 seconds or more, but got {self.start_s}")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise ConfigError(f"end must be after start ({self.start_s} s), but got {self.end_s} s")
        if self.stride < 1:
            raise ConfigError(f"stride must be 1 or more frames, but got {self.stride}")

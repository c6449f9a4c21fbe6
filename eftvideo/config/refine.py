"""After the fit: gaps and smoothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from eftvideo.config.values import NotNegative, Positive, Range
from eftvideo.errors import ConfigError


@dataclass(frozen=True)
class GapConfig:
    """Short gaps of a track are filled in."""

    enabled: bool = True
    """Off: gaps stay."""
    max_gap_s: NotNegative = 0.5
    """Gaps up to this are filled in, if the person has the same id before and after."""


@dataclass(frozen=True)
class SmoothConfig:
    """Smoothing of whole tracks after the fit; see docs/smoothing.md."""

    enabled: bool = True
    """Off: bodies are written as they were fitted."""

    strength: Annotated[float, Range(0, 10)] = 1.0
    """Factor of all window lengths; 0 does not smooth."""
    bandwidths_s: tuple[Positive, ...] = (0.024, 0.036, 0.054, 0.076, 0.108, 0.15, 0.216)
    """Standard deviations of the windows to choose from, seconds."""
    gate: Positive = 1.05
    """Windows grow while their answers differ by less than this many deviations of the noise."""
    burst_gate: Positive = 2.0
    """Factor of `gate` against the shortest window: only bursts are left nearly as they are."""
    share_joints: Positive = 2.0
    """Joints this many steps away on the skeleton still have a say in a joint's window."""
    lead: NotNegative = 1.0
    """A joint's window is at most this many sizes longer than its own motion allows."""
    depth_factor: Positive = 4.0
    """Windows along the ray over those across it: depth is what one camera knows least."""
    level_min_s: NotNegative = 0.034
    """A frame takes the shortest window of its neighbours within this time."""
    level_blur_s: Positive = 0.05
    """Lengths then change gradually: standard deviation of the mean over neighbours."""
    shape_bandwidth_s: NotNegative = 0.5
    """Window for the shape, which hardly changes."""
    rejected_weight: Positive = 0.3
    """Trust in rejected fits; fitted ones have 1."""
    filled_weight: Positive = 0.1
    """Trust in frames that were filled in."""

    def __post_init__(self) -> None:
        if not self.bandwidths_s:
            raise ConfigError("refine.smooth.bandwidths_s must have a window, but got none")


@dataclass(frozen=True)
class RefineConfig:
    """What is done to whole tracks after the fit."""

    gaps: GapConfig = field(default_factory=GapConfig)
    smooth: SmoothConfig = field(default_factory=SmoothConfig)

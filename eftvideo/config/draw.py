"""Drawing: the overlay of a run, and a finished result drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from eftvideo.config.values import Range, Share

DrawMode = Literal["mesh", "skeleton", "both"]
OutputKind = Literal["mp4", "gif", "png"]
X264Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]


@dataclass(frozen=True)
class DrawConfig:
    """The overlay video."""

    enabled: bool = True
    """Off: no overlay is written."""
    mode: DrawMode = "mesh"
    """Bodies, the detector's keypoints, or both."""
    opacity: Share = 0.85
    """How much a body hides of the picture."""
    crf: Annotated[int, Range(0, 51)] = 18
    """libx264 quality; 18 looks like the source."""
    preset: X264Preset = "veryfast"
    """libx264's: slower ones make smaller files."""
    report: bool = False
    """Write a page about the run too."""
    behind: bool = False
    """Leave out of a body what somebody in front of it hides, by the masks of both."""


@dataclass(frozen=True)
class RerenderConfig:
    """`eftvideo render`: a finished result drawn anew."""

    views: tuple[str, ...] = ("overlay",)
    """Pictures of the grid: those of `draw.views.VIEWS`."""
    draw: tuple[str, ...] = ()
    """How people are drawn: those of `draw.people.LAYERS`; empty: as the run drew them."""
    behind: bool | None = None
    """Bodies go behind whoever stands in front of them, in the overlay; None: as the run did."""
    plain: bool = False
    """Plain ground in the place of the clip's pictures."""
    track_ids: tuple[int, ...] = ()
    """Draw only these people; empty draws all."""
    frames: tuple[int, ...] = ()
    """Draw only these frames, by their index in the file; empty draws all that the run read."""
    output: OutputKind = "mp4"
    turn_s: float = 8.0
    """The turntable goes round once in this time."""
    trail_s: float = 0.7
    """Trails show this much of the past."""
    max_width_px: int = 1920
    """A grid of several views is shrunk to this width; one view keeps the clip's size."""
    gif_width_px: int = 640
    gif_fps: int = 12

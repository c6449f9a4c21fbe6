"""`eftvideo export`: who of a result, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ExportConfig:
    """What goes into the files of other programs."""

    track_ids: tuple[int, ...] = ()
    """Only these people; empty: all."""
    up: Literal["y", "z"] | None = None
    """Axis that points up; None: what the format usually has."""
    fps: float | None = None
    """Samples per second; None: what suits the format."""
    mean_shape: bool = False
    """amass: betas of zero, for a program that has another body than the run had."""
    metres: bool = False
    """bvh: metres in the place of centimetres."""

"""After the fit: gaps filled, tracks smoothed."""

from __future__ import annotations

from eftvideo.refine.gaps import fill_gaps
from eftvideo.refine.smooth import smooth_tracks

__all__ = ["fill_gaps", "smooth_tracks"]

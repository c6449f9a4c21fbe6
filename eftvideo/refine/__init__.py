"""After the fit: gaps filled, tracks smoothed, bodies put back onto their people."""

from __future__ import annotations

from eftvideo.refine.gaps import fill_gaps
from eftvideo.refine.realign import realign_tracks
from eftvideo.refine.smooth import smooth_tracks

__all__ = ["fill_gaps", "realign_tracks", "smooth_tracks"]

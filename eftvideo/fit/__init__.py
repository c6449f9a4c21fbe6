"""From tracks to SMPL: crops, the network's own answers, and three ways to fit."""

from __future__ import annotations

from eftvideo.fit.tracks import fit_tracks

__all__ = ["fit_tracks"]

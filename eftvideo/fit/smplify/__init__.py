"""SMPLify, the baseline: the body's own parameters, moved until the keypoints fit."""

from __future__ import annotations

from eftvideo.fit.smplify.fit import fit

__all__ = ["fit"]

"""Exemplar fine-tuning: the network's weights, tuned for each person and frame."""

from __future__ import annotations

from eftvideo.fit.eft.fit import fit

__all__ = ["fit"]

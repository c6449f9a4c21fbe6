"""Networks from a person's crop to SMPL. One file each, found by name; the seam is `Regressor`."""

from __future__ import annotations

from eftvideo.regressors._protocol import Regressor, RegressorModule

__all__ = ["Regressor", "RegressorModule"]

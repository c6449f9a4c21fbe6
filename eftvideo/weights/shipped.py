"""Files that are shipped and belong to no network and no body."""

from __future__ import annotations

from eftvideo.weights.locate import WeightSpec

POSE_PRIOR = WeightSpec(
    file="pose_prior.safetensors",
    sha256="4f8345872c9f1e9721f445947895060546eb56f3a37d4c15062aff022dccfb9e",
    licence="AGPL-3.0-or-later",
    origin="fitted by this project to CMU motion capture (tools/fit_pose_prior.py)",
)
"""SMPLify's pose prior."""

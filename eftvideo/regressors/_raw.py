"""What every regressor answers for a person: 24 rotations of six numbers, betas, a crop camera."""

from __future__ import annotations

NUM_POSE, NUM_BETAS, NUM_CAM = 24 * 6, 10, 3
RAW_SIZES = [NUM_POSE, NUM_BETAS, NUM_CAM]
NUM_RAW = sum(RAW_SIZES)

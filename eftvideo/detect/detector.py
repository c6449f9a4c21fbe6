"""Detectors: find the people of a frame, and follow them from frame to frame.

`detect.people` makes the one there is, `yolo_pose.Model`; another would keep the protocol below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from eftvideo.types import Detections


class Detector(Protocol):
    """What the pipeline asks of a detector. `detect` has no memory, `track` has."""

    batch_size: int
    """Frames of one forward pass; `detect` takes any number."""

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Everybody in each of the frames, each (H, W, 3) RGB uint8; every track_id is -1.

        Low scores are included: a tracker follows a person through them.
        """
        ...

    def track(self, people: Detections, image: np.ndarray) -> Detections:
        """The people of the next frame that belong to a track, with its id (1, 2, ...).

        Called once per frame, in order, with what `detect` gave for that frame.
        """
        ...

    def reset(self) -> None:
        """Forget all tracks (a new shot begins); ids already given are not used again."""
        ...

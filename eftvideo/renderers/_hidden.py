"""What people in front hide of a body, by the masks of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eftvideo.landmarks.masks import laid
from eftvideo.types import Masks


@dataclass(frozen=True)
class Hidden:
    """Pixels of those in front: all that are near their bodies, and others that are not the own.

    Of two people who overlap each mask often has both, so that it alone does not tell.
    """

    own: Masks
    """The person's mask; none, or all zeros, if it is not known."""
    front: Masks
    """Those of the people in front, as far as they may be theirs."""
    near: Masks
    """What of `front` is near the body of whose mask it is."""
    scale: float = 1.0
    """Size of the picture over that of the frame."""

    def scaled(self, scale: float) -> Hidden:
        """The same in a picture of another size."""
        return replace(self, scale=self.scale * scale)

    def part(self, box: tuple[int, int, int, int]) -> np.ndarray:
        """(h, w) uint8 of a part x0, y0, x1, y1 of the picture: 255 where the body is hidden."""
        own, front, near = (self._laid(m, box) for m in (self.own, self.front, self.near))
        return np.round(255.0 * np.maximum(near, front * (1.0 - own))).astype(np.uint8)

    def _laid(self, masks: Masks, box: tuple[int, int, int, int]) -> np.ndarray:
        """(h, w) the largest of several masks."""
        found = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
        for share, region in zip(masks.shares, masks.region, strict=True):
            if share.any():
                np.maximum(found, laid(share, region, box, self.scale), out=found)
        return found

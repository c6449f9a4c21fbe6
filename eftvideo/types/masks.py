"""Which pixels are a person's, of the people of a frame or of a track. Numpy; N sightings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eftvideo.types.shapes import expect_shape

SIDE = 64
"""Cells along each side of a mask."""
MOST = 15
"""The level of a cell that is wholly the person's."""


@dataclass(frozen=True)
class Masks:
    """Small masks, each of a square, turned part of its frame; all zeros where there is none.

    A row takes 2 kB: half a byte a cell puts the edge a third nearer to the network's than four
    times as many cells of one bit, which would take as much.
    """

    cells: np.ndarray
    """(N, 64, 32) uint8, rows from the square's top: two cells a byte, the left one in the upper
    half, each the share of it that is the person's, 0..15. (N, 0, 0): masks were not asked for."""
    region: np.ndarray
    """(N, 4) float32, the square in the frame: middle x px, y px, side px, and how far it is
    turned, radians, clockwise as one sees it."""

    def __post_init__(self) -> None:
        n = len(self.region)
        expect_shape("region", self.region, (None, 4))
        made = (n, SIDE, SIDE // 2)
        expect_shape("cells", self.cells, made if self.cells.shape != (n, 0, 0) else (n, 0, 0))

    def __len__(self) -> int:
        return len(self.region)

    @property
    def asked(self) -> bool:
        """Whether masks were asked for."""
        return self.cells.shape[1] > 0

    @property
    def there(self) -> np.ndarray:
        """(N,) bool: there is a mask."""
        return np.asarray(self.cells.any(axis=(1, 2)))

    @property
    def shares(self) -> np.ndarray:
        """(N, 64, 64) float32: the share of each cell that is the person's."""
        both = np.stack([self.cells >> 4, self.cells & MOST], axis=-1)
        return both.reshape(len(self), *(2 * (SIDE * self.asked,))).astype(np.float32) / MOST

    def select(self, index: np.ndarray) -> Masks:
        """The sightings at `index` (a mask or indices)."""
        return Masks(self.cells[index], self.region[index])

    @classmethod
    def of(cls, shares: np.ndarray, region: np.ndarray) -> Masks:
        """From (N, 64, 64) shares in 0..1, and regions (N, 4)."""
        level = np.round(np.clip(shares, 0.0, 1.0) * MOST).astype(np.uint8)
        return cls(level[..., ::2] << 4 | level[..., 1::2], np.asarray(region, np.float32))

    @classmethod
    def none(cls, num: int, asked: bool = False) -> Masks:
        """Of `num` people without masks."""
        size = (SIDE, SIDE // 2) if asked else (0, 0)
        return cls(np.zeros((num, *size), np.uint8), np.zeros((num, 4), np.float32))

    @classmethod
    def cat(cls, parts: Sequence[Masks]) -> Masks:
        """Those of several, one after the other; asked for if any of them was."""
        if any(p.asked for p in parts):
            parts = [p if p.asked else cls.none(len(p), asked=True) for p in parts]
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("cells", "region")))

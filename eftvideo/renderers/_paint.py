"""Pixels by OpenCV: laying a drawing over a picture, lines and dots with smooth edges.

The only file that imports cv2.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_SHIFT = 4
"""Bits behind the point in OpenCV's coordinates: a sixteenth of a pixel."""
_DARK = 0.25
"""An outline has this share of the stroke's colour."""


@dataclass(frozen=True)
class Stroke:
    """A line with round ends; a dot where both ends are the same."""

    start: tuple[float, float]
    end: tuple[float, float]
    """x, y in px of the picture, whose upper left corner is 0, 0."""
    width_px: float
    colour: tuple[float, float, float]


def blend(
    canvas: np.ndarray, box: tuple[int, int, int, int], rgba: np.ndarray, opacity: float
) -> None:
    """Shrinks `rgba` ((h, w, 4) uint8, colours multiplied by alpha) to `box` (x0, y0, x1, y1) of
    `canvas` ((H, W, 3) uint8) and lays it over what is there.
    """
    x0, y0, x1, y1 = box
    over = cv2.resize(rgba, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    under = canvas[y0:y1, x0:x1]
    alpha = over[..., 3]
    kept = cv2.convertScaleAbs(cv2.merge([alpha, alpha, alpha]), alpha=-opacity, beta=255)
    mixed = cv2.multiply(under, kept, scale=1 / 255)
    cv2.addWeighted(mixed, 1.0, cv2.cvtColor(over, cv2.COLOR_RGBA2RGB), opacity, 0.0, dst=mixed)
    under[:] = mixed


def strokes(canvas: np.ndarray, figure: list[Stroke], opacity: float) -> None:
    """Paints strokes with a thin dark outline onto `canvas` ((H, W, 3) uint8)."""
    box = _box(canvas, figure)
    if box is None:
        return
    x0, y0, x1, y1 = box
    under = canvas[y0:y1, x0:x1]
    painted = np.ascontiguousarray(under)
    for outline in (True, False):
        for stroke in figure:
            _paint(painted, stroke, (x0, y0), outline)
    cv2.addWeighted(painted, opacity, under.copy(), 1.0 - opacity, 0.0, dst=painted)
    under[:] = painted


def words(
    canvas: np.ndarray,
    text: str,
    place: tuple[float, float],
    height_px: float,
    colour: tuple[float, float, float],
    opacity: float,
) -> None:
    """Paints a line of text with a dark outline; `place` (x, y px) is its lower middle."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, height_px / 22.0
    thick = max(1, round(1.6 * size))
    (width, above), below = cv2.getTextSize(text, font, size, thick)
    origin = round(place[0] - width / 2), round(place[1] - below)
    x0, y0 = max(0, origin[0] - 4), max(0, origin[1] - above - 4)
    x1, y1 = origin[0] + width + 4, origin[1] + below + 4
    if x1 <= x0 or y1 <= y0 or x0 >= canvas.shape[1] or y0 >= canvas.shape[0]:
        return
    under = canvas[y0:y1, x0:x1]
    painted, at = np.ascontiguousarray(under), (origin[0] - x0, origin[1] - y0)
    # Newer OpenCV has fonts in which a thicker line is wider too: an outline is moved copies.
    dark = [round(255 * _DARK * c) for c in colour]
    for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1), (-1, 0), (1, 0), (0, -1), (0, 1)):
        cv2.putText(painted, text, (at[0] + dx, at[1] + dy), font, size, dark, thick, cv2.LINE_AA)
    bright = [round(255 * c) for c in colour]
    cv2.putText(painted, text, at, font, size, bright, thick, cv2.LINE_AA)
    cv2.addWeighted(painted, opacity, under.copy(), 1.0 - opacity, 0.0, dst=painted)
    under[:] = painted


def _box(canvas: np.ndarray, figure: list[Stroke]) -> tuple[int, int, int, int] | None:
    if not figure:
        return None
    ends = np.array([(*s.start, *s.end) for s in figure]).reshape(-1, 2)
    margin = max(s.width_px for s in figure) + 3
    limits = np.array([canvas.shape[1], canvas.shape[0]])
    low = np.clip(ends.min(axis=0) - margin, 0, limits).astype(int)
    high = np.clip(ends.max(axis=0) + margin + 1, 0, limits).astype(int)
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _paint(painted: np.ndarray, stroke: Stroke, origin: tuple[int, int], outline: bool) -> None:
    width = stroke.width_px + (2.0 if outline else 0.0)
    colour = [round(255 * c * (_DARK if outline else 1.0)) for c in stroke.colour]
    # OpenCV counts from the middle of the first pixel.
    start, end = (
        tuple(round((v - o - 0.5) * 2**_SHIFT) for v, o in zip(p, origin, strict=True))
        for p in (stroke.start, stroke.end)
    )
    if start == end:
        radius = max(1, round(width / 2 * 2**_SHIFT))
        cv2.circle(painted, start, radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    else:
        cv2.line(painted, start, end, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)

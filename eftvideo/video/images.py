"""Still pictures: resizing, lines and words on plain ground, PNG and JPEG files."""

from __future__ import annotations

import cv2
import numpy as np

JPEG_QUALITY = 80
_SHIFT = 4
"""Bits behind the point in OpenCV's coordinates: a sixteenth of a pixel."""


def resize(image: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """(height_px, width_px, 3) picture; the same array if it has that size already."""
    if image.shape[:2] == (height_px, width_px):
        return image
    smaller = width_px < image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(image, (width_px, height_px), interpolation=how)


def draw_lines(
    canvas: np.ndarray, lines: np.ndarray, colour: tuple[int, int, int], width_px: int = 1
) -> None:
    """Paint `lines` ((n, 2, 2) x, y in px) onto `canvas` ((H, W, 3) uint8), edges smoothed."""
    # OpenCV's coordinates have 16 bits in front of the point.
    lines = lines[(np.abs(lines) < 2**15).all(axis=(1, 2))]
    fixed = np.round((lines - 0.5) * 2**_SHIFT).astype(np.int32)
    cv2.polylines(canvas, list(fixed), False, colour, width_px, cv2.LINE_AA, _SHIFT)


def write_words(
    canvas: np.ndarray, words: str, place: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """Paint small words; `place` (x, y in px) is their lower left corner."""
    size = float(np.clip(canvas.shape[0] / 900, 0.4, 1.2))
    cv2.putText(canvas, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def jpeg_bytes(image: np.ndarray) -> bytes:
    """A JPEG file of an RGB picture (H, W, 3) uint8."""
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def jpeg_image(data: bytes) -> np.ndarray:
    """The RGB picture (H, W, 3) uint8 of a JPEG file that `jpeg_bytes` made."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def png_bytes(image: np.ndarray) -> bytes:
    """A PNG file of an RGB picture (H, W, 3) uint8."""
    return _encoded(".png", image, [])


def _encoded(suffix: str, image: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert done
    return data.tobytes()

"""What stands behind and before the people of render_pictures.py, and what a lens adds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from eftvideo.video.reader import open_video

FRAMES_A_CLIP = 24
NOISE_SHARE = 0.3
"""Share of backgrounds that are clouds of colour; the others are windows of photographs."""


def photographs(clips: Sequence[Path], longest_px: int = 640) -> list[np.ndarray]:
    """Frames spread over clips, (H, W, 3) uint8 RGB, shrunk."""
    out = []
    for path in clips:
        with open_video(path) as clip:
            step = max(1, clip.info.num_frames // FRAMES_A_CLIP)
            for frame in clip:
                if frame.index % step == 0:
                    scale = min(1.0, longest_px / max(frame.image.shape))
                    shape = frame.image.shape
                    size = (round(shape[1] * scale), round(shape[0] * scale))
                    out.append(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA))
    return out


def background(photos: Sequence[np.ndarray], side_px: int, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) uint8: a window of a photograph, turned about and tinted, or clouds of colour."""
    if not photos or rng.random() < NOISE_SHARE:
        return _clouds(side_px, rng)
    photo = photos[int(rng.integers(len(photos)))]
    height, width = photo.shape[:2]
    side = int(min(height, width) * rng.uniform(0.3, 1.0))
    x, y = rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)
    patch = cv2.resize(photo[y : y + side, x : x + side], (side_px, side_px))
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
    if rng.random() < 0.5:
        patch = cv2.GaussianBlur(patch, (0, 0), rng.uniform(0.5, 6.0))
    return tinted(patch, rng, 0.3)


def _clouds(side_px: int, rng: np.random.Generator) -> np.ndarray:
    image = np.zeros((side_px, side_px, 3), np.float32)
    for cells, strength in ((2, 70.0), (6, 35.0), (24, 20.0), (80, 12.0)):
        spread = rng.normal(0.0, rng.uniform(0.2, 1.0) * strength, (cells, cells, 1))
        spread = spread + rng.normal(0.0, 0.4 * strength, (cells, cells, 3))
        image += cv2.resize(spread.astype(np.float32), (side_px, side_px))
    for _ in range(rng.integers(0, 8)):
        x, y = rng.integers(0, side_px, 2)
        w, h = rng.integers(side_px // 16, side_px // 2, 2)
        image[y : y + h, x : x + w] += rng.normal(0.0, 40.0, 3)
    return np.clip(image + rng.uniform(40, 200), 0, 255).astype(np.uint8)


def tinted(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """(..., 3) uint8 with another gamma, contrast and white."""
    gamma = np.exp(rng.normal(0.0, strength))
    gain = np.exp(rng.normal(0.0, strength / 2) + rng.normal(0.0, strength / 5, 3))
    levels = (np.arange(256) / 255.0) ** gamma
    table = np.clip(levels[:, None] * gain * 255.0, 0, 255).astype(np.uint8)
    return np.stack([table[image[..., c], c] for c in range(3)], axis=-1)


def occluder(side_px: int, rng: np.random.Generator) -> np.ndarray:
    """(S, S) bool: a box, a disc or a bar that covers part of the picture."""
    shape = np.zeros((side_px, side_px), np.uint8)
    center = rng.uniform(0.1, 0.9, 2) * side_px
    kind = rng.integers(3)
    if kind == 0:
        size = rng.uniform(0.1, 0.45, 2) * side_px
        box = cv2.boxPoints((tuple(center), tuple(size), rng.uniform(0, 90)))  # type: ignore
        cv2.fillPoly(shape, [box.astype(np.int32)], 1)
    elif kind == 1:
        axes = (rng.uniform(0.08, 0.25, 2) * side_px).astype(int)
        place = (int(center[0]), int(center[1]))
        cv2.ellipse(shape, place, axes.tolist(), rng.uniform(0, 180), 0, 360, 1, -1)
    else:
        angle, reach = rng.uniform(0, np.pi), side_px * 1.5
        step = reach * np.array([np.cos(angle), np.sin(angle)])
        ends = [tuple(int(v) for v in center + k * step) for k in (-1, 1)]
        cv2.line(shape, ends[0], ends[1], 1, int(rng.uniform(0.02, 0.12) * side_px))
    return shape > 0


def photographed(image: np.ndarray, true_side_px: float, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) uint8 as a camera would have it: few pixels, blur, noise, JPEG, tint.

    Args:
        image: (S, S, 3) uint8.
        true_side_px: side of the crop in the clip's own pixels; below S detail is lost.
        rng: source of chance.
    """
    side = image.shape[0]
    if true_side_px < side:
        small = max(12, int(true_side_px * rng.uniform(0.8, 1.0)))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.0))
    image = tinted(image, rng, 0.15)
    noise = rng.normal(0.0, rng.uniform(0.0, 5.0), image.shape)
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(35, 95))])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return image

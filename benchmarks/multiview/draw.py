"""Pictures of one moment in all views: the triangulation, a view's detections, and fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from eftvideo.config import ClipConfig
from eftvideo.geometry.skeletons import COCO17_BONES
from eftvideo.video.reader import open_video

Layer = tuple[tuple[int, int, int], np.ndarray]
"""A colour (RGB) and (17, 2) px, NaN where not to be drawn."""
HEIGHT_PX = 800


def images_at(clip: Path, frames: Sequence[int]) -> dict[int, np.ndarray]:
    """The pictures with these indices."""
    with open_video(clip, ClipConfig()) as video:
        return {f.index: f.image for f in video if f.index in frames}


def draw_layers(image: np.ndarray, layers: Sequence[Layer]) -> np.ndarray:
    """The picture with skeletons drawn in, made `HEIGHT_PX` high."""
    out = np.ascontiguousarray(image)
    for colour, px in layers:
        for a, b in COCO17_BONES:
            if np.isfinite(px[[a, b]]).all():
                ends = [tuple(int(v) for v in px[i].round()) for i in (a, b)]
                cv2.line(out, ends[0], ends[1], colour, 5, cv2.LINE_AA)
        for p in px[np.isfinite(px).all(axis=-1)]:
            cv2.circle(out, (int(p[0]), int(p[1])), 8, colour, -1, cv2.LINE_AA)
    width = round(out.shape[1] * HEIGHT_PX / out.shape[0])
    return cv2.resize(out, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA)


def save_row(path: Path, images: Sequence[np.ndarray]) -> None:
    """Write pictures of one height side by side."""
    cv2.imwrite(str(path), np.hstack(list(images))[..., ::-1])

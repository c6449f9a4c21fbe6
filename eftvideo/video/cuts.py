"""Where a new shot begins; the only file that imports scenedetect (PySceneDetect)."""

from __future__ import annotations

import numpy as np

_COMPARED_PIXELS = 160 * 120
"""Frames are compared on a grid of about so many pixels: the mean change hardly depends on it."""
_FLASH_FRAMES = 5
"""A jump back to the picture from before, this many frames after a cut, was a flash's end."""


class CutDetector:
    """Tells cuts while frames come in order, by PySceneDetect's ContentDetector.

    Args:
        threshold: mean change of hue, saturation and brightness (0..255) that makes a cut.
    """

    def __init__(self, threshold: float) -> None:
        from scenedetect import FrameTimecode
        from scenedetect.detectors import ContentDetector

        self._timecode = FrameTimecode
        self._detector = ContentDetector(threshold=threshold, min_scene_len=0)
        self._threshold = threshold
        self._count = 0
        self._last: np.ndarray | None = None
        self._before_cut: np.ndarray | None = None
        self._since_cut = 0

    def is_cut(self, image: np.ndarray) -> bool:
        """True for the first frame of a new shot; False for the clip's first frame.

        A photographer's flash is one cut at most: the jump back from it is none.

        Args:
            image: (H, W, 3) uint8 RGB, the frame behind that of the last call.
        """
        step = max(1, round((image.shape[0] * image.shape[1] / _COMPARED_PIXELS) ** 0.5))
        small = np.ascontiguousarray(image[step // 2 :: step, step // 2 :: step])
        # The rate only names the frame; nothing is measured in seconds.
        name = self._timecode(self._count, 25.0)
        # ContentDetector wants BGR.
        jumped = bool(self._detector.process_frame(name, np.ascontiguousarray(small[..., ::-1])))
        cut = jumped and not self._ends_flash(small)
        self._since_cut += 1
        if cut:
            self._before_cut, self._since_cut = self._last, 0
        self._last = small
        self._count += 1
        return cut

    def _ends_flash(self, small: np.ndarray) -> bool:
        if self._before_cut is None or self._last is None or self._since_cut >= _FLASH_FRAMES:
            return False
        return _change(small, self._before_cut) < 0.5 * _change(small, self._last)


def _change(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())

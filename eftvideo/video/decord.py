"""Frames by decord; the only file that imports it.

What was seen of decord 0.6, and what is done about it (tests/video/test_video.py has each case):
- several threads to one decoder fail on some VP9 and H.264 files: one thread is used;
- in MPEG-TS, behind edit lists and at damage it gives wrong or repeated frames without a word:
  `fault_tol` makes it fail, and what it is known to get wrong is not given to it;
- its decoder thread runs ahead of a slow reader without limit, however small the batches (2.2 GB
  on a clip of 3120 frames at 812x720 read at 160 frames/s): only clips whose pictures all fit
  into `MAX_DECODED_BYTES` are read with it.
"""

from __future__ import annotations

import logging
import subprocess
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from eftvideo.video.probe import MediaProbe, ffmpeg_exe

_log = logging.getLogger(__name__)

MAX_DECODED_BYTES = 256 * 2**20
"""Bound of the memory that decord's running ahead can take."""
_BATCH_BYTES = 16 * 2**20
_BATCH_FRAMES = 8


def _open(path: Path) -> Any:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    # Smallest share: the first repeated frame is an error.
    reader: Any = decord.VideoReader  # its annotations lack float for fault_tol
    return reader(str(path.resolve()), num_threads=1, fault_tol=1e-9)


def can_read(media: MediaProbe) -> bool:
    """Whether decord gives the frames of this file as they are, in bounded memory."""
    if media.num_hidden or media.num_video_streams > 1 or "mpegts" in media.container:
        return False
    if len(media.ticks) * media.width_px * media.height_px * 3 > MAX_DECODED_BYTES:
        return False
    try:
        return len(_open(media.path)) == len(media.ticks)
    except Exception as e:  # decord raises bare RuntimeError, AssertionError and its own
        _log.debug("decord cannot open %s: %s", media.path, e)
        return False


def decode(media: MediaProbe, indices: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Frames at `indices` (K,) ascending, until the end or decord's first failure.

    Yields (position in `indices`, upright RGB (H, W, 3) uint8).
    """
    turn = media.rotation_deg and not _rotates()
    try:
        reader = _open(media.path)
    except Exception:  # what decord raises has no common class
        return
    fit = _BATCH_BYTES // (media.width_px * media.height_px * 3)
    size = max(1, min(_BATCH_FRAMES, fit))
    for first in range(0, len(indices), size):
        try:
            images = reader.get_batch(indices[first : first + size].tolist()).asnumpy()
        except Exception as e:  # as above
            _log.debug("decord failed at frame %d of %s: %s", indices[first], media.path, e)
            return
        for offset, image in enumerate(images):
            if turn:
                image = np.ascontiguousarray(np.rot90(image, -media.rotation_deg // 90))
            if image.shape != (media.height_px, media.width_px, 3):
                return
            yield first + offset, image


@lru_cache(maxsize=1)
def _rotates() -> bool:
    """Whether this build of decord applies rotation metadata (forks differ).

    Found with a tiny clip, white over black, that asks for half a turn.
    """
    size = 64
    pixels = bytes([255]) * (size * size // 2) + bytes(size * size // 2)
    with tempfile.TemporaryDirectory() as folder:
        plain, turned = Path(folder, "plain.mp4"), Path(folder, "turned.mp4")
        make = [ffmpeg_exe(), "-v", "error"]
        raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{size}x{size}", "-i", "-"]
        encode = ["-c:v", "libx264", "-pix_fmt", "yuv420p", str(plain)]
        subprocess.run([*make, *raw, *encode], input=pixels * 2, check=True)
        turn = ["-display_rotation", "180", "-i", str(plain), "-c", "copy", str(turned)]
        subprocess.run([*make, *turn], stdin=subprocess.DEVNULL, check=True)
        return bool(_open(turned)[0].asnumpy()[: size // 4].mean() < 128)

"""The pixels of everybody's crops, read from the clip once more, for regressors that want them.

Crops are not kept from the detection pass: whom to keep is known only when all tracks are, and
memory must not grow with the clip. Frames are read in order; the crops of the last few stay, for
warm-ups. Asking for an older one reads from the start.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from eftvideo.errors import VideoOpenError
from eftvideo.geometry.crops import square_around
from eftvideo.geometry.resample import cut_out
from eftvideo.setup import Setup
from eftvideo.types import VideoFrame
from eftvideo.types.track import Tracks


class PixelSource:
    """Crops of the people of a clip, by frame."""

    def __init__(
        self, clip: Iterable[VideoFrame], tracks: Tracks, setup: Setup, keep_frames: int
    ) -> None:
        """Nothing is read yet.

        Args:
            clip: every `for` gives its frames from the first on, as `VideoReader` does.
            tracks: all whose crops may be asked for.
            keep_frames: crops of so many frames with people in them are held.
        """
        self._clip, self._cfg = clip, setup.cfg.fit.crop
        self._side_px, self._keep = setup.regressor.crop_size_px, keep_frames
        self._scale = setup.regressor.image_scale
        self._index = tracks.timeline.frame
        self._boxes: dict[int, dict[int, np.ndarray]] = {}
        for who, track in enumerate(tracks.people):
            for at, box in zip(track.at.tolist(), track.xyxy, strict=True):
                self._boxes.setdefault(int(self._index[at]), {})[who] = box
        self._cut: OrderedDict[int, dict[int, Tensor]] = OrderedDict()
        self._reader: Iterator[VideoFrame] = iter(())
        self._reached = -1
        self.num_passes = 0
        """How often the clip was read from its start."""

    def of(self, places: Sequence[tuple[int, int]]) -> Tensor:
        """The crops of sightings: the place of the frame in the timeline, and that of the track.

        Returns:
            (N, 3, S, S) uint8 RGB, on the CPU.

        Raises:
            VideoOpenError: a frame, which was read before, would not come again.
        """
        crops = [self._one(int(self._index[at]), who) for at, who in places]
        if not crops:
            return torch.zeros(0, 3, self._side_px, self._side_px, dtype=torch.uint8)
        return torch.stack(crops)

    def _one(self, index: int, who: int) -> Tensor:
        if index not in self._cut:
            self._read_to(index)
        return self._cut[index][who]

    def _read_to(self, index: int) -> None:
        if not self.num_passes or index <= self._reached:
            self._reader, self._reached = iter(self._clip), -1
            self.num_passes += 1
            self._cut.clear()
        for frame in self._reader:
            self._reached = frame.index
            self._take(frame)
            if frame.index == index:
                return
            if frame.index > index:
                break
        raise VideoOpenError(
            f"frame {index} could not be read a second time: the file changed while it was in use"
        )

    def _take(self, frame: VideoFrame) -> None:
        boxes = self._boxes.get(frame.index)
        if boxes is None:
            return
        xyxy = torch.from_numpy(np.stack(list(boxes.values())))
        center, size = square_around(xyxy, self._cfg)
        crops = cut_out(frame.image, center, size * self._scale, self._side_px)
        self._cut[frame.index] = dict(zip(boxes, crops, strict=True))
        while len(self._cut) > self._keep:
            self._cut.popitem(last=False)

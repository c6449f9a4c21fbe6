"""The pixels of everybody's crops, read from the clip once more, for regressors that want them.

Crops are not kept from the detection pass: whom to keep is known only when all tracks are, and
memory must not grow with the clip. Frames are read in order; the crops of the last few stay, for
run-ins and for pieces that are fitted side by side. Asking for an older one reads from the start.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from eftvideo.config import CropConfig
from eftvideo.errors import VideoOpenError
from eftvideo.geometry.crops import square_around
from eftvideo.geometry.resample import cut_out
from eftvideo.types import FrameDetections, VideoFrame


class PixelSource:
    """Crops of the people of a clip, by frame."""

    def __init__(
        self,
        clip: Iterable[VideoFrame],
        frames: Sequence[FrameDetections],
        cfg: CropConfig,
        side_px: int,
        keep_frames: int,
    ) -> None:
        """Nothing is read yet.

        Args:
            clip: every `for` gives its frames from the first on, as `VideoReader` does.
            frames: all that will be asked for. cfg: how large crops are. side_px: of the result.
            keep_frames: crops of so many frames with people in them are held.
        """
        self._clip, self._cfg = clip, cfg
        self._side_px, self._keep = side_px, keep_frames
        self._people = {f.frame_index: f.people for f in frames if len(f.people)}
        self._cut: OrderedDict[int, dict[int, Tensor]] = OrderedDict()
        self._reader: Iterator[VideoFrame] = iter(())
        self._reached = -1
        self.num_passes = 0
        """How often the clip was read from its start."""

    def of(self, frame: FrameDetections) -> Tensor:
        """The crops of some or all of a frame's people.

        Returns:
            (N, 3, S, S) uint8 RGB, on the CPU.

        Raises:
            VideoOpenError: the frame, which was read before, would not come again.
        """
        ids = frame.people.track_id.tolist()
        if not ids:
            return torch.zeros(0, 3, self._side_px, self._side_px, dtype=torch.uint8)
        if frame.frame_index not in self._cut:
            self._read_to(frame.frame_index)
        known = self._cut[frame.frame_index]
        return torch.stack([known[i] for i in ids])

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
        people = self._people.get(frame.index)
        if people is None:
            return
        center, size = square_around(torch.from_numpy(people.xyxy), self._cfg)
        crops = cut_out(frame.image, center, size, self._side_px)
        self._cut[frame.index] = dict(zip(people.track_id.tolist(), crops, strict=True))
        while len(self._cut) > self._keep:
            self._cut.popitem(last=False)

"""What a long run tells whoever watches. The package never prints; the command line listens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eftvideo.types.track_table import TrackRow


class Progress:
    """Listens and says nothing; subclasses show it. Also keeps the time of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` frames begins."""

    def advance(self, frames: int, **figures: float) -> None:
        """`frames` more are done; `figures` are worth showing (people, px)."""

    def end(self) -> None:
        """The stage is over, well or not."""

    def found(self, tracks: Sequence[TrackRow]) -> None:
        """These people are in the clip and will be fitted; called once, before that."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Progress]:
        """`begin` and `end` around a block, timed."""
        began = time.perf_counter()
        self.begin(name, total)
        try:
            yield self
        finally:
            self.seconds[name] = time.perf_counter() - began
            self.end()

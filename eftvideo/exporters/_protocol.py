"""File formats that a result can be exported to: what a format is told and what it must say."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from eftvideo.exporters._motion import Motion, Up

if TYPE_CHECKING:
    from eftvideo.bodies import BodyModel
    from eftvideo.results.result import Result

__all__ = ["Exporter", "Scene", "generator"]


def generator() -> str:
    """Who wrote a file."""
    return f"eftvideo {importlib.metadata.version('eftvideo')}"


@dataclass(frozen=True)
class Scene:
    """What goes into one file."""

    people: tuple[Motion, ...]
    """One person where the format holds one."""
    result: Result
    """With the rows of these people only."""
    body: BodyModel
    up: Up | None
    """None: the camera's frame."""
    fps: float | None
    """The rate of the samples; None: they are at the times of the frames."""
    mean_shape: bool = False
    """Write betas of zero."""
    metres: bool = False
    """Metres where the format's habit is another unit."""


class Exporter(Protocol):
    """A module of this folder has a class `Model` with these; it is made without arguments."""

    suffix: ClassVar[str]
    """Of the file: `.glb`."""
    tag: ClassVar[str]
    """Goes between the result's name and the suffix: `_eft`."""
    one_person_a_file: ClassVar[bool]
    ups: ClassVar[tuple[Up | None, ...]]
    """Axes that the format allows; the first is its default."""
    no_fps: ClassVar[str]
    """Why samples at other times than the frames' make no sense; empty where they do."""

    def rate(self, clip_fps: float, wanted: float | None) -> float | None:
        """Samples per second; None keeps the frames' own times.

        Args:
            clip_fps: the usual rate of the frames. wanted: the user's choice.

        Raises:
            ConfigError: the format cannot have the rate that is wanted.
        """
        ...

    def save(self, path: Path, scene: Scene) -> None:
        """Write the file: whole or not at all.

        Raises:
            VideoWriteError: it cannot be written.
        """
        ...

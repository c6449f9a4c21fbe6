"""What the program sees in photos: each is a clip of one frame to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import numpy as np
from methods import SHIPPED

from eftvideo.config import DetectConfig
from eftvideo.config.dotted import set_values
from eftvideo.detect import people
from eftvideo.detect.detector import Detector
from eftvideo.detect.people import load_detector
from eftvideo.progress import Progress
from eftvideo.setup import Setup
from eftvideo.types import Detections, Landmarks, VideoFrame, VideoInfo
from eftvideo.types.people import stacked
from eftvideo.video.reader import VideoReader
from photos.labels import Photo

_AT_ONCE = 50
"""Photos of one file of the cache."""


LOOKS = {
    "yolo11n": (
        "detect.landmarks.network=off",
        "detect.second_look.enabled=no",
        "detect.recover.enabled=no",
    ),
    "second look": ("detect.landmarks.network=off",),
    "full": ("detect.landmarks.network=full",),
    "heavy": ("detect.landmarks.network=heavy",),
}
"""What each changes in the shipped settings."""
NETWORKS = ("full", "heavy")


class _Photos:
    """Photos as the frames of a clip."""

    info = SimpleNamespace(fps=Fraction(1))

    def __init__(self, photos: Sequence[Photo]) -> None:
        self._photos, self.num_selected = photos, len(photos)

    def __iter__(self) -> Iterator[VideoFrame]:
        for index, photo in enumerate(self._photos):
            yield VideoFrame(index, float(index), photo.image)


class _AlwaysCut:
    """Each photo is a shot of its own."""

    def __init__(self, threshold: float) -> None:
        pass

    def is_cut(self, image: np.ndarray) -> bool:
        return True


class _Remembers:
    """A detector that is not asked twice about the same pixels."""

    def __init__(self, detector: Detector, size_px: int, memory: dict[Any, Detections]) -> None:
        self._detector, self._size_px, self._memory = detector, size_px, memory
        self.batch_size, self.track, self.reset = 1, detector.track, detector.reset

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [self._one(image) for image in images]

    def _one(self, image: np.ndarray) -> Detections:
        key = (self._size_px, image.shape, image.tobytes())
        if key not in self._memory:
            self._memory[key] = self._detector.detect([image])[0]
        return self._memory[key]


def seen_in(
    photos: Sequence[Photo], setups: Mapping[str, Setup], cache: Path
) -> dict[str, list[Detections]]:
    """Everybody in each photo, to each of some setups that have the same detector.

    What `cache`, a folder, holds under the same settings is not looked for again.
    """
    out: dict[str, list[Detections]] = {name: [] for name in setups}
    for start in range(0, len(photos), _AT_ONCE):
        some, memory = photos[start : start + _AT_ONCE], {}
        for name, setup in setups.items():
            path = cache / _digest(setup) / f"{some[0].path.stem}_{len(some)}.npz"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _save(path, _look(some, setup, memory))
                print(f"{name}: {start + len(some)} of {len(photos)} photos", flush=True)
            out[name] += _load(path)
    return out


def _digest(setup: Setup) -> str:
    settings = f"{setup.cfg.detect} {setup.cfg.keypoints.min_score}"
    return hashlib.sha256(settings.encode()).hexdigest()[:12]


def _look(photos: Sequence[Photo], setup: Setup, memory: dict[Any, Detections]) -> list[Detections]:
    def load(cfg: DetectConfig, device: str, rate: float = 30.0) -> Any:
        return _Remembers(load_detector(cfg, device, rate), cfg.image_size, memory)

    clip = cast(VideoReader, _Photos(photos))
    always_cut = mock.patch.object(people, "CutDetector", _AlwaysCut)
    with always_cut, mock.patch.object(people, "load_detector", load):
        frames = people.detect_people(clip, setup, Progress())
    return [frame.people for frame in frames]


def _save(path: Path, found: Sequence[Detections]) -> None:
    everybody = stacked(found)
    arrays: dict[str, Any] = {n: getattr(everybody, n) for n in _OWN}
    arrays |= {f"landmarks_{n}": getattr(everybody.landmarks, n) for n in _MARKS}
    np.savez_compressed(path, number=[len(p) for p in found], **arrays)


def _load(path: Path) -> list[Detections]:
    data = np.load(path)
    marks = Landmarks(**{n: data[f"landmarks_{n}"] for n in _MARKS})
    everybody = Detections(**{n: data[n] for n in _OWN}, landmarks=marks)
    ends = np.cumsum(data["number"])
    return [everybody.select(np.arange(a, b)) for a, b in zip([0, *ends], ends, strict=False)]


_OWN = [f.name for f in fields(Detections) if f.name not in ("landmarks", "masks")]
_MARKS = [f.name for f in fields(Landmarks)]


def load_setups() -> dict[str, Setup]:
    """A setup for each way of looking."""
    info = VideoInfo(Path("photos"), 1000, 1000, Fraction(1), 1, 1.0, 0, False)
    first = Setup.load(set_values(SHIPPED, LOOKS["yolo11n"]), info)
    return {
        name: Setup(set_values(SHIPPED, told), first.regressor, first.body, first.camera)
        for name, told in LOOKS.items()
    }

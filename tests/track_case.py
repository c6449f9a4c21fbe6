"""People made of boxes and keypoints, frame by frame, for the tests of tracks."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from eftvideo.types import Detections, FrameDetections
from eftvideo.types.track import Tracks

Sighting = tuple[np.ndarray, float, np.ndarray]
"""Box (4,), score, keypoints (17, 3)."""


def frames_of(
    people: Mapping[int, Mapping[int, Sighting]],
    count: int,
    cuts: Collection[int] = (),
    fps: float = 25.0,
) -> list[FrameDetections]:
    """`count` frames of `people`: {id: {frame: sighting}}; new shots begin at `cuts`."""
    out = []
    for at in range(count):
        here = [(i, rows[at]) for i, rows in people.items() if at in rows]
        out.append(
            FrameDetections(
                at,
                at / fps,
                Detections(
                    np.array([r[0] for _, r in here], np.float32).reshape(-1, 4),
                    np.array([r[1] for _, r in here], np.float32),
                    np.array([r[2] for _, r in here], np.float32).reshape(-1, 17, 3),
                    np.array([i for i, _ in here], np.int64),
                ),
                at in cuts,
            )
        )
    return out


def one_track(
    keypoints: np.ndarray, xyxy: np.ndarray, cuts: Collection[int] = (), fps: float = 30.0
) -> Tracks:
    """Somebody with id 1 in every frame: keypoints (T, 17, 3), always the same box (4,)."""
    rows = {at: (xyxy, 0.9, points) for at, points in enumerate(keypoints)}
    return Tracks.gather(frames_of({1: rows}, len(keypoints), cuts, fps))


def seen(tracks: Tracks) -> dict[int, list[int]]:
    """{id: list of the frames it is in}."""
    return {t.track_id: t.at.tolist() for t in tracks.people}

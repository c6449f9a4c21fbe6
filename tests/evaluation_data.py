"""Results and truths of people who stand where a test puts them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from eftvideo.evaluate.truth import Truth, make_truth
from eftvideo.results.result import Result, empty_rows, typed_rows

FOCAL_PX, WIDTH, HEIGHT, FPS, CROP_PX = 1000.0, 1280, 720, 25, 448.0
POSE = np.random.default_rng(3).normal(0.0, 0.4, (24, 3))
COCO = np.random.default_rng(4).normal(0.0, 0.4, (17, 3))


def people(*tracks: tuple[int, list[int], float]) -> dict[str, np.ndarray]:
    """Rows sorted by frame: for each (track id, frames, x in metres) a person 5 m away."""
    rows = sorted((frame, track, x) for track, frames, x in tracks for frame in frames)
    frame, track = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    place = np.array([[row[2], 0.1, 5.0] for row in rows]).reshape(-1, 3)
    return {
        "frame": frame,
        "track_id": track,
        "joints3d": POSE + place[:, None],
        "keypoints3d": COCO + place[:, None],
    }


def result_of(rows: dict[str, np.ndarray], **header: object) -> Result:
    """A result with these rows; what they lack is 0."""
    num = len(rows["frame"])
    full = {name: np.zeros((num, *a.shape[1:]), a.dtype) for name, a in empty_rows().items()}
    full |= {"time_s": rows["frame"] / FPS, "focal_length_px": np.full(num, FOCAL_PX)}
    full |= {"crop_size_px": np.full(num, CROP_PX)}
    values = {
        "source": "clip.mp4",
        "width_px": WIDTH,
        "height_px": HEIGHT,
        "fps": Fraction(FPS),
        "num_frames": 100,
        "body_model": "none",
        "config": {},
    }
    return Result(**typed_rows(full | rows), **(values | header))


def truth_of(rows: dict[str, np.ndarray], **more: object) -> Truth:
    """A truth with these rows, seen by the same camera."""
    return make_truth(**({"focal_length_px": FOCAL_PX} | rows | more))

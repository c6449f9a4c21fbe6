"""Cuts: found on the first frame of a new shot, and nowhere else."""

import numpy as np
import pytest

from eftvideo.config import DetectConfig
from eftvideo.video.cuts import CutDetector

THRESHOLD = DetectConfig().cut_threshold
HEIGHT, WIDTH = 108, 192


def scene(seed):
    """A large picture to move a camera over: soft blobs in colours of its own."""
    rng = np.random.default_rng(seed)
    blobs = rng.integers(0, 256, (14, 24, 3)).astype(np.uint8)
    return blobs.repeat(16, 0).repeat(16, 1)


def view(picture, x):
    return np.ascontiguousarray(picture[20 : 20 + HEIGHT, x : x + WIDTH])


def cuts(frames):
    detector = CutDetector(THRESHOLD)
    return [i for i, frame in enumerate(frames) if detector.is_cut(frame)]


def test_cuts_between_shots_are_found_and_slow_pans_are_none():
    frames = [view(scene(s), i) for s in (1, 2, 3) for i in range(20)]
    assert cuts(frames) == [20, 40]


@pytest.mark.parametrize("size", [(24, 32), (1080, 1920), (1920, 1080), (101, 67)])
def test_any_size(size):
    def frame(seed):
        small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
        return small[np.arange(size[0]) * 6 // size[0]][:, np.arange(size[1]) * 6 // size[1]]

    assert cuts([frame(1)] * 3 + [frame(2)] * 3) == [3]


def test_sensor_noise_and_a_moving_thing_are_no_cuts():
    rng = np.random.default_rng(0)
    frames = []
    for i in range(30):
        frame = view(scene(1), 40).astype(int) + rng.normal(0, 6, (HEIGHT, WIDTH, 3))
        frame[30:90, 5 * i : 5 * i + 30] = (200, 30, 30)
        frames.append(frame.clip(0, 255).astype(np.uint8))
    assert cuts(frames) == []


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_flash_is_one_cut_at_most(length):
    quiet = [view(scene(1), 40 + i) for i in range(30)]
    flash = [np.maximum(f, 245) for f in quiet[10 : 10 + length]]
    found = cuts(quiet[:10] + flash + quiet[10 + length :])
    assert found == [10], "the jump back is no cut"


def test_short_shots_are_all_found():
    frames = [view(scene(s), 30) for s in (1, 2, 3, 4) for _ in range(3)]
    assert cuts(frames) == [3, 6, 9]


def test_the_threshold_is_obeyed():
    frames = [view(scene(1), 40)] * 3 + [view(scene(2), 40)] * 3
    strict = CutDetector(250.0)
    assert not any(strict.is_cut(f) for f in frames)

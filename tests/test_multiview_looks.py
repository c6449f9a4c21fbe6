"""Which looks of the landmark network the multi-view benchmark believes; a made-up network."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eftvideo.geometry.skeletons import COCO17, LANDMARK33
from eftvideo.landmarks.look import placed
from eftvideo.landmarks.looked import NUM_POINTS, SIZE_PX, Looked
from eftvideo.landmarks.regions import Region

BENCHMARKS = str(Path(__file__).parents[1] / "benchmarks")
sys.path.insert(0, BENCHMARKS)
try:
    from multiview import looks
finally:
    sys.path.remove(BENCHMARKS)

PERSON = np.random.default_rng(0).uniform([100, 100], [300, 700], (33, 2))
"""Landmarks, px of the frame."""
GUIDE = PERSON[[LANDMARK33.index(name) for name in COCO17]]
MIDDLE = np.array([200.0, 400.0])


def looked(num, points_px, score=0.9):
    """What a network says that sees `points_px` (33, 2), in a crop that is the frame, 1 : 1."""
    points = torch.zeros(num, NUM_POINTS, 5)
    points[:, :33, :2] = torch.from_numpy(points_px).float()
    points[:, 33, :2] = torch.from_numpy(MIDDLE).float()
    points[:, 34, :2] = torch.from_numpy(MIDDLE - np.array([0.0, 320.0])).float()
    world = torch.arange(num * NUM_POINTS * 3).reshape(num, NUM_POINTS, 3).float()
    nothing = torch.zeros(num)
    return Looked(points, nothing + score, None, nothing, world, nothing)


def frame_region():
    half = SIZE_PX / 2.0
    return Region((half, half), float(SIZE_PX), 0.0)


def test_only_looks_at_the_athlete_are_believed():
    def see(points_px, score=0.9):
        return placed(looked(1, points_px, score), [frame_region()])

    assert looks.believed(see(PERSON), GUIDE).all()
    assert not looks.believed(see(PERSON + np.array([60.0, 0.0])), GUIDE).any()  # beside him
    assert not looks.believed(see(PERSON, 0.4), GUIDE).any()
    wild = PERSON.copy()
    wild[[LANDMARK33.index(f"left_{p}") for p in ("wrist", "knee", "ankle")]] += 200.0
    assert looks.believed(see(wild), GUIDE).all()  # three joints of twelve: left to the other looks
    few = np.where(np.arange(17)[:, None] == COCO17.index("left_knee"), GUIDE, np.nan)
    few[COCO17.index("nose")] = GUIDE[0]
    assert looks.off_guide(PERSON, few) == pytest.approx(0.0)
    assert looks.off_guide(PERSON, np.full((17, 2), np.nan)) == math.inf


def test_a_frame_is_seen_many_times():
    asked = []

    def look(kind, image, regions, mirrored):
        asked.append((kind, len(regions), mirrored))
        points = PERSON + (500.0 if (kind, mirrored) == ("full", True) else 0.0)
        return placed(looked(len(regions), points), [frame_region()] * len(regions))

    points, world, score, region = looks._frame(np.zeros((800, 400, 3), np.uint8), GUIDE, look)
    each = len(looks.VARIANTS) + 1
    assert asked == [("heavy", 1, False)] * looks.ROUNDS + [
        (kind, each, mirrored) for kind in looks.NETWORKS for mirrored in (False, True)
    ]
    assert points.shape == (4 * each, 33, 4)
    assert world.shape == (4 * each, 33, 3)
    np.testing.assert_allclose(points[: 3 * each, :, :2], np.tile(PERSON, (15, 1, 1)), atol=1e-3)
    assert np.isnan(points[3 * each :, :, :2]).all()
    assert (points[3 * each :, :, 2:] == 0.0).all()
    assert (score[3 * each :] == 0.0).all()
    assert (score[: 3 * each] > 0.0).all()
    np.testing.assert_allclose(region, [*MIDDLE, 2 * 1.25 * 320.0, 0.0], atol=1e-3)


def test_a_mirrored_look_comes_back_as_it_was(monkeypatch):
    """The network sees the flipped crop and calls its left what is right: both are undone."""
    crops = []

    class Mirror:
        def __init__(self, kind, device):
            pass

        def __call__(self, given):
            crops.append(given)
            seen = looked(len(given), PERSON / 4.0)
            if given[0, 0, 0, 0] == 0:  # flipped: the bright column is on the other side
                seen.points[:, :33, 0] = SIZE_PX - seen.points[:, :33, 0]
                seen.points[:, :33] = seen.points[:, looks.MIRRORED]
                seen.world[..., 0] *= -1.0
                seen.world[:, :33] = seen.world[:, looks.MIRRORED]
            return seen

    monkeypatch.setattr(looks, "Looker", Mirror)
    look = looks.look_with(torch.device("cpu"))
    image = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    image[:, 0] = 255
    plain, flipped = (look("full", image, [frame_region()], m) for m in (False, True))
    np.testing.assert_array_equal(crops[1], crops[0][:, :, ::-1])
    np.testing.assert_allclose(
        flipped.landmarks.points2d, plain.landmarks.points2d, rtol=0, atol=1e-3
    )
    np.testing.assert_array_equal(flipped.landmarks.points3d, plain.landmarks.points3d)
    assert flipped.landmarks.points2d[0, LANDMARK33.index("left_hip"), 0] != pytest.approx(
        flipped.landmarks.points2d[0, LANDMARK33.index("right_hip"), 0]
    )


def test_regions_are_varied():
    wider = looks.varied(Region((10.0, 20.0), 100.0, 0.1), 1.15, 90.0)
    assert (wider.center_px, wider.side_px) == ((10.0, 20.0), pytest.approx(115.0))
    assert wider.angle_rad == pytest.approx(0.1 + math.pi / 2)

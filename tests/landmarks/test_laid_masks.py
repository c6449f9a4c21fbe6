"""Masks kept small and laid into a picture again: the right place, a clean edge."""

from __future__ import annotations

import numpy as np
import pytest

from eftvideo.landmarks.masks import laid, shares_at, small_masks
from eftvideo.landmarks.regions import Region, points_in_crop

WHERE = Region((210.0, 150.0), 300.0, 0.4)
BOX = (0, 0, 420, 300)


def disc(middle, radius):
    """(256, 256) logits of a disc, in px of the crop, as sure as the network is."""
    y, x = np.mgrid[:256, :256] + 0.5
    return 4.0 * (radius - np.hypot(x - middle[0], y - middle[1]))


def middles(box=BOX):
    y, x = np.mgrid[box[1] : box[3], box[0] : box[2]] + 0.5
    return np.stack([x, y], axis=-1)


@pytest.fixture(scope="module")
def small():
    return small_masks(disc((90.0, 160.0), 60.0)[None], [WHERE])


def test_it_lies_where_the_crop_was(small):
    """A disc of 60 px of 256 is one of 70.3 px in the picture, turned about the crop's middle."""
    found = laid(small.shares[0], small.region[0], BOX)
    away = np.linalg.norm(points_in_crop(middles(), WHERE) - [90.0, 160.0], axis=-1)
    inside = away < 60.0
    assert found.shape == (300, 420) and found.dtype == np.float32
    wrong = (found > 0.5) != inside
    assert wrong.sum() / (2 * np.pi * 70.3) < 0.5, "px along the edge"
    assert found[away < 56.0].min() == 1.0 and found[away > 64.0].max() == 0.0


def test_its_edge_is_soft_and_narrow(small):
    """However large the picture: never one hard step, never a cell's width of haze."""
    for scale in (0.5, 1.0, 4.0):
        box = (0, 0, int(420 * scale), int(300 * scale))
        found = laid(small.shares[0], small.region[0], box, scale)
        rim = ((found > 0.02) & (found < 0.98)).sum() / (2 * np.pi * 70.3 * scale)
        assert 0.8 < rim < 4.5


def test_a_part_is_a_part_of_the_whole(small):
    whole = laid(small.shares[0], small.region[0], BOX)
    part = laid(small.shares[0], small.region[0], (101, 37, 180, 200))
    np.testing.assert_allclose(part, whole[37:200, 101:180], atol=0.02)


def test_shares_at_points(small):
    points = np.array([[90.0, 160.0], [90.0, 110.0], [90.0, 90.0], [-5.0, 90.0], [300.0, 300.0]])
    back = (points - 128.0) * 300.0 / 256.0 @ WHERE.axes + [210.0, 150.0]
    found = shares_at(small.shares[0], small.region[0], back)
    assert found.tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert shares_at(small.shares[0], small.region[0], np.zeros((0, 2))).shape == (0,)


def test_of_nobody():
    assert len(small_masks(np.zeros((0, 256, 256)), [])) == 0

"""Small masks: what goes in comes out, in whatever order, and where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from eftvideo.types import Detections, Masks
from eftvideo.types.masks import SIDE
from eftvideo.types.people import stacked


def masks(*levels):
    """One mask each, of the same level (0..15) all over, at x = 10, 20, ... px."""
    shares = np.ones((len(levels), SIDE, SIDE)) * np.reshape(levels, (-1, 1, 1)) / 15
    places = [[10.0 * (n + 1), 5.0, 100.0, 0.0] for n in range(len(levels))]
    return Masks.of(shares, np.array(places))


def people(num, found=None):
    some = {"masks": found} if found is not None else {}
    box, points = np.ones((num, 4), np.float32), np.zeros((num, 17, 3), np.float32)
    return Detections(box, np.ones(num, np.float32), points, np.arange(num), **some)


def test_every_cell_comes_back_to_half_a_level():
    shares = np.random.default_rng(0).random((3, SIDE, SIDE)).astype(np.float32)
    shares[0, 0, :2], shares[0, 1, :2] = (1.0, 0.0), (0.0, 1.0)
    found = Masks.of(shares, np.zeros((3, 4)))
    assert found.cells.nbytes == 3 * 2048
    assert np.abs(found.shares - shares).max() <= 0.5 / 15 + 1e-6
    assert found.shares[0, :2, :2].tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_select_and_cat():
    both = Masks.cat([masks(15, 3), Masks.none(1), masks(6)])
    assert both.asked and len(both) == 4
    assert both.there.tolist() == [True, True, False, True]
    assert (both.shares[:, 7, 7] * 15).round().tolist() == [15, 3, 0, 6]
    some = both.select(np.array([3, 0]))
    assert (some.shares[:, 0, 63] * 15).round().tolist() == [6, 15]
    assert some.region[:, 0].tolist() == [10.0, 10.0]


def test_not_asked_for():
    nothing = Masks.cat([Masks.none(2), Masks.none(3)])
    assert len(nothing) == 5 and not nothing.asked and nothing.cells.nbytes == 0
    assert not nothing.there.any() and nothing.shares.shape == (5, 0, 0)
    assert len(nothing.select(np.array([True, False, True, False, False]))) == 2
    assert not Masks.none(0, asked=True).there.any()


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"cells must have shape \(2, 64, 32\)"):
        Masks(np.zeros((2, 64, 64), np.uint8), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="region must have shape"):
        Masks(np.zeros((2, 64, 32), np.uint8), np.zeros((2, 3)))


def test_people_keep_theirs():
    three = stacked([people(2, masks(15, 4)), people(1)])
    assert three.masks.there.tolist() == [True, True, False]
    assert three.select(np.array([1])).masks.shares[0, 0, 0] == pytest.approx(4 / 15)
    assert not people(2).masks.asked and len(people(2).masks) == 2
    with pytest.raises(ValueError, match=r"masks\.region"):
        people(3, masks(1, 2))

"""The second stage: where it looks, and when what it says is refused."""

from __future__ import annotations

import numpy as np
import pytest

from eftvideo.detect import landmarks as second_stage
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, select
from eftvideo.landmarks.look import Looks
from eftvideo.types import Detections, Landmarks
from tests.setup_case import setup_of

PICTURE = np.zeros((480, 640, 3), np.uint8)
SIDE = 200.0
_OWN = select(COCO17, LANDMARK33)


def landmarks_at(x, y=240.0):
    """(39, 5) of somebody 180 px tall who stands at x: all seen, head first, feet last."""
    points = np.zeros((39, 5))
    points[:33, 0] = x + 15.0 * (-1.0) ** np.arange(33)
    points[:33, 1] = y + np.linspace(-90.0, 90.0, 33)
    points[33, :2], points[34, :2] = (x, y), (x, y - 100.0)
    points[:, 3:] = 0.9
    return points


def people(*xs, ids=None):
    """Somebody at each x, as the detector sees them."""
    points = np.stack([landmarks_at(x)[_OWN][:, [0, 1, 3]] for x in xs])
    boxes = np.array([[x - 40.0, 140.0, x + 40.0, 340.0] for x in xs])
    return Detections(
        boxes.astype(np.float32),
        np.full(len(xs), 0.9, np.float32),
        points.astype(np.float32),
        np.array(ids or range(1, len(xs) + 1)),
    )


class Told:
    """A network that sees whom it is told to see, and keeps what it was asked."""

    def __init__(self, sees, score=0.95, masks=False):
        self.sees, self.score, self.masks = sees, score, masks
        self.asked, self.pictures = [], []

    def look(self, looker, images, regions):
        self.asked.append([r.center_px[0] for r in regions])
        self.pictures += images
        pairs = zip(images, self.asked[-1], strict=True)
        points = np.stack([landmarks_at(self.sees(image, x)) for image, x in pairs])
        num = len(points)
        marks = Landmarks(
            points[:, :33, [0, 1, 3, 4]].astype(np.float32),
            np.ones((num, 33, 3), np.float32),
            np.full(num, self.score, np.float32),
        )
        circle, features = points[:, 33:35, :2], np.zeros((num, 1152))
        # All of the crop is whoever is seen.
        mask = np.full((num, 256, 256), 9.0, np.float32) if self.masks else None
        return Looks(tuple(regions), marks, circle, features, mask)


@pytest.fixture
def look_with(monkeypatch):
    def make(sees=lambda image, x: x, score=0.95, masks=False):
        told = Told(sees, score, masks)
        monkeypatch.setattr(second_stage, "look", told.look)
        return second_stage.LandmarkLook(setup_of(), None), told

    return make


def test_cold_people_are_looked_at_twice_warm_ones_once(look_with):
    look, told = look_with()
    found = look.at(PICTURE, people(200.0, 400.0)).landmarks
    assert found.score == pytest.approx([0.95] * 2) and len(told.asked) == 2
    np.testing.assert_allclose(found.points2d[1, :, :2], landmarks_at(400.0)[:33, :2], atol=2.0)
    look.at(PICTURE, people(202.0, 402.0, 500.0))
    first, second = told.asked[2:]
    assert first == pytest.approx([200.0, 400.0, 500.0], abs=1.0), "where each was before"
    assert second == pytest.approx([500.0], abs=1.0), "only who is new"


def test_masks_are_those_of_the_last_look_and_of_nobody_who_is_refused(look_with):
    look, _ = look_with(lambda image, x: 260.0, masks=True)
    found = look.at(PICTURE, people(220.0, 260.0)).masks
    assert found.there.tolist() == [False, True]
    assert (found.shares[1] == 1.0).all()
    assert found.region[1].tolist() == pytest.approx([260.0, 240.0, 250.0, 0.0], abs=0.1)


def test_without_being_asked_there_are_no_masks(look_with):
    look, _ = look_with()
    assert not look.at(PICTURE, people(200.0, 400.0)).masks.asked


def test_nothing_is_carried_over_a_cut(look_with):
    look, told = look_with()
    look.at(PICTURE, people(200.0))
    look.forget()
    look.at(PICTURE, people(200.0))
    assert len(told.asked) == 4


def test_who_is_gone_for_a_frame_is_cold_again(look_with):
    look, told = look_with()
    look.at(PICTURE, people(200.0))
    look.at(PICTURE, Detections.empty())
    look.at(PICTURE, people(200.0))
    assert len(told.asked) == 4


def test_a_jump_to_somebody_else_is_refused(look_with):
    """Both ways: as it was first seen, and with the other painted out."""
    look, _ = look_with(lambda image, x: 260.0)
    found = look.at(PICTURE, people(220.0, 260.0)).landmarks
    assert found.score.tolist() == pytest.approx([0.0, 0.95])
    assert not found.points2d[0].any() and not found.points3d[0].any()
    assert found.person[0] == pytest.approx(0.95), "what it said stays known"


def test_a_jump_is_mended_where_the_other_can_be_painted_out(look_with):
    def sees(image, x):
        return x if image.any() else 260.0

    look, told = look_with(sees)
    found = look.at(PICTURE, people(220.0, 260.0)).landmarks
    assert (found.score > 0.9).all()
    np.testing.assert_allclose(found.points2d[0, :, 0].mean(), 220.0, atol=2.0)
    painted = next(p for p in told.pictures if p.any())
    assert not painted[140:340, 180:259].any(), "the person's own box stays"
    assert painted[200, 290].any(), "the other's does not"


@pytest.mark.parametrize(
    ("sees", "score"),
    [
        pytest.param(lambda image, x: x, 0.3, id="no person"),
        pytest.param(lambda image, x: x + 150.0, 0.95, id="beside the box"),
    ],
)
def test_what_is_refused(look_with, sees, score):
    look, _ = look_with(sees, score)
    found = look.at(PICTURE, people(300.0)).landmarks
    assert found.score.tolist() == [0.0] and not found.points2d.any()
    assert found.person.tolist() == pytest.approx([score])


def test_the_detector_may_be_wrong_where_nobody_else_is(look_with):
    """Landmarks that fill the box count, wherever the detector's keypoints are."""
    look, _ = look_with()
    wrong = people(300.0)
    wrong.keypoints[..., 0] = 300.0
    wrong.keypoints[:, 5:, 1] = 160.0
    assert look.at(PICTURE, wrong).landmarks.score.tolist() == pytest.approx([0.95])


def test_nobody(look_with):
    look, told = look_with()
    assert not len(look.at(PICTURE, Detections.empty())) and not told.asked

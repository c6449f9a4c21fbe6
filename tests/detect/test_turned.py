"""People who are only seen in a turned picture."""

from __future__ import annotations

import numpy as np
import pytest

from eftvideo.detect.turned import TurnedLooks, turned_back
from eftvideo.types import Detections
from eftvideo.types.people import stacked
from tests.setup_case import setup_of

WIDTH, HEIGHT = 300, 200
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
IMAGE[20:150, 40:100] = 200
PATCH = np.array([40.0, 20.0, 100.0, 150.0])
CORNERS = [(40.0, 20.0), (100.0, 20.0), (100.0, 150.0), (40.0, 150.0)]


def person(xyxy, confidence=0.8) -> Detections:
    points = np.full((1, 17, 3), 0.9, np.float32)
    points[..., :2] = (np.asarray(xyxy)[:2] + np.asarray(xyxy)[2:]) / 2
    return Detections(
        np.array([xyxy], np.float32),
        np.array([confidence], np.float32),
        points,
        np.array([-1]),
    )


def patch_in(image) -> Detections:
    """A detector that sees a bright patch as a person: its box, and keypoints on its corners."""
    rows, columns = np.nonzero(image[..., 0])
    x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    points = np.full((1, 17, 3), 0.9, np.float32)
    points[0, :4, :2] = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    box = np.array([[x0, y0, x1, y1]], np.float32)
    return Detections(box, np.array([0.8], np.float32), points, np.array([-1]))


class Looks:
    """Turned looks in which `seen` (by quarter turns) is there, and what was asked for.

    The borders are left away, but see below.
    """

    def __init__(self, *told, seen=None, score=0.99, extent=PATCH):
        self.seen = {2: person((WIDTH - 100.0, HEIGHT - 150.0, WIDTH - 40.0, HEIGHT - 20.0))}
        self.seen = self.seen if seen is None else seen
        self.score, self.extent, self.asked, self.confirmed = score, extent, 0, []
        told = (*told, "detect.turned.border=0", "detect.turned.afar=0")
        self.looks = TurnedLooks(setup_of(*told), self.detect, self.confirm)

    def detect(self, images):
        self.asked += 1
        quarter = self.asked % 4
        return [self.seen.get(quarter, Detections.empty()) for _ in images]

    def confirm(self, image, people):
        self.confirmed.append(people)
        return np.full(len(people), self.score), np.repeat(self.extent[None], len(people), axis=0)

    def at(self, time_s=0.0, people=None):
        return self.looks.with_turned(IMAGE, people or Detections.empty(), time_s)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_places_come_back_to_where_they_were(quarters):
    seen = patch_in(np.rot90(IMAGE, quarters))
    back = turned_back(seen, quarters, (WIDTH, HEIGHT))
    assert back.xyxy[0] == pytest.approx(PATCH)
    assert sorted(map(tuple, back.keypoints[0, :4, :2].tolist())) == sorted(CORNERS)
    assert (back.keypoints[..., 2] == seen.keypoints[..., 2]).all()


def test_somebody_upside_down_is_added():
    looks = Looks()
    found = looks.at()
    assert looks.asked == 4
    assert found.xyxy == pytest.approx(PATCH[None])
    assert found.track_id.tolist() == [-1]


def test_borders_are_taken_off_again():
    sizes = []

    def detect(images):
        sizes.append(images[0].shape[:2])
        return [patch_in(images[0] * (images[0] > 114))]

    looks = TurnedLooks(setup_of(), detect, lambda image, people: (np.ones(1), people.xyxy))
    found = looks.with_turned(IMAGE, Detections.empty(), 0.0)
    assert found.xyxy == pytest.approx(PATCH[None])
    assert sorted(map(tuple, found.keypoints[0, :4, :2].tolist())) == sorted(CORNERS)
    on_its_side, upright = (420, 280), (280, 420)
    assert sizes == [on_its_side, upright, on_its_side, (400, 600)]


def test_it_is_looked_at_the_beginning_of_a_shot_and_after_a_while():
    looks = Looks("detect.turned.every_s=0.5")
    looks.at(0.0)
    for time_s, expected in ((0.1, 4), (0.4, 4), (0.5, 8), (0.9, 8)):
        looks.at(time_s)
        assert looks.asked == expected
    looks.looks.forget()
    looks.at(0.95)
    assert looks.asked == 12


@pytest.mark.parametrize(
    ("change", "confirmed"),
    [
        ({"score": 0.5}, True),
        ({"extent": PATCH + np.array([120.0, 0.0, 120.0, 0.0])}, True),
        ({"seen": {2: person((200.0, 50.0, 260.0, 180.0), 0.2)}}, False),
        ({"seen": {}}, False),
    ],
)
def test_nobody_is_added_who_is_not_confirmed_or_hardly_seen(change, confirmed):
    looks = Looks(**change)
    assert len(looks.at()) == 0
    assert bool(looks.confirmed) == confirmed


def test_who_is_seen_upright_as_well_stays():
    looks = Looks()
    known = person(PATCH + np.array([0.0, 0.0, 0.0, 5.0]), 0.75)
    out = looks.at(people=known)
    assert out.xyxy == pytest.approx(known.xyxy) and not looks.confirmed


def test_legs_of_somebody_are_nobody_else():
    looks = Looks()
    whole = person(np.array([20.0, -300.0, 120.0, 170.0]), 0.75)
    assert looks.at(people=whole).xyxy == pytest.approx(whole.xyxy) and not looks.confirmed


def test_a_worse_box_gives_way_and_others_stay():
    looks = Looks()
    half, other = person((40.0, 20.0, 100.0, 80.0), 0.4), person((200.0, 20.0, 250.0, 150.0))
    out = looks.at(people=stacked([half, other]))
    assert out.xyxy == pytest.approx(np.stack([other.xyxy[0], PATCH]))


def test_a_worse_box_stays_where_the_better_is_not_confirmed():
    looks = Looks(score=0.1)
    half = person((40.0, 20.0, 100.0, 80.0), 0.4)
    assert looks.at(people=half).xyxy == pytest.approx(half.xyxy)


def test_somebody_seen_in_two_turns_is_added_once():
    lying = person((20.0, WIDTH - 100.0, 150.0, WIDTH - 40.0), 0.6)
    looks = Looks(seen={**Looks().seen, 1: lying})
    found = looks.at()
    assert len(found) == 1 and found.confidence[0] == pytest.approx(0.8)


def test_it_tells_whom_it_found_in_this_frame():
    looks = Looks()
    looks.at(0.0)
    assert looks.looks.found_xyxy == pytest.approx(PATCH[None])
    looks.at(0.1)
    assert len(looks.looks.found_xyxy) == 0


def test_without_landmarks_nobody_is_looked_for():
    looks = Looks()
    looks.looks = TurnedLooks(setup_of(), looks.detect, None)
    assert len(looks.at()) == 0 and looks.asked == 0


def test_off_nobody_is_looked_for():
    looks = Looks("detect.turned.enabled=no")
    assert len(looks.at()) == 0 and looks.asked == 0

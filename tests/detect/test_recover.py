"""The search for people who are lost in mid-picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.config import RunConfig
from eftvideo.detect.close_ups import CloseUps
from eftvideo.detect.recover import Search
from eftvideo.types import Detections
from tests.setup_case import setup_of

DETECT = RunConfig().detect
RECOVER = DETECT.recover
IMAGE = np.zeros((400, 600, 3), np.uint8)
BOX = (250.0, 120.0, 330.0, 300.0)


def person(xyxy=BOX, score=0.9, track_id=-1, lean_px=0.0):
    """Somebody whose keypoints run down the box, from the nose to the ankles."""
    x0, y0, x1, y1 = xyxy
    down = np.linspace(0.05, 0.95, 17)
    middle = (x0 + x1) / 2 + lean_px * (0.5 - down)
    points = np.column_stack([middle, y0 + down * (y1 - y0), np.full(17, score)])
    return Detections(
        np.array([xyxy], np.float32),
        np.array([0.8], np.float32),
        points[None].astype(np.float32),
        np.array([track_id]),
    )


class Shown(CloseUps):
    """Close-ups in which `answers` are seen; remembers where it was asked to look."""

    def __init__(self, *answers):
        self.answers, self.asked = answers, []

    def look(self, where):
        out = []
        for w in where:
            out.append(self.answers[min(len(self.asked), len(self.answers) - 1)])
            self.asked.append(w)
        return out


def searching(*answers, told=(), sightings=RECOVER.min_sightings, box=BOX, lean_px=0.0):
    shown = Shown(*answers)
    search = Search(setup_of(*told), shown)
    for n in range(sightings):
        search.remember(person(box, track_id=7, lean_px=lean_px), n / 30)
    return search, shown, sightings / 30


def test_somebody_missing_is_found_where_they_were():
    search, shown, now = searching(person())
    found = search.with_lost(IMAGE, Detections.empty(), now)
    assert len(found) == 1 and found.track_id.tolist() == [-1]
    assert len(shown.asked) == 1
    assert shown.asked[0].xyxy == pytest.approx(BOX)
    assert found.keypoints == pytest.approx(person().keypoints)
    low, high = found.keypoints[0, :, :2].min(axis=0), found.keypoints[0, :, :2].max(axis=0)
    assert (found.xyxy[0, :2] < low).all() and (found.xyxy[0, 2:] > high).all()


def test_the_close_up_is_turned_as_the_person_leaned_then_to_both_sides():
    search, shown, now = searching(Detections.empty(), lean_px=180.0)
    assert len(search.with_lost(IMAGE, Detections.empty(), now)) == 0
    turns = np.degrees([w.turn_rad for w in shown.asked])
    assert turns == pytest.approx([45.0, 20.0, 70.0], abs=1.0)


def test_a_short_track_is_searched_for_only_if_it_was_confirmed():
    for confirmed, looks in ((None, 0), (person().xyxy, 1), (person().xyxy + 1.0, 0)):
        shown = Shown(person())
        search = Search(setup_of(), shown)
        search.remember(person(track_id=7), 0.0, confirmed)
        search.with_lost(IMAGE, Detections.empty(), 1 / 30)
        assert len(shown.asked) == looks


def test_nobody_is_searched_for_who_is_seen():
    search, shown, now = searching(person())
    here = person((255.0, 125.0, 335.0, 305.0))
    assert len(search.with_lost(IMAGE, here, now)) == 1
    assert not shown.asked


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sightings": RECOVER.min_sightings - 1}, id="seen too seldom"),
        pytest.param({"box": (540.0, 120.0, 598.0, 300.0)}, id="leaving the picture"),
        pytest.param({"told": ("detect.recover.enabled=no",)}, id="switched off"),
    ],
)
def test_when_nobody_is_searched_for(change):
    search, shown, now = searching(person(), **change)
    assert len(search.with_lost(IMAGE, Detections.empty(), now)) == 0
    assert not shown.asked


def test_the_search_ends_after_a_while_and_at_a_cut():
    search, shown, now = searching(person())
    assert len(search.with_lost(IMAGE, Detections.empty(), now + RECOVER.max_lost_s)) == 0
    search.forget()
    assert len(search.with_lost(IMAGE, Detections.empty(), now)) == 0
    assert not shown.asked


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(person(score=0.2), id="hardly a person"),
        pytest.param(person((20.0, 120.0, 100.0, 300.0)), id="somebody elsewhere"),
        pytest.param(
            replace(person(), confidence=np.array([DETECT.min_confidence / 2], np.float32)),
            id="a weak box",
        ),
    ],
)
def test_what_is_not_taken_for_the_person(other):
    search, shown, now = searching(other)
    assert len(search.with_lost(IMAGE, Detections.empty(), now)) == 0
    assert len(shown.asked) == 3


def test_somebody_else_who_is_seen_already_is_not_found_twice():
    neighbour = person((300.0, 120.0, 380.0, 300.0))
    search, _, now = searching(neighbour)
    assert len(search.with_lost(IMAGE, neighbour, now)) == 1


def test_off_leaves_the_people_as_they_are():
    search, shown, now = searching(person(), told=["detect.recover.enabled=no"])
    others = person((20.0, 120.0, 100.0, 300.0))
    assert search.with_lost(IMAGE, others, now) is others
    assert not shown.asked


def test_the_second_look_has_a_switch_of_its_own():
    search, shown, now = searching(person(), told=["detect.second_look.enabled=no"])
    assert len(search.with_lost(IMAGE, Detections.empty(), now)) == 1
    assert len(shown.asked) == 1


@pytest.mark.parametrize(
    ("turns", "asked"), [("10", [10]), ("0,90,-90,180", [0, 90, -90, 180]), ("", [])]
)
def test_turns_are_those_that_are_told(turns, asked):
    told = [f"detect.recover.turns_deg={turns}"]
    search, shown, now = searching(Detections.empty(), told=told)
    assert len(search.with_lost(IMAGE, Detections.empty(), now)) == 0
    assert np.degrees([w.turn_rad for w in shown.asked]) == pytest.approx(asked)

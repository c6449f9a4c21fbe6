"""Drawing without a mesh: stick figures, wireframes, bones, words."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from renderer_scene import (
    FACES,
    FOCAL,
    GREY,
    STANDING,
    H,
    W,
    ball,
    changed,
    mesh,
    needs_gl,
    person_with_everything,
)

from eftvideo import plugins
from eftvideo.geometry.skeletons import COCO17
from eftvideo.renderers import DrawnPerson, track_colour
from eftvideo.renderers.skeleton import MIN_SCORE


def skeleton(opacity=1.0):
    return plugins.load("renderers", "skeleton")(None, W, H, opacity)


def test_skeleton_dots_are_on_the_keypoints_in_the_tracks_colour():
    person = DrawnPerson(2, track_colour(2), FOCAL, None, STANDING)
    out = skeleton().draw(GREY, [person])
    wanted = np.array(track_colour(2)) * 255
    for x, y, _ in STANDING:
        assert np.abs(out[int(y), int(x)] - wanted).max() < 40


def test_skeleton_leaves_out_what_was_not_seen():
    points = STANDING.copy()
    points[COCO17.index("left_wrist"), 2] = MIN_SCORE - 0.01
    points[COCO17.index("left_ankle")] = (np.nan, np.nan, 0.9)
    points[COCO17.index("right_ankle")] = (500, -300, 0.9)
    person = DrawnPerson(1, track_colour(1), FOCAL, None, points)
    assert changed(skeleton().draw(GREY, [person])).any()
    hidden = STANDING * (1, 1, 0)
    assert np.array_equal(
        skeleton().draw(GREY, [DrawnPerson(1, (1, 0, 0), FOCAL, None, hidden)]), GREY
    )
    one = np.zeros((17, 3))
    one[0] = (40.0, 30.0, 0.9)
    spot = changed(skeleton().draw(GREY, [DrawnPerson(1, (1, 0, 0), FOCAL, None, one)]))
    rows, columns = np.nonzero(spot)
    assert (rows.mean(), columns.mean()) == pytest.approx((29.5, 39.5), abs=0.6)


def test_skeleton_lines_grow_with_the_person():
    def ink(scale):
        points = np.column_stack([STANDING[:, :2] * scale, np.ones(17)])
        image = np.full((500, 700, 3), 128, np.uint8)
        model = plugins.load("renderers", "skeleton")(None, 700, 500, 1.0)
        person = DrawnPerson(1, track_colour(1), FOCAL, None, points)
        return changed(model.draw(image, [person]), image).sum()

    assert ink(4) > 5 * ink(1), "longer by 4 and wider too"


def test_colours_are_stable_and_tell_neighbours_apart():
    colours = [track_colour(i) for i in range(-2, 60)]
    assert colours == [track_colour(i) for i in range(-2, 60)]
    assert all(0 <= c <= 1 for colour in colours for c in colour)
    first = np.array([track_colour(i) for i in range(1, 11)])
    apart = np.linalg.norm(first[:, None] - first[None], axis=2)
    assert apart[~np.eye(10, dtype=bool)].min() > 0.15
    steps = [np.linalg.norm(np.subtract(a, b)) for a, b in pairwise(colours)]
    assert min(steps) > 0.15


@needs_gl
def test_wireframe_shows_edges_in_sight_only():
    """Lines over a part of the outline's inside; the far half of a ball adds none."""
    person = ball(0.3, (0.0, 0.0, 2.0))
    far = person.vertices_cam[:, 2] > 2.0
    front = FACES[~far[FACES].all(axis=1)]
    load = plugins.load("renderers", "wireframe")
    with load(FACES, W, H, 1.0) as whole, load(front, W, H, 1.0) as half, mesh() as filled:
        lines, solid = whole.draw(GREY, [person]), filled.draw(GREY, [person])
        assert np.abs(lines.astype(int) - half.draw(GREY, [person])).mean() < 0.2
    inside = cv2.dilate(changed(solid).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not (changed(lines) & ~inside).any()
    weight = np.abs(lines.astype(int) - 128).sum() / np.abs(solid.astype(int) - 128).sum()
    assert 0.1 < weight < 0.95


def test_bones_join_the_bodys_joints():
    person = person_with_everything()
    with plugins.load("renderers", "bones")(None, W, H, 1.0) as model:
        seen = changed(model.draw(GREY, [person]))
    px = person.joints_cam[:, :2] / 2.0 * FOCAL + np.array([W, H]) / 2
    assert all(seen[int(y), int(x)] for x, y in px)
    assert not seen[:, : int(px[:, 0].min()) - 10].any()


def test_what_is_behind_the_camera_is_not_drawn():
    front = person_with_everything()
    behind = DrawnPerson(
        *(3, front.colour, FOCAL, None, None),
        *(front.joints_cam - [0, 0, 4], front.trails_cam - [0, 0, 4], "words"),
    )
    for name in ("bones", "trails", "captions"):
        with plugins.load("renderers", name)(None, W, H, 1.0) as model:
            assert changed(model.draw(GREY, [front])).any(), name
            assert not changed(model.draw(GREY, [behind])).any(), name


def test_captions_are_above_the_head_and_inside():
    person = person_with_everything()
    with plugins.load("renderers", "captions")(None, W, H, 1.0) as model:
        seen = changed(model.draw(GREY, [person]))
    rows = np.flatnonzero(seen.any(axis=1))
    head_y = person.joints_cam[15, 1] / 2.0 * FOCAL + H / 2
    assert rows.max() < head_y and rows.min() >= 0

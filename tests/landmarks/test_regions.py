"""Where the landmark network looks, and the way back into the frame."""

import math

import cv2
import numpy as np
import pytest
import torch

from eftvideo.geometry.skeletons import COCO17
from eftvideo.landmarks.look import look, placed
from eftvideo.landmarks.looked import SIZE_PX, Looked
from eftvideo.landmarks.regions import (
    MARGIN,
    Region,
    cut,
    points_in_crop,
    points_in_frame,
    region_from_circle,
    region_from_keypoints,
    turned_upright,
)

BOX = np.array([100.0, 50.0, 300.0, 450.0])


def person(scores=1.0):
    """(17, 3) somebody upright in the box: shoulders at y 150, hips at 250, ankles at 430."""
    heights = {"shoulder": 150, "elbow": 200, "wrist": 250, "hip": 250, "knee": 340, "ankle": 430}
    points = np.zeros((17, 3))
    for row, name in enumerate(COCO17):
        side = 20.0 * (name.startswith("left") - name.startswith("right"))
        height = next((y for part, y in heights.items() if part in name), 80.0)
        points[row] = (200.0 + side, height, scores)
    return points


def turned(points, angle_rad, about):
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    turn = np.array([[cos, sin], [-sin, cos]])
    return (points - about) @ turn + about


def test_first_region_lies_round_the_hips_and_holds_everything():
    region = region_from_keypoints(person(), BOX)
    assert region.center_px == pytest.approx((200.0, 250.0))
    assert region.angle_rad == pytest.approx(0.0)
    far = max(math.dist(p, (200.0, 250.0)) for p in person()[:, :2])
    assert region.side_px == pytest.approx(2.0 * MARGIN * 1.1 * far)
    inside = points_in_crop(person()[:, :2], region)
    assert inside.min() > 0.0
    assert inside.max() < SIZE_PX


@pytest.mark.parametrize("angle", [0.4, -1.2, 3.0])
def test_first_region_turns_with_the_person(angle):
    keypoints = person()
    keypoints[:, :2] = turned(keypoints[:, :2], angle, (200.0, 250.0))
    region = region_from_keypoints(keypoints, BOX)
    assert region.angle_rad == pytest.approx(angle)
    shoulders = points_in_crop(keypoints[5:7, :2], region)
    assert shoulders[:, 0].mean() == pytest.approx(SIZE_PX / 2)
    assert shoulders[:, 1].mean() < SIZE_PX / 2


def test_what_is_not_believed_does_not_count():
    keypoints = person()
    keypoints[15] = (5000.0, 5000.0, 0.1)
    expected = region_from_keypoints(person(), BOX)
    assert region_from_keypoints(keypoints, BOX).side_px == pytest.approx(expected.side_px)


def test_the_box_stands_in_for_keypoints():
    region = region_from_keypoints(person(scores=0.0), BOX)
    assert region.center_px == pytest.approx((200.0, 250.0))
    assert region.side_px == pytest.approx(2.0 * MARGIN * 200.0)
    assert region.angle_rad == 0.0


def test_region_of_a_circle():
    region = region_from_circle(np.array([50.0, 60.0]), np.array([80.0, 60.0]))
    assert region.side_px == pytest.approx(2.0 * 1.25 * 30.0)
    assert region.angle_rad == pytest.approx(math.pi / 2)
    up = points_in_crop(np.array([80.0, 60.0]), region)
    assert up == pytest.approx([SIZE_PX / 2, SIZE_PX / 2 - SIZE_PX / 2.5])


def test_places_go_there_and_back():
    region = Region((310.0, 120.0), 333.0, 0.7)
    points = np.random.default_rng(0).uniform(0, 400, (5, 2))
    assert points_in_frame(points_in_crop(points, region), region) == pytest.approx(points)
    depth = points_in_frame(np.array([0.0, 0.0, 10.0]), region)[2]
    assert depth == pytest.approx(10.0 * 333.0 / SIZE_PX)


@pytest.mark.parametrize("side", [100.0, 700.0, 1900.0])
def test_pixels_and_places_agree(side):
    """A blob's centre of mass is found where its place in the frame is said to be in the crop."""
    frame = np.zeros((900, 1200, 3), np.uint8)
    place = np.array([620.0, 410.0])
    reach = side / 30.0
    rows, columns = np.indices(frame.shape[:2]) + 0.5
    away = ((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / (2.0 * reach**2)
    frame[:] = (255.0 * np.exp(-away))[..., None].astype(np.uint8)
    region = Region((600.0, 430.0), side, 0.5)
    light = cut(frame, region)[..., 0].astype(float)
    rows, columns = np.indices(light.shape) + 0.5
    found = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
    assert found == pytest.approx(points_in_crop(place, region), abs=0.1)


def test_an_unturned_region_is_the_frame_itself_and_black_beyond():
    frame = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    pixels = cut(frame, Region((128.0, 128.0), 256.0, 0.0))
    assert np.array_equal(pixels, frame[:256, :256])
    beyond = cut(frame, Region((-300.0, 200.0), 256.0, 0.0))
    assert not beyond.any()


def test_what_is_shrunk_is_averaged():
    frame = np.zeros((1024, 1024, 3), np.uint8)
    frame[::2] = 200
    pixels = cut(frame, Region((512.0, 512.0), 1024.0, 0.0))
    assert np.abs(pixels[2:-2].astype(int) - 100).max() <= 2


def looked_at(num):
    g = torch.Generator().manual_seed(0)
    return Looked(
        torch.rand(num, 39, 5, generator=g) * 256,
        torch.rand(num, generator=g),
        torch.rand(num, SIZE_PX, SIZE_PX, generator=g),
        torch.rand(num, 39, 64, 64, generator=g),
        torch.rand(num, 39, 3, generator=g),
        torch.rand(num, 1152, generator=g),
    )


def test_turned_looks_give_turned_landmarks():
    looked = looked_at(1)
    straight = placed(looked, [Region((500.0, 400.0), 256.0, 0.0)])
    leaning = placed(looked, [Region((500.0, 400.0), 256.0, 0.6)])
    xy = straight.landmarks.points2d[0, :, :2].astype(float)
    expected = turned(xy, 0.6, (500.0, 400.0))
    assert leaning.landmarks.points2d[0, :, :2] == pytest.approx(expected, abs=1e-3)
    metres = straight.landmarks.points3d[0].astype(float)
    expected = turned(metres[:, :2], 0.6, (0.0, 0.0))
    assert leaning.landmarks.points3d[0, :, :2] == pytest.approx(expected, abs=1e-5)
    assert np.array_equal(leaning.landmarks.points3d[..., 2], straight.landmarks.points3d[..., 2])
    assert turned_upright(metres, Region((0.0, 0.0), 1.0, 0.0)) == pytest.approx(metres)


def test_the_next_region_is_the_circles():
    looks = placed(looked_at(2), [Region((500.0, 400.0), 300.0, 0.2)] * 2)
    region = looks.next_regions[1]
    assert region.center_px == pytest.approx(tuple(looks.circle_px[1, 0]))
    assert region.side_px == pytest.approx(2.5 * math.dist(*looks.circle_px[1]), rel=1e-5)


def test_looking_cuts_asks_and_places():
    """With a looker that finds a white blob: its landmarks are where the blob is in each frame."""

    def blob_finder(crops):
        looked = looked_at(len(crops))
        for row, crop in enumerate(crops):
            spot = cv2.moments(crop[..., 0])
            at = torch.tensor([spot["m10"], spot["m01"]]) / spot["m00"] + 0.5
            looked.points[row, :, :2] = at.float()
        return looked

    frame = np.zeros((300, 400, 3), np.uint8)
    cv2.circle(frame, (250, 120), 12, (255, 255, 255), -1)
    regions = [Region((240.0, 140.0), 120.0, 0.3), Region((200.0, 150.0), 256.0, -1.0)]
    looks = look(blob_finder, [frame, frame], regions)
    assert len(looks) == 2
    found = looks.landmarks.points2d[..., :2]
    assert found == pytest.approx(np.broadcast_to((250.5, 120.5), found.shape), abs=0.2)
    assert len(look(lambda crops: Looked.none(mask=False), [], [])) == 0

"""Pixels of crops: exact on pictures whose values are known everywhere, read in bounded memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eftvideo.config import CropConfig
from eftvideo.errors import VideoOpenError
from eftvideo.fit.pixels import PixelSource
from eftvideo.geometry.crops import square_around
from eftvideo.geometry.resample import cut_out
from eftvideo.types import Detections, FrameDetections, VideoFrame
from eftvideo.types.track import Tracks
from tests.eft_people import setup_of
from tests.setups import no_network


def ramp(width=120, height=90):
    """A picture whose red is 2 x and green 2.5 y at every place (x, y) px."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([2 * x, 2.5 * y, 0 * x + 77], -1).round().astype(np.uint8)


@pytest.mark.parametrize("size", [11.0, 32.0, 33.3, 61.7])
def test_every_pixel_is_at_its_place(size):
    side, center = 32, torch.tensor([[60.3, 45.8]])
    crop = cut_out(ramp(), center, torch.tensor([size]), side)[0].float()
    at = (torch.arange(side) + 0.5) / side * size - size / 2
    want_red, want_green = 2 * (60.3 + at), 2.5 * (45.8 + at)
    # The ramp itself is rounded to whole numbers, and so is the crop.
    assert (crop[0] - want_red[None, :]).abs().max() <= 1.01
    assert (crop[1] - want_green[:, None]).abs().max() <= 1.01
    assert (crop[0] - want_red[None, :]).mean().abs() <= 0.51
    assert (crop[1] - want_green[:, None]).mean().abs() <= 0.51
    assert (crop[2] == 77).all()


def test_half_a_pixel_is_half_a_pixel():
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, 10:] = 200
    crops = cut_out(image, torch.tensor([[10.0, 10.0], [10.5, 10.0]]), torch.full((2,), 8.0), 8)
    assert crops[0, 0, 4].tolist() == [0, 0, 0, 0, 200, 200, 200, 200]
    assert crops[1, 0, 4].tolist() == [0, 0, 0, 100, 200, 200, 200, 200]


def test_outside_is_black():
    image = np.full((20, 20, 3), 255, np.uint8)
    centers = torch.tensor([[0.0, 10.0], [20.0, 20.0], [90.0, 10.0]])
    crops = cut_out(image, centers, torch.full((3,), 8.0), 8)
    assert (crops[0, :, :, :4] == 0).all() and (crops[0, :, :, 4:] == 255).all()
    assert (crops[1, :, :4, :4] == 255).all() and (crops[1, :, 4:] == 0).all()
    assert (crops[2] == 0).all()


def test_a_shrunk_crop_is_averaged():
    stripes = np.zeros((90, 90, 3), np.uint8)
    stripes[:, ::2] = 200
    crop = cut_out(stripes, torch.tensor([[45.0, 45.0]]), torch.tensor([64.0]), 16)
    assert (crop == 100).all()


def test_nobody_gives_no_crops():
    assert cut_out(ramp(), torch.zeros(0, 2), torch.zeros(0), 16).shape == (0, 3, 16, 16)


class Clip:
    """Frames of one grey each, and how many of them were read."""

    def __init__(self, num):
        self.num, self.read = num, 0

    def __iter__(self):
        for i in range(self.num):
            self.read += 1
            image = np.full((40, 60, 3), 10 * i, np.uint8)
            image[:, 30:] += 5
            yield VideoFrame(i, i / 25, image)


def tracks_of(num, people=2):
    boxes = np.array([[8, 10, 18, 30], [38, 10, 48, 30]], np.float32)[:people]
    found = Detections(
        boxes,
        np.ones(people, np.float32),
        np.ones((people, 17, 3), np.float32),
        np.arange(1, people + 1),
    )
    return Tracks.gather([FrameDetections(i, i / 25, found, False) for i in range(num)])


def source_of(clip, tracks, side_px=16, keep_frames=3, scale=1.0):
    network = no_network(needs="image", crop_size_px=side_px, image_scale=scale)
    setup = setup_of(network, None)
    return PixelSource(clip, tracks, setup, keep_frames)


def test_pixels_may_reach_farther_than_the_crop():
    def pixels(scale):
        return source_of(Clip(1), tracks_of(1), 32, scale=scale).of([(0, 0)])[0].float()

    crop, wide = pixels(1.0), pixels(2.0)
    assert wide.shape == crop.shape
    shrunk = torch.nn.functional.avg_pool2d(crop, 2)
    assert (wide[:, 8:24, 8:24] - shrunk).abs().max() <= 3.0


def test_people_are_read_in_order_and_once():
    clip = Clip(12)
    source = source_of(clip, tracks_of(12))
    for i in (0, 1, 2, 1, 2, 3, 7, 5, 6, 11):
        crops = source.of([(i, 0), (i, 1)])
        assert crops.shape == (2, 3, 16, 16)
        assert (crops[0] == 10 * i).all() and (crops[1] == 10 * i + 5).all()
    assert clip.read == 12 and source.num_passes == 1
    assert (source.of([(2, 0), (2, 1)])[0] == 20).all()
    assert source.num_passes == 2


def test_some_of_a_frames_people_can_be_asked_for():
    source = source_of(Clip(2), tracks_of(2))
    some = source.of([(1, 1)])
    assert (some == 15).all() and len(some) == 1
    assert source.of([]).shape == (0, 3, 16, 16)


def test_frames_are_found_by_their_index_in_the_file():
    """Of a clip that is read in strides, the second frame of the timeline is another."""
    found = tracks_of(8)
    index = 3 * found.timeline.frame[:3]
    timeline = replace(found.timeline, frame=index)
    some = tuple(t.select(np.arange(3)) for t in found.people)
    source = source_of(Clip(8), Tracks(timeline, tuple(replace(t, frame=index) for t in some)))
    crops = source.of([(0, 0), (1, 1), (2, 0)])
    assert [int(c.unique()) for c in crops] == [0, 35, 60]


def test_crops_are_where_keypoints_are():
    tracks = tracks_of(1)
    xyxy = np.concatenate([t.xyxy for t in tracks.people])
    center, size = square_around(torch.from_numpy(xyxy), CropConfig())
    picture = ramp()
    source = source_of([VideoFrame(0, 0.0, picture)], tracks, 24, keep_frames=1)
    assert torch.equal(source.of([(0, 0), (0, 1)]), cut_out(picture, center, size, 24))


def test_a_frame_that_does_not_come_again_is_told():
    source = source_of(Clip(3), tracks_of(5))
    with pytest.raises(VideoOpenError, match="frame 4 could not be read a second time"):
        source.of([(4, 0), (4, 1)])

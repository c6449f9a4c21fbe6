"""`landmark_hmr`: where it looks, turns and their way back, what is tuned, EFT, a whole run."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eftvideo.config import DrawConfig, RunConfig
from eftvideo.errors import CheckpointMismatchError, ConfigError
from eftvideo.geometry.crops import to_crop
from eftvideo.geometry.resample import cut_out
from eftvideo.landmarks import regions
from eftvideo.pipeline import run_video
from eftvideo.regressors._upright import Regions, cut_regions, regions_of
from eftvideo.regressors.landmark_hmr import NUM_TOLD, LandmarkHmrConfig, Model, flat_told
from eftvideo.types import FITTED, Crops
from eftvideo.video.reader import open_video
from eftvideo.weights.locate import resolve
from tests.eft_people import fit_cold, setup_of

ABOUT_AXIS = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""A quarter turn clockwise as one sees it, of points in the camera frame."""


@pytest.fixture(scope="module")
def model():
    return Model.from_weights(resolve(Model.spec))


@pytest.fixture(scope="module")
def crops(finished):
    """Both people of the clip's first frame, in the middle of a square picture each."""
    result = finished.result
    center, size, points, marks = (
        torch.from_numpy(getattr(result, name)[:2].copy())
        for name in ("crop_center_px", "crop_size_px", "keypoints2d", "landmarks2d")
    )
    frame = next(iter(open_video(finished.clip)))
    image = cut_out(frame.image, center, Model.image_scale * size, Model.crop_size_px)
    metres = torch.zeros(2, 1, 33, 3)
    landmarks = torch.cat([marks[:, None], metres], dim=3)
    return Crops(
        to_crop(points, center, size),
        torch.full((2, 2), 500.0),
        size,
        torch.full((2,), 1400.0),
        torch.full((2, 2), 1000.0),
        image=image,
        landmarks=to_crop(landmarks, center, size),
    )


def quarter_turned(crops):
    """The same people in pictures that are turned clockwise."""

    def turned(points):
        return torch.cat([-points[..., 1:2], points[..., :1], points[..., 2:]], dim=-1)

    image = torch.rot90(crops.image, -1, dims=(2, 3))
    keypoints, landmarks = turned(crops.keypoints), turned(crops.landmarks)
    return replace(crops, keypoints=keypoints, landmarks=landmarks, image=image)


def off_deg(a, b):
    """(N,) angles between rotations."""
    trace = (a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(((trace - 1.0) / 2.0).clamp(-1.0, 1.0).acos())


def test_keypoints_say_the_region_that_the_program_takes(crops):
    alone = replace(crops, landmarks=None)
    found = regions_of(alone)
    for i in range(2):
        px = alone.keypoints[i].numpy().copy()
        px[:, :2] = px[:, :2] * float(crops.size_px[i]) / 2 + 500.0
        theirs = regions.region_from_keypoints(px, np.array([400.0, 400.0, 600.0, 600.0]))
        assert found.center_px[i].tolist() == pytest.approx(theirs.center_px, abs=0.01)
        assert float(found.side_px[i]) == pytest.approx(theirs.side_px, rel=1e-4)
        assert float(found.angle_rad[i]) == pytest.approx(theirs.angle_rad, abs=1e-4)


def test_landmarks_count_before_keypoints(crops):
    nowhere = replace(crops, keypoints=torch.rand(2, 17, 3))
    assert torch.equal(regions_of(nowhere).side_px, regions_of(crops).side_px)


def test_without_points_it_looks_at_the_box_upright(crops):
    blind = replace(crops, landmarks=None, keypoints=torch.zeros(2, 17, 3))
    found = regions_of(blind)
    assert torch.equal(found.center_px, crops.center_px)
    assert torch.equal(found.angle_rad, torch.zeros(2))
    assert (found.side_px > crops.size_px).all()


def test_the_square_is_cut_as_the_program_cuts_it():
    y, x = np.mgrid[:300, :400]
    picture = np.stack([x % 256, y % 256, (x + y) % 256], axis=-1) * 0.0 + 127.0
    picture += 60.0 * np.sin(np.stack([x / 17.0, y / 23.0, (x + y) / 29.0], axis=-1))
    picture = picture.astype(np.uint8)
    region = regions.Region((190.0, 160.0), 150.0, math.radians(25.0))
    own = Regions(
        torch.tensor([[190.0, 160.0]]), torch.tensor([150.0]), torch.tensor([25.0]).deg2rad()
    )
    middle, side = torch.tensor([[200.0, 150.0]]), torch.tensor([260.0])
    image = cut_out(picture, middle, side, 384)
    cut = cut_regions(image, (middle, side), own)[0].permute(1, 2, 0).numpy()
    assert np.abs(cut - regions.cut(picture, region)).mean() < 1.0


def test_a_quarter_turn_of_the_picture_turns_the_same_square(crops):
    shown = (crops.center_px, Model.image_scale * crops.size_px)
    turned = quarter_turned(crops)
    a, b = regions_of(crops), regions_of(turned)
    quarter = torch.remainder(b.angle_rad - a.angle_rad, 2 * math.pi)
    assert quarter.tolist() == pytest.approx([math.pi / 2] * 2, abs=1e-4)
    one, other = cut_regions(crops.image, shown, a), cut_regions(turned.image, shown, b)
    assert (one - other).abs().mean() < 0.05


def test_who_is_seen_turned_comes_back_turned(model, crops):
    turned = quarter_turned(crops)
    here, there = (model.decode(model(model.encode(c)), c) for c in (crops, turned))
    assert off_deg(ABOUT_AXIS @ here.params.global_orient, there.params.global_orient).max() < 15.0
    assert off_deg(here.params.global_orient, there.params.global_orient).min() > 70.0
    raw = torch.randn(2, 157)
    here, there = (model.decode(raw, c) for c in (crops, turned))
    assert off_deg(ABOUT_AXIS @ here.params.global_orient, there.params.global_orient).max() < 0.1
    place, other = model.pelvis(here, crops), model.pelvis(there, turned)
    assert torch.allclose(place @ ABOUT_AXIS.mT, other, rtol=1e-4, atol=1e-4)


def test_whatever_is_tuned_the_first_answer_is_the_same(model, crops):
    answers = [model(model.encode(crops, which)) for which in (None, *model.rates)]
    for answer in answers[1:]:
        assert torch.allclose(answer, answers[0], atol=2e-3)


def test_what_is_tuned(model):
    head, neck, last = (set(model.tunable(w)) for w in ("head", "neck+head", "last+head"))
    assert head < neck and head < last and neck & last == head
    assert {n for n in last - head if "coarse.1.7." in n} == last - head != set()
    with pytest.raises(ConfigError, match="neck"):
        model.tunable("all")


@pytest.mark.parametrize("which", Model.rates)
def test_rows_may_have_weights_of_their_own(model, crops, which):
    encoded = model.encode(crops, which)
    named = dict(model.named_parameters())
    own = {n: named[n].expand(2, *named[n].shape).clone() for n in model.tunable(which)}
    plain = model(encoded)
    assert torch.allclose(model.forward_each(own, encoded), plain, atol=1e-4)
    for value in own.values():
        value[1] += 0.01
    moved = model.forward_each(own, encoded)
    assert torch.allclose(moved[0], plain[0], atol=1e-4)
    assert (moved[1] - plain[1]).abs().max() > 0.01


@pytest.mark.parametrize("which", Model.rates)
def test_eft_lowers_the_error(model, crops, body, which):
    setup = setup_of(model, body)
    eft = replace(setup.cfg.fit.eft, tune=which, learning_rate=model.rates[which])
    fit = fit_cold(setup_of(model, body, eft), crops)
    assert (fit.loss_px < fit.loss_px_start).all() and (fit.status == FITTED).all()


def test_a_file_for_another_network_is_refused(model, tmp_path):
    path = tmp_path / "other.safetensors"
    tensors = {k: v.contiguous() for k, v in model.own_state().items()}
    save_file(tensors, path, metadata={"architecture": "eftvideo.lifter"})
    with pytest.raises(CheckpointMismatchError, match="landmark_hmr"):
        Model.from_weights(path)
    tensors.pop("decshape.bias")
    save_file(tensors, path, metadata=model.metadata())
    with pytest.raises(CheckpointMismatchError, match=r"decshape\.bias"):
        Model.from_weights(path)
    with pytest.raises(ConfigError):
        LandmarkHmrConfig(width=0)


def test_landmarks_are_laid_out_one_after_the_other():
    visible, present = torch.rand(2, 1, 33)
    told = flat_told(torch.full((1, 33, 2), 9.0), visible, present, torch.zeros(1, 33, 3))
    assert told.shape == (1, NUM_TOLD)
    assert (told[0, :66] == 2.0).all() and (told[0, 132:] == 0.0).all()


def test_a_whole_run(finished):
    cfg = RunConfig(regressor="landmark_hmr", draw=DrawConfig(enabled=False))
    result = run_video(finished.clip, None, cfg)
    theirs = finished.result
    assert result.track_ids == theirs.track_ids
    off = np.linalg.norm(result.joints3d - theirs.joints3d, axis=-1)
    assert len(off) == len(theirs.joints3d) and np.median(off[:, :22]) < 0.6
    assert (result.loss_px < result.loss_px_start).mean() > 0.7

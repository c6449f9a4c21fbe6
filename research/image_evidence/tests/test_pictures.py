"""Drawn pictures: the truth is where the pixels are, however a picture is varied."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from eftvideo.bodies import load_body
from eftvideo.geometry import camera
from eftvideo.geometry.skeletons import COCO17
from eftvideo.regressors._raw import NUM_RAW
from eftvideo.regressors.lifter import LifterConfig
from eftvideo.regressors.lifter import Model as Lifter
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.types import Detections
from research.image_evidence import (
    evidence_head,
    picture_data,
    picture_features,
    picture_variety,
    render_pictures,
)
from tests.pose_library import write_library
from tests.renderer_scene import has_opengl, needs_gl

NUM = 6


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def people(tmp_path_factory, body):
    path = write_library(tmp_path_factory.mktemp("poses") / "poses.npz")
    library = MotionLibrary(path, held_out=False)
    return render_pictures.draw_people(library, body, NUM, 3, vary=True)


def in_crop(points, crops):
    """(N, K, 3) metres to crop coordinates."""
    px = camera.project(points, crops.focal_length_px, crops.image_size_px)
    return (px - crops.center_px[:, None]) / (crops.size_px[:, None, None] / 2)


@pytest.fixture(scope="module")
def shard(tmp_path_factory, people, body):
    if not has_opengl():
        pytest.skip("no OpenGL on this machine")
    studio = render_pictures.Studio(body, [], 96)
    try:
        images, masks = studio.pictures(*people, np.random.default_rng(0))
    finally:
        studio.close()
    folder = tmp_path_factory.mktemp("shards")
    render_pictures.write_shard(folder / "train_0000.npz", *people, images, masks)
    return folder


@needs_gl
def test_the_body_is_drawn_where_the_truth_says(people, body):
    crops, truth = people
    studio = render_pictures.Studio(body, [], 96)
    try:
        for i in range(NUM):
            rows = torch.tensor([i])
            one, own = crops.select(rows), truth.select(rows)
            r = own.rotations
            params = render_pictures.SmplParams(r[:, 0], r[:, 1:], own.betas)
            place = own.pelvis - body.rest_pelvis(own.betas)
            vertices = body.vertices(params, place)
            slope = (one.center_px - one.image_size_px / 2) / one.focal_length_px
            half = one.size_px / one.focal_length_px / 2
            light = render_pictures.any_light(np.random.default_rng(i))
            drawn = studio._painter.draw(
                vertices[0].numpy(),
                np.zeros(body.num_vertices, np.float32),
                np.ones((body.num_vertices, 3), np.float32),
                (*slope[0].tolist(), half.item()),
                light,
            )
            points = (in_crop(vertices, one)[0].numpy() + 1.0) * 48
            inside = ((points > 1) & (points < 95)).all(axis=1)
            assert inside.any()
            body_px = cv2.dilate((drawn[..., 3] > 60).astype(np.uint8), np.ones((3, 3)))
            x, y = points[inside].astype(int).T
            assert body_px[y, x].mean() > 0.995
            rows_px, columns_px = np.nonzero(drawn[..., 3] > 200)
            pixels = np.stack([columns_px, rows_px], axis=1) + 0.5
            far = np.linalg.norm(pixels[:, None] - points[None], axis=-1).min(axis=1)
            assert far.max() < 0.08 * 96
    finally:
        studio.close()


def test_a_shard_reads_back_as_it_was_drawn(shard, people):
    data = picture_data.read_pictures(shard, "train", detected=False, side_px=96)
    assert torch.equal(data.crops.size_px, people[0].size_px)
    assert torch.equal(data.truth.points, people[1].points)
    assert data.images is not None and data.images.shape == (NUM, 96, 96, 3)
    with pytest.raises(FileNotFoundError, match="no pictures of the test split"):
        picture_data.read_pictures(shard, "test", detected=False)


def test_only_people_that_were_found_are_read(shard):
    found = np.array([True, False, True, True, False, True])
    keypoints = np.full((NUM, 17, 3), 0.25, np.float32)
    np.savez(
        shard / "train_0000_yolo.npz",
        found=found,
        keypoints=keypoints,
        features=np.zeros((NUM, 17, 4), np.float16),
    )
    data = picture_data.read_pictures(shard, "train", features=True)
    everybody = picture_data.read_pictures(shard, "train", detected=False)
    assert len(data) == 4
    assert (data.crops.keypoints == 0.25).all()
    assert torch.equal(data.truth.pelvis, everybody.truth.pelvis[torch.from_numpy(found)])


def test_varied_pictures_keep_their_truth(people, body):
    """A bright spot at a true keypoint is still at the true keypoint of the varied picture."""
    crops, truth = people
    side, joint = 160, COCO17.index("left_hip")
    spots = in_crop(truth.points[:, 24:], crops)[:, joint]
    at = (torch.arange(side) + 0.5) / side * 2 - 1
    x, y = spots[:, 0, None, None], spots[:, 1, None, None]
    blob = torch.exp(-((at[None, None] - x) ** 2 + (at[None, :, None] - y) ** 2) / 0.003)
    images = (255 * blob).to(torch.uint8)[..., None].expand(-1, -1, -1, 3).contiguous()
    masks = torch.full((NUM, side, side), 255, dtype=torch.uint8)
    data = picture_data.Pictures(crops, truth, None, images, masks)
    mirrored, checked = 0, 0
    for seed in range(6):
        g = torch.Generator().manual_seed(seed)
        new, answer = picture_variety.varied(data, torch.arange(NUM), 128, body.keypoint_names, g)
        changed = (answer.pelvis[:, 0] - truth.pelvis[:, 0]).abs() > 1e-6
        names = [
            joint if not flipped else COCO17.index("right_hip") for flipped in changed.tolist()
        ]
        expected = in_crop(answer.points[:, 24:], new)[torch.arange(NUM), torch.tensor(names)]
        assert new.image is not None
        for i in range(NUM):
            if expected[i].abs().max() > 0.85:
                continue
            place = new.image[i].float().sum(0)
            top = place.flatten().argmax()
            px = torch.stack([top % 128, top // 128]) + 0.5
            assert (px / 64 - 1 - expected[i]).abs().max() < 0.06
            checked += 1
        mirrored += int(changed.sum())
    assert mirrored > 5 and checked > 20


def test_mirrored_truth_is_a_body(people, body):
    """The mirrored rotations put the body's joints where the mirrored points are."""
    crops, truth = people
    flipped = torch.ones(NUM, dtype=torch.bool)
    _, answer = picture_variety._mirror(crops, truth, flipped, body.keypoint_names)
    r = answer.rotations
    params = render_pictures.SmplParams(r[:, 0], r[:, 1:], answer.betas)
    joints, _ = body.joints_and_keypoints(params)
    own = joints - joints[:, :1]
    true = answer.points[:, :24] - answer.points[:, :1]
    assert (own - true).norm(dim=-1).max() < 5e-3


def test_features_are_read_at_the_keypoints():
    """Maps that hold their own coordinates give the keypoints' coordinates, at any stride."""
    maps = []
    for size in (32, 16, 8):
        at = (torch.arange(size) + 0.5) / size * 2 - 1
        maps.append(torch.stack(torch.meshgrid(at, at, indexing="xy"))[None])
    points = torch.rand(1, 17, 2) * 1.6 - 0.8
    read = picture_features.at_keypoints(maps, points)
    assert read.shape == (1, 17, 6)
    assert torch.allclose(read, torch.cat([points] * 3, dim=2), atol=1e-5)


def test_somebody_else_is_not_taken_for_the_person():
    truth = np.random.default_rng(0).uniform(-0.5, 0.5, (17, 2)).astype(np.float32)
    half = picture_features.SIDE_PX / 2

    def seen(shift):
        points = np.concatenate([(truth + shift + 1) * half, np.ones((17, 1))], axis=1)
        return points.astype(np.float32)

    def people_of(*shifts):
        n = len(shifts)
        keypoints = np.stack([seen(s) for s in shifts])
        return Detections(np.zeros((n, 4)), np.ones(n), keypoints, np.zeros(n, np.int64))

    found = picture_features.own_person(people_of(0.6, 0.02, 0.1), truth)
    assert found is not None and np.allclose(found[:, :2], truth + 0.02, atol=1e-4)
    assert picture_features.own_person(people_of(0.6, -0.7), truth) is None


@pytest.mark.parametrize("num_features", [0, 5])
def test_a_new_head_leaves_the_answer_as_it_is(people, num_features):
    torch.manual_seed(0)
    lifter = Lifter(LifterConfig(width=32, hidden=32, num_blocks=1)).eval()
    crops = replace(people[0], image=None)
    hidden, raw = evidence_head.lifted(lifter, crops)
    assert torch.allclose(raw, lifter(lifter.encode(crops)))
    head = evidence_head.EvidenceHead(lifter, num_features, width=16).eval()
    features = torch.randn(NUM, 17, num_features)
    assert torch.equal(head(hidden, raw, crops, features), raw)
    torch.nn.init.normal_(head.out.weight)
    one, other = (head(hidden, raw, crops, f) for f in (features, features + 1.0))
    assert one.shape == (NUM, NUM_RAW)
    assert torch.equal(one, other) == (num_features == 0)

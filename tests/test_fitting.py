"""From tracked keypoints to rows: context, cuts, gaps, methods."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from eftvideo.fit.people import Camera, TrackMemory, fit_people

from eftvideo.config import RunConfig
from eftvideo.progress import Progress
from eftvideo.results.result import typed_rows
from eftvideo.types import Detections, FrameDetections, SmplParams

VIEW = Camera(1400.0, 1280, 720)


@pytest.fixture(scope="module")
def walk(body):
    """Two people who stand with lowered, slowly swinging arms; the second is gone for a while."""
    frames = []
    for t in range(12):
        swing = torch.zeros(2, 23, 3)
        swing[:, 15, 2], swing[:, 16, 2] = -1.1, 1.1
        swing[:, 15, 0], swing[:, 16, 0] = 0.05 * t, -0.05 * t
        from eftvideo.geometry.rotations import axis_angle_to_matrix

        upright = torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(2, 3, 3)
        params = SmplParams(upright, axis_angle_to_matrix(swing), torch.zeros(2, 10))
        _, points = body.joints_and_keypoints(params)
        points = points + torch.tensor([[[-0.8, 0.2, 5.0]], [[0.9, 0.2, 6.0]]])
        px = points[..., :2] / points[..., 2:] * 1400.0 + torch.tensor([640.0, 360.0])
        keypoints = torch.cat([px, torch.full((2, 17, 1), 0.95)], dim=-1).numpy()
        low, high = px.amin(1).numpy() - 8, px.amax(1).numpy() + 8
        people = Detections(
            np.concatenate([low, high], axis=1).astype(np.float32),
            np.full(2, 0.9, np.float32),
            keypoints.astype(np.float32),
            np.array([1, 2]),
        )
        if 4 <= t < 8:
            people = people.select(np.array([0]))
        frames.append(FrameDetections(t, t / 30, people, False))
    return frames


def fit(frames, regressor, body, cfg=None):
    return fit_people(frames, regressor, body, VIEW, cfg or RunConfig(), "cpu", Progress())


def test_rows_are_one_per_person_and_frame(walk, regressor, body):
    rows = fit(walk, regressor, body)
    assert len(rows["frame"]) == 12 + 8
    order = list(zip(rows["frame"].tolist(), rows["track_id"].tolist(), strict=True))
    assert order == sorted(order)
    assert rows.keys() == typed_rows(rows).keys()


def test_bodies_stand_where_the_people_do(walk, regressor, body):
    rows = fit(walk, regressor, body)
    k = rows["keypoints3d"]
    px = k[..., :2] / k[..., 2:] * 1400.0 + np.array([640.0, 360.0])
    off = np.linalg.norm(px - rows["keypoints2d"][..., :2], axis=-1) / rows["crop_size_px"][:, None]
    assert np.median(off) < 0.02
    assert (rows["loss_px"] <= rows["loss_px_start"] + 1.0).all()
    assert (k[..., 2] > 1.0).all()


def test_regress_takes_no_steps(walk, regressor, body):
    rows = fit(walk, regressor, body, RunConfig(method="regress"))
    assert not rows["num_steps"].any()
    assert np.array_equal(rows["loss_px"], rows["loss_px_start"])


def test_warm_start_saves_steps_and_a_cut_ends_it(walk, regressor, body):
    cfg = RunConfig(eft=replace(RunConfig().eft, threshold_px=1.3))
    warm = fit(walk, regressor, body, cfg)
    cold = fit(walk, regressor, body, replace(cfg, warm_start=False))
    assert warm["num_steps"].sum() < cold["num_steps"].sum()
    cut = [replace(f, is_cut=True) for f in walk]
    assert np.array_equal(fit(cut, regressor, body, cfg)["num_steps"], cold["num_steps"])


def test_nobody_gives_no_rows(regressor, body):
    frames = [FrameDetections(t, t / 30, Detections.empty(), False) for t in range(3)]
    rows = fit(frames, regressor, body)
    assert len(rows["frame"]) == 0
    assert rows["joints3d"].shape == (0, 24, 3)


def test_context_is_the_nearest_sighting_or_nothing(walk):
    memory = TrackMemory(walk)
    around = memory.around(1, 5 / 30, (-2 / 30, 1 / 30, 10.0))
    assert np.array_equal(around[0], walk[3].people.keypoints[0])
    assert np.array_equal(around[1], walk[6].people.keypoints[0])
    assert not around[2].any()


def test_context_does_not_reach_into_a_gap(walk):
    memory = TrackMemory(walk)
    around = memory.around(2, 3 / 30, (2 / 30, 5 / 30, -1 / 30))
    assert not around[0].any()
    assert np.array_equal(around[1], walk[8].people.keypoints[1])
    assert np.array_equal(around[2], walk[2].people.keypoints[1])

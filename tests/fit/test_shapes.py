"""One shape for a person: held while the pose is fitted, found once for a track."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eftvideo.config import CropConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.fit import crops as crops_module
from eftvideo.fit import fit_tracks
from eftvideo.fit.answer import answer
from eftvideo.fit.crops import CropMaker, context
from eftvideo.fit.projection import projected
from eftvideo.fit.shape import hold_shape, track_shapes
from eftvideo.fit.smplify.fit import fit_rows
from eftvideo.geometry import camera
from eftvideo.geometry.crops import crop_people
from eftvideo.geometry.robust import robust_mean
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.geometry.skeletons import SMPL24_PARENTS
from eftvideo.results.result import rows_of
from eftvideo.setup import Setup
from eftvideo.types import Detections, FrameDetections, Prediction, SmplParams
from eftvideo.types.track import Tracks
from tests.eft_people import VIEW


def setup_of(regressor, body, *settings):
    return Setup(set_values(RunConfig(), settings), regressor, body, VIEW)


def stand(body, place, betas=None, turn=0.0):
    """(1, 17, 3) keypoints in the picture of somebody who stands at `place` with lowered arms."""
    pose = torch.zeros(1, 23, 3)
    pose[:, 15, 2], pose[:, 16, 2] = -1.1, 1.1
    upright = axis_angle_to_matrix(torch.tensor([[0.0, turn, 0.0]]))
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ upright
    betas = torch.zeros(1, 10) if betas is None else betas
    params = SmplParams(upright, axis_angle_to_matrix(pose), betas)
    points = body.joints_and_keypoints(params)[1] + torch.tensor(place)
    px = camera.project(points, torch.tensor([1400.0]), torch.tensor([[1280.0, 720.0]]))
    return torch.cat([px, torch.full((1, 17, 1), 0.95)], dim=-1)


def crops_of(keypoints):
    n = len(keypoints)
    xyxy = torch.cat([keypoints[..., :2].amin(1) - 8, keypoints[..., :2].amax(1) + 8], dim=1)
    size = torch.tensor([[1280.0, 720.0]]).expand(n, 2)
    return crop_people(xyxy, keypoints, torch.full((n,), 1400.0), size, CropConfig())


def walkers(body, frames=10):
    """Two people; the second is small."""
    child = torch.zeros(1, 10)
    child[:, 0] = -2.0
    out = []
    for t in range(frames):
        turn = 0.15 * t
        points = torch.cat(
            [
                stand(body, [-0.8, 0.2, 5.0], turn=turn),
                stand(body, [0.9, 0.2, 6.0], child, turn=-turn),
            ]
        ).numpy()
        xy = points[..., :2]
        people = Detections(
            np.concatenate([xy.min(1) - 8, xy.max(1) + 8], axis=1).astype(np.float32),
            np.full(2, 0.9, np.float32),
            points.astype(np.float32),
            np.array([1, 2]),
        )
        out.append(FrameDetections(t, t / 30, people, False))
    return out


def test_a_held_shape_hardly_changes_the_picture(body, regressor):
    crops = crops_of(stand(body, [0.6, 0.1, 5.0]))
    own = answer(crops, setup_of(regressor, body)).prediction
    tall = own.params.betas.clone()
    tall[:, 0] += 2.0
    held = hold_shape(own, replace(crops, betas=tall), body)
    assert torch.equal(held.params.betas, tall)
    before, after = (projected(body, p, crops)[0] for p in (own, held))
    assert 112.0 * float((before - after).norm(dim=-1).max()) < 4.0
    naive = Prediction(held.params, own.pred_cam)
    assert 112.0 * float((before - projected(body, naive, crops)[0]).norm(dim=-1).max()) > 10.0
    growth = float(body.mean_bone(tall) / body.mean_bone(own.params.betas))
    depths = [camera.pred_cam_to_transl(p.pred_cam, *crops.view)[0, 2] for p in (own, held)]
    assert growth > 1.1
    assert float(depths[1] / depths[0]) == pytest.approx(growth, rel=0.01)


def test_nothing_is_held_where_nothing_is_known(body, regressor):
    crops = crops_of(stand(body, [0.6, 0.1, 5.0]))
    own = answer(crops, setup_of(regressor, body)).prediction
    assert hold_shape(own, crops, body) is own


def test_mean_bone_is_the_mean_distance_of_rest_joints(body):
    betas = torch.randn(3, 10)
    eye = torch.eye(3)
    rest = SmplParams(eye.expand(3, 3, 3), eye.expand(3, 23, 3, 3), betas)
    joints = body.joints_and_keypoints(rest)[0]
    bones = [(joints[:, c] - joints[:, p]).norm(dim=-1) for c, p in enumerate(SMPL24_PARENTS) if c]
    torch.testing.assert_close(body.mean_bone(betas), torch.stack(bones).mean(0))


def test_robust_mean_hardly_heeds_a_few_far_values():
    g = torch.Generator().manual_seed(0)
    values = 0.1 * torch.randn(50, 10, generator=g)
    values[:5] += 3.0
    plain, robust = values.mean(0), robust_mean(values, torch.ones(50))
    assert float(robust.norm()) < 0.4 * float(plain.norm())
    weight = torch.ones(50)
    weight[:5] = 0.0
    expected = values[5:].mean(0)
    assert float((robust_mean(values, weight) - expected).norm()) < 0.06
    torch.testing.assert_close(robust_mean(values[:1], torch.ones(1)), values[0])


@pytest.mark.parametrize("method", ["eft", "regress", "smplify"])
def test_every_method_holds_one_shape_per_track(body, regressor, method):
    tracks = Tracks.gather(walkers(body, 6))
    few = ("fit.smplify.camera_steps=5", "fit.smplify.body_steps=5")
    setup = setup_of(regressor, body, f"fit.method={method}", *few)
    rows = rows_of(fit_tracks(tracks, setup))
    known = track_shapes(tracks, CropMaker(tracks, setup))
    assert known is not None
    assert known.keys() == {1, 2}
    for track_id, betas in known.items():
        mine = rows["betas"][rows["track_id"] == track_id]
        assert len(mine) == 6
        np.testing.assert_array_equal(mine, np.tile(mine[0], (6, 1)))
        np.testing.assert_allclose(mine[0], betas, atol=1e-5)
    assert not np.array_equal(known[1], known[2])


def test_per_frame_shapes_differ(body, regressor):
    tracks = Tracks.gather(walkers(body, 6))
    setup = setup_of(regressor, body, "fit.shape.enabled=no")
    assert track_shapes(tracks, CropMaker(tracks, setup)) is None
    rows = rows_of(fit_tracks(tracks, setup))
    mine = rows["betas"][rows["track_id"] == 1]
    assert np.ptp(mine, axis=0).max() > 1e-3


def test_nobody_has_no_shape(body, regressor):
    tracks = Tracks.gather([FrameDetections(0, 0.0, Detections.empty(), True)])
    assert track_shapes(tracks, CropMaker(tracks, setup_of(regressor, body))) == {}
    assert not fit_tracks(tracks, setup_of(regressor, body)).people


def test_a_frame_that_shows_little_does_not_decide_the_shape(body, regressor, monkeypatch):
    frames = walkers(body)
    tracks, setup = Tracks.gather(frames), setup_of(regressor, body)
    want = track_shapes(tracks, CropMaker(tracks, setup))
    broken = frames[0].people.keypoints.copy()
    broken[..., :2] += np.random.default_rng(0).normal(0, 60, broken[..., :2].shape)
    broken[..., 2] = 0.35
    people = replace(frames[0].people, keypoints=broken.astype(np.float32))
    clean = {t.track_id: t for t in tracks.people}
    # Only what is asked changes; what the others see around them stays.
    monkeypatch.setattr(
        crops_module, "context", lambda track, *where: context(clean[track.track_id], *where)
    )
    spoilt = Tracks.gather([replace(frames[0], people=people), *frames[1:]])
    got = track_shapes(spoilt, CropMaker(spoilt, setup))
    assert want is not None and got is not None and want.keys() == {1, 2}
    for track_id in want:
        assert np.abs(got[track_id] - want[track_id]).max() < 0.1
    assert RunConfig().fit.shape.enabled


def test_shapes_keep_to_the_limit_of_fits(body, regressor):
    tracks = Tracks.gather(walkers(body, 4))
    free = track_shapes(tracks, CropMaker(tracks, setup_of(regressor, body)))
    setup = setup_of(regressor, body, "fit.accept.max_abs_beta=0.1")
    held = track_shapes(tracks, CropMaker(tracks, setup))
    assert free is not None and held is not None
    for track_id, betas in free.items():
        assert np.abs(betas).max() > 0.1
        np.testing.assert_allclose(held[track_id], betas.clip(-0.1, 0.1))


def test_smplify_leaves_a_held_shape_alone(body, regressor):
    crops = crops_of(stand(body, [0.0, 0.1, 5.0]))
    betas = torch.full((1, 10), 0.3)
    held = replace(crops, betas=betas)
    own = answer(held, setup_of(regressor, body))
    few = ("fit.smplify.camera_steps=3", "fit.smplify.body_steps=10")
    for init in ("regressor", "mean"):
        setup = setup_of(regressor, body, f"fit.smplify.init={init}", *few)
        fit, _ = fit_rows(held, own, [None], setup)
        torch.testing.assert_close(fit.prediction.params.betas, betas)
        assert int(fit.num_steps[0]) > 3

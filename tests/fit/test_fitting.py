"""From tracks to bodies: one fit per sighting, context, cuts, gaps, methods."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eftvideo.config import RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.fit import fit_tracks
from eftvideo.fit.crops import CropMaker, context
from eftvideo.geometry.crops import to_crop
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.progress import Progress
from eftvideo.results.result import rows_of, typed_rows
from eftvideo.setup import Setup
from eftvideo.types import Detections, FrameDetections, SmplParams
from eftvideo.types.track import Tracks
from tests.eft_people import VIEW

TOLERANCE_S = 0.02


@pytest.fixture(scope="module")
def walk(body):
    """Two people who stand with lowered, slowly swinging arms; the second is gone for a while."""
    frames = []
    for t in range(12):
        swing = torch.zeros(2, 23, 3)
        swing[:, 15, 2], swing[:, 16, 2] = -1.1, 1.1
        swing[:, 15, 0], swing[:, 16, 0] = 0.05 * t, -0.05 * t
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


def fit(frames, regressor, body, *settings):
    """The rows of a result."""
    setup = Setup(set_values(RunConfig(), settings), regressor, body, VIEW)
    return rows_of(fit_tracks(Tracks.gather(frames), setup))


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
    rows = fit(walk, regressor, body, "fit.method=regress")
    assert not rows["num_steps"].any()
    assert np.array_equal(rows["loss_px"], rows["loss_px_start"])


def test_warm_start_saves_steps_and_a_cut_ends_it(walk, regressor, body):
    near = "fit.eft.threshold_px=1.3"
    warm = fit(walk, regressor, body, near)
    cold = fit(walk, regressor, body, near, "fit.warm_start=no")
    assert warm["num_steps"].sum() < cold["num_steps"].sum()
    cut = [replace(f, is_cut=True) for f in walk]
    # Each sighting is a track of its own then, and sees nothing of the others either.
    alone = fit(cut, regressor, body, near, "fit.warm_start=no")
    assert np.array_equal(fit(cut, regressor, body, near)["num_steps"], alone["num_steps"])


def test_nobody_gives_no_rows(regressor, body):
    frames = [FrameDetections(t, t / 30, Detections.empty(), False) for t in range(3)]
    rows = fit(frames, regressor, body)
    assert len(rows["frame"]) == 0
    assert rows["joints3d"].shape == (0, 24, 3)


def around(frames, person, time_s, offsets_s, tolerance_s=TOLERANCE_S):
    """(C, 17, 3) where somebody was at other times."""
    track = Tracks.gather(frames).people[person]
    return context(track, np.array([time_s]), offsets_s, tolerance_s)[0]


def test_context_is_the_nearest_sighting_or_nothing(walk):
    found = around(walk, 0, 5 / 30, (-2 / 30, 1 / 30, 10.0))
    assert np.array_equal(found[0], walk[3].people.keypoints[0])
    assert np.array_equal(found[1], walk[6].people.keypoints[0])
    assert not found[2].any()


def test_context_does_not_reach_into_a_gap(walk):
    found = around(walk, 1, 3 / 30, (2 / 30, 5 / 30, -1 / 30))
    assert not found[0].any()
    assert np.array_equal(found[1], walk[8].people.keypoints[1])
    assert np.array_equal(found[2], walk[2].people.keypoints[1])


def test_context_is_never_the_frame_itself(walk):
    found = around(walk, 0, 5 / 30, (0.0, 0.01, 0.02))
    assert not found[:2].any()
    assert np.array_equal(found[2], walk[6].people.keypoints[0])


@pytest.mark.parametrize(("fps", "known"), [(30, False), (5, True)])
def test_context_may_be_off_by_half_the_frames_distance(walk, regressor, body, fps, known):
    """Everybody of a crop maker, in crops: as looked up with the tolerance of the clip."""
    frames = [replace(f, time_s=t / fps) for t, f in enumerate(walk)]
    tracks, setup = Tracks.gather(frames), Setup(RunConfig(), regressor, body, VIEW)
    maker = CropMaker(tracks, setup)
    crops = maker.crops_of(maker.rows)
    assert len(crops) == 12 + 8 and crops.context is not None
    tolerance_s = max(TOLERANCE_S, 0.51 / fps)
    offsets = regressor.context_offsets_s
    for row in range(len(crops)):
        person, time_s = int(maker.rows.who[row]), float(maker.rows.time_s[row])
        found = around(frames, person, time_s, offsets, tolerance_s)
        place = crops.center_px[[row]], crops.size_px[[row]]
        want = to_crop(torch.from_numpy(found)[None], *place)[0]
        torch.testing.assert_close(crops.context[row], want)
    after_the_end = around(frames, 0, 10 / fps, (1 / fps + 0.025,), tolerance_s)
    assert after_the_end.any() == known


@pytest.mark.parametrize("method", ["eft", "regress", "smplify"])
def test_every_frame_is_told_once_with_its_people(walk, regressor, body, method):
    told = []

    class Listener(Progress):
        def advance(self, frames, **figures):
            told.append((frames, figures["people"]))

    settings = [f"fit.method={method}", "fit.eft.num_steps=2", "fit.smplify.body_steps=2"]
    settings += ["fit.smplify.camera_steps=2", "fit.chunks.num_frames=5"]
    empty = FrameDetections(12, 12 / 30, Detections.empty(), False)
    setup = Setup(set_values(RunConfig(), settings), regressor, body, VIEW)
    fit_tracks(Tracks.gather([*walk, empty]), setup, Listener())
    assert sorted(people for _, people in told) == [0] + [1] * 4 + [2] * 8
    assert all(num == 1 for num, _ in told)

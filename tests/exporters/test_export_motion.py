"""Movements: axes, one shape, regular times on SO(3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from export_case import TIMES_S, made_up, rodrigues, turned

from eftvideo.bodies import load_body
from eftvideo.exporters._motion import grid_phase_s, motions, resample, turn_to, usual_fps

BODY = load_body()


@pytest.mark.parametrize("up", ["y", "z"])
def test_joints_are_those_of_the_result_in_the_new_axes(up):
    result = made_up(one_shape=False)
    for motion in motions(result, BODY, up, None):
        want = turned(result.track(motion.track_id).joints3d, up)
        assert np.abs(motion.joints() - want).max() < 1e-5
        assert motion.seen.all()


def test_turns_are_rotations_and_up_is_up():
    for up, axis in (("y", 1), ("z", 2)):
        turn = turn_to(up)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1.0)
        assert (turn @ [0.0, -1.0, 0.0])[axis] == 1.0
        np.testing.assert_allclose(turn @ [1.0, 0.0, 0.0], [1.0, 0.0, 0.0])


def test_one_shape_states_its_error():
    exact, varied = (motions(made_up(s), BODY, "y", None)[0] for s in (True, False))
    assert exact.shape_error_m.max() < 1e-5
    distance = np.linalg.norm(
        varied.joints(varied.rest_offsets_m) - turned(made_up(False).track(1).joints3d, "y"), axis=2
    )
    np.testing.assert_allclose(varied.shape_error_m, distance.max(1), atol=1e-5)
    assert varied.shape_error_m.max() > 0.002


def test_resampling_at_the_frames_changes_nothing():
    motion = motions(made_up(), BODY, "y", None)[1]
    even = replace(motion, times_s=motion.times_s[0] + np.arange(len(motion)) / 25.0)
    again = resample(even, 25.0, grid_phase_s(even.times_s, 25.0))
    np.testing.assert_allclose(again.times_s, even.times_s, atol=1e-12)
    np.testing.assert_allclose(again.rotations, even.rotations, atol=1e-9)
    np.testing.assert_allclose(again.pelvis_m, even.pelvis_m, atol=1e-9)


def test_resampling_goes_along_the_shortest_arc_at_even_speed():
    motion = motions(made_up(), BODY, "y", None)[0]
    axis = np.array([1.0, 2.0, -0.5]) / np.linalg.norm([1.0, 2.0, -0.5])
    turn = np.tile(rodrigues(np.array([axis * 0.3, axis * 2.7]))[:, None], (1, 24, 1, 1))
    two = replace(
        motion, times_s=np.array([0.0, 1.0]), rotations=turn, pelvis_m=motion.pelvis_m[:2],
        offsets_m=motion.offsets_m[:2], seen=np.ones(2, bool),
    )  # fmt: skip
    out = resample(two, 8.0)
    assert len(out) == 9
    want = rodrigues(axis * (0.3 + 2.4 * np.arange(9)[:, None] / 8.0))
    np.testing.assert_allclose(out.rotations[:, 5], want, atol=1e-9)
    np.testing.assert_allclose(out.pelvis_m[4], motion.pelvis_m[:2].mean(0), atol=1e-12)


def test_gaps_are_interpolated_and_marked():
    result = made_up()
    gone = result.select(~((result.track_id == 1) & (result.frame > 3) & (result.frame < 9)))
    motion = motions(gone, BODY, "y", 25.0)[0]
    # Samples within half a step of a frame count as seen; between the long frames nobody is lost.
    inside = (motion.times_s > 0.15 + 0.021) & (motion.times_s < 0.39 - 0.021)
    assert inside.sum() >= 2 and not motion.seen[inside].any()
    assert motion.seen[~inside].all()


def test_usual_rate_forgives_long_frames_and_rounded_times():
    result = made_up()
    assert usual_fps(result) == pytest.approx(25.0)
    ntsc = replace(result, time_s=result.frame * 1001 / 30000)
    assert usual_fps(ntsc) == pytest.approx(30000 / 1001, rel=1e-6)
    rounded = replace(result, time_s=np.round(result.frame / 30.0, 3))
    assert usual_fps(rounded) == pytest.approx(30.0, rel=2e-3)
    every_other = result.select(result.frame % 2 == 0)
    assert usual_fps(replace(every_other, time_s=every_other.frame / 25.0)) == pytest.approx(12.5)


def test_samples_are_put_on_the_frames():
    late = np.concatenate([[0.0], 0.051 + np.arange(40) / 30.0])
    phase = grid_phase_s(late, 30.0)
    steps = (late[1:] - phase) * 30.0
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
    assert abs(phase) <= 0.5 / 30.0
    assert grid_phase_s(np.arange(24) / 24.0, 30.0) == 0.0
    assert len(TIMES_S) == 12

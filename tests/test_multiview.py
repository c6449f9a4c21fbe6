"""The geometry of the multi-view benchmark, on made-up cameras that see made-up points."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eftvideo.errors import ConfigError

BENCHMARKS = str(Path(__file__).parents[1] / "benchmarks")
sys.path.insert(0, BENCHMARKS)
try:
    from multiview import calibration, geometry
    from multiview import truth as truth_of
finally:
    sys.path.remove(BENCHMARKS)


def look_at(position, target=(0.0, 0.0, 1.0)):
    """Rotation of a camera at `position` that looks at `target`; z is up in the world."""
    forward = np.subtract(target, position)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


@pytest.fixture
def views():
    made = []
    for n, angle in enumerate((0.1, 1.5, 3.0, 4.6)):
        position = np.array([4.0 * math.cos(angle), 4.0 * math.sin(angle), 1.5 + 0.2 * n])
        rotation = look_at(position)
        lens = np.array([-0.05, 0.1, 0.001, -0.001])
        center = np.array([530.0, 950.0])
        made.append(
            geometry.View(f"c{n}", rotation, -rotation @ position, np.full(2, 1700.0), center, lens)
        )
    return made


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.uniform([-0.6, -0.6, 0.2], [0.6, 0.6, 1.8], size=(80, 3))


def seen_by(views, points):
    return np.stack([v.project(points) for v in views])


def test_projection_by_hand():
    view = geometry.View(
        "c",
        np.eye(3),
        np.array([0, 0, 1.0]),
        np.array([100.0, 200]),
        np.array([7.0, 9]),
        np.zeros(4),
    )
    np.testing.assert_allclose(view.project(np.array([0.5, 0.25, 1.0])), [7 + 25, 9 + 25])
    np.testing.assert_allclose(view.position, [0, 0, -1])
    bent = replace(view, distortion=np.array([0.5, 0.0, 0.0, 0.0]))
    # r^2 = 0.25^2 + 0.125^2 = 0.078125: slopes grow by 1 + 0.5 r^2.
    grown = 1.0390625
    np.testing.assert_allclose(
        bent.project(np.array([0.5, 0.25, 1.0])), [7 + 25 * grown, 9 + 25 * grown]
    )


def test_rays_go_through_what_was_projected(views, points):
    for view in views:
        rays = view.rays(view.project(points))
        true = points - view.position
        true /= np.linalg.norm(true, axis=1, keepdims=True)
        np.testing.assert_allclose(rays, true, atol=1e-7)
        np.testing.assert_allclose(view.to_world(view.to_camera(points)), points, atol=1e-12)


def test_exact_sightings_give_the_points_back(views, points):
    px, weight = seen_by(views, points), np.ones((4, len(points)))
    weight[2, :40] = 0.0
    weight[1:, 0] = 0.0
    got = geometry.triangulate(views, px, weight)
    assert np.isnan(got[0]).all()
    np.testing.assert_allclose(got[1:], points[1:], atol=1e-6)


def test_triangulation_is_least_squares_in_px(views, points):
    rng = np.random.default_rng(1)
    px = seen_by(views, points) + rng.normal(0, 3.0, size=(4, len(points), 2))
    got = geometry.triangulate(views, px, np.ones((4, len(points))))
    error = (geometry.reprojection_px(views, got, px) ** 2).sum(axis=0)
    for _ in range(10):
        nudged = got + rng.normal(0, 3e-3, size=got.shape)
        assert ((geometry.reprojection_px(views, nudged, px) ** 2).sum(axis=0) > error - 0.05).all()


def test_gross_errors_are_left_out(views, points):
    rng = np.random.default_rng(2)
    px = seen_by(views, points) + rng.normal(0, 1.0, size=(4, len(points), 2))
    bad = rng.integers(4, size=len(points))
    px[bad, np.arange(len(points))] += rng.choice([-150.0, 150.0], size=(len(points), 2))
    weight = np.ones((4, 1, len(points)))
    found = geometry.robust_triangulate(views, px[:, None], weight, 15.0)
    assert np.linalg.norm(found.points - points, axis=1).max() < 0.015
    assert not found.support[bad, np.arange(len(points))].any()
    assert (found.support.sum(axis=0) == 3).all()
    naive = geometry.triangulate(views, px, weight[:, 0])
    assert np.linalg.norm(naive - points, axis=1).mean() > 0.05


def test_the_right_one_of_several_sightings_is_taken(views, points):
    rng = np.random.default_rng(3)
    true = seen_by(views, points)
    px = np.stack([true + rng.uniform(-300, 300, true.shape), true], axis=1)
    weight = np.ones(px.shape[:3])
    weight[0] = 0.0
    px[0] = np.nan
    found = geometry.robust_triangulate(views, px, weight, 5.0)
    np.testing.assert_allclose(found.points, points, atol=0.01)
    assert not found.support[0].any()
    assert found.support[1:].all()


def test_bundle_adjustment_mends_bumped_cameras(views, points):
    rng = np.random.default_rng(4)
    bumped = [views[0]]
    for view in views[1:]:
        turn = calibration.Rotation.from_rotvec(rng.normal(0, 0.01, 3)).as_matrix()
        bumped.append(
            replace(
                view,
                rotation=turn @ view.rotation,
                translation=view.translation + rng.normal(0, 0.03, 3),
            )
        )
    px, weight = seen_by(views, points), np.ones((4, len(points)))
    px[1, :4] += 120.0  # a robust loss shrugs these off
    refined = calibration.refine(bumped, px, weight)
    test = np.random.default_rng(5).uniform([-0.6, -0.6, 0.2], [0.6, 0.6, 1.8], size=(50, 3))
    fresh = seen_by(views, test)
    ones = np.ones((4, 50), bool)
    assert truth_of.rms_px(bumped, fresh, ones) > 4.0
    assert truth_of.rms_px(refined, fresh, ones) < 0.5
    np.testing.assert_array_equal(refined[0].rotation, views[0].rotation)
    kept = calibration.baseline(refined) / calibration.baseline(bumped)
    assert kept == pytest.approx(1.0, abs=1e-4)


QCA = """<calibration><cameras><camera serial="left">
<transform r11="1" r12="0" r13="0" r21="0" r22="0" r23="1" r31="0" r32="-1" r33="0"
 x="0" y="-3000" z="1000"/>
<intrinsic focalLengthU="64000" focalLengthV="64064" centerPointU="32000" centerPointV="6400"
 radialDistortion1="0.1" radialDistortion2="0.2" tangentalDistortion1="0.3"
 tangentalDistortion2="0.4"/></camera></cameras></calibration>"""


def test_qualisys_file_by_hand(tmp_path):
    """A camera 3 m before the origin and 1 m up, that looks along +y."""
    path = tmp_path / "some.qca.txt"
    path.write_text(QCA)
    (view,) = calibration.read_qca(path)
    np.testing.assert_allclose(view.position, [0, -3, 1], atol=1e-12)
    # One metre right of and half a metre above the axis, three metres away.
    np.testing.assert_allclose(view.to_camera(np.array([1.0, 0, 1.5])), [1, -0.5, 3], atol=1e-12)
    flat = replace(view, distortion=np.zeros(4))
    px = flat.project(np.array([1.0, 0, 1.5]))
    np.testing.assert_allclose(px, [500 + 1000 / 3, 100 - 1001 / 6])
    assert (view.name, view.distortion.tolist()) == ("left", [0.1, 0.2, 0.3, 0.4])
    calibration.save_views(tmp_path / "v.json", [view])
    (again,) = calibration.load_views(tmp_path / "v.json")
    np.testing.assert_array_equal(again.rotation, view.rotation)
    path.write_text(QCA.replace("focalLengthU", "other"))
    with pytest.raises(ConfigError, match=r"focalLengthU.*give the \.qca\.txt"):
        calibration.read_qca(path)


def test_doubtful_joints():
    """A bone that stretches and a joint that jumps are told from one that moves steadily."""
    frames = 30
    points = np.zeros((frames, 17, 3))
    points[:] = np.arange(17)[:, None] * [0.0, 0.3, 0.0]
    points[..., 0] += np.linspace(0, 1, frames)[:, None]  # all move by 34 mm a frame
    good = np.ones((frames, 17), bool)
    assert not truth_of.stretched(points, good).any()
    assert not truth_of.jumps(points, good)[4:-4].any()
    a, b = truth_of.BONES[0]
    points[12, b] += [0.0, 0.5, 0.0]
    assert truth_of.stretched(points, good)[12, [a, b]].all()
    assert truth_of.jumps(points, good)[12, b]
    assert truth_of.jumps(points, good)[4:-4].sum() == 1

"""Cameras of other views, and the ground that they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.draw.views import Ground, fit_ground, floor_lines, look, make_view


def test_views_turn_the_right_way():
    """x right, y down, z forward stays so; the side view is from the person's side of the right."""
    ahead, right, down = np.eye(3)[2], np.eye(3)[0], np.eye(3)[1]
    side = look(90, 0)
    np.testing.assert_allclose(side @ ahead, right, atol=1e-12)
    np.testing.assert_allclose(side @ right, -ahead, atol=1e-12)
    np.testing.assert_allclose(side @ down, down, atol=1e-12)
    np.testing.assert_allclose(look(0, 90) @ ahead, -down, atol=1e-12)
    np.testing.assert_allclose(look(0, 90) @ down, ahead, atol=1e-12)
    for yaw, pitch in ((30, 0), (200, 14), (-75, 60)):
        r = look(yaw, pitch)
        np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(r) == pytest.approx(1.0)
    # Depth orders people in the overlay, but goes from left to right in the side view.
    assert (look(90, 0) @ [0, 0, 9.0])[0] > (look(90, 0) @ [0, 0, 4.0])[0]


def test_ground_of_a_tilted_camera(finished):
    """Tilt what was fitted: the ground tilts with it, and level takes it out again."""
    flat = fit_ground(finished.result)
    down = flat.level[1]
    for tilt in (look(0, 12), look(0, -9)):
        joints = (finished.result.joints3d @ tilt.T).astype(np.float32)
        ground = fit_ground(replace(finished.result, joints3d=joints))
        angle = np.degrees(np.arccos(np.clip(ground.level[1] @ (tilt @ down), -1, 1)))
        assert angle < 2.0
        np.testing.assert_allclose(ground.level @ ground.level.T, np.eye(3), atol=1e-12)
    x, z = np.array([-2.0, 1.0, 3.0]), np.array([4.0, 6.0, 9.0])
    heights = (Ground(0.1, -0.2, 1.4).at(x, z) @ Ground(0.1, -0.2, 1.4).level.T)[:, 1]
    np.testing.assert_allclose(heights, heights[0], atol=1e-12)
    upside_down = replace(finished.result, joints3d=finished.result.joints3d * [1, -1, 1])
    assert fit_ground(upside_down).slope_x == fit_ground(upside_down).slope_z == 0.0


@pytest.mark.parametrize("name", ["side", "top", "front", "turntable"])
def test_views_show_nearly_every_joint(finished, name):
    size, ground = (640, 360), fit_ground(finished.result)
    for turn in (0.0, 0.3, 0.7) if name == "turntable" else (0.0,):
        view = make_view(name, finished.result, ground, size, turn)
        points = view.points(finished.result.joints3d.reshape(-1, 3))
        px = points[:, :2] / points[:, 2:] * view.focal_length_px + np.array(size) / 2
        inside = (points[:, 2] > 0) & (px > 0).all(axis=1) & (px < size).all(axis=1)
        assert inside.mean() > 0.97
        assert np.ptp(px[inside], axis=0).max() > 100
        assert len(floor_lines(ground, finished.result, view, view.focal_length_px, size)) > 20

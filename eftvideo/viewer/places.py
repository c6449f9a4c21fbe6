"""Where the viewer looks from, and how large viser is told to draw the clip's camera."""

from __future__ import annotations

import itertools
import math

import numpy as np

PLACES = ("camera", "beside", "side", "top")
FOV = math.radians(50.0)
"""Vertical, of all places but the camera."""
_TOWARDS = {
    # Never exactly over or beside the people: then "up" would have no direction.
    "beside": (0.55, -0.4, -0.8),
    "side": (1.0, -0.05, 0.0),
    "top": (0.0, -1.0, -0.02),
}
"""From the people to the viewer, x right, y down, z forward, level. Beside: on the right of the
camera and above it."""
_ROOM_M, _MARGIN = 1.0, 1.15
Point = tuple[float, float, float]


def look_from(
    name: str, pelvis_m: np.ndarray, level: np.ndarray, aspect: float
) -> tuple[Point, Point]:
    """Position of one of PLACES and the point looked at from there, camera frame, metres.

    Args:
        name: camera: the clip's own. The others are as near as they can be with nearly everybody
            in the picture, always.
        pelvis_m: (N, 3) where the people are, at all times.
        level: (3, 3) turns the camera frame into a level one: its second row is down.
        aspect: of the window, width over height.
    """
    low, high = np.quantile(pelvis_m, [0.02, 0.98], axis=0)
    x, y, z = map(float, middle := (low + high) / 2.0)
    if name == "camera":
        return (0.0, 0.0, 0.0), (0.0, 0.0, z)
    back = np.array(_TOWARDS[name]) @ level / np.linalg.norm(_TOWARDS[name])
    right = np.cross(back, level[1])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(back, right), back])
    corners = np.array(list(itertools.product(*zip(low - _ROOM_M, high + _ROOM_M, strict=True))))
    across, up, near = axes @ (corners - middle).T
    slope = math.tan(FOV / 2.0) / _MARGIN
    away = max(np.max(near + np.abs(across) / (slope * aspect)), np.max(near + np.abs(up) / slope))
    px, py, pz = map(float, middle + away * back)
    return (px, py, pz), (x, y, z)


def camera_fov(fov: float, aspect: float, window_aspect: float) -> float:
    """Vertical angle at which a window shows the whole of the clip's picture, radians.

    Args:
        fov: the clip's, vertical. aspect: the clip's, width over height.
        window_aspect: the window's.
    """
    return 2.0 * math.atan(math.tan(fov / 2.0) * max(1.0, aspect / window_aspect))


def frustum_scale(depth_m: float, fov: float, aspect: float) -> float:
    """viser's `scale` for a frustum whose picture is `depth_m` away.

    viser scales a pyramid of that angle until its volume, not its depth, is that of a unit cube.

    Args:
        depth_m: where the picture is to stand.
        fov: vertical, radians.
        aspect: width over height.
    """
    half = math.tan(fov / 2.0)
    return depth_m * (half * half * aspect / 3.0) ** (1.0 / 3.0)

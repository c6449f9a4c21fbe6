"""Where the viewer looks from, and how large viser is told to draw the clip's camera."""

from __future__ import annotations

import math

import numpy as np

PLACES = ("camera", "beside", "side", "top")
Point = tuple[float, float, float]


def look_from(name: str, middle: np.ndarray) -> tuple[Point, Point]:
    """Position of one of PLACES and the point looked at from there, camera frame, metres.

    Args:
        name: camera: the clip's own; beside: from the right behind it, from above.
        middle: (3,) where the people are.
    """
    x, y, z = map(float, middle)
    away = max(3.0, 0.9 * z)
    if name == "camera":
        return (0.0, 0.0, 0.0), (0.0, 0.0, z)
    # Never exactly over or beside the point: then "up" would have no direction.
    position = {
        "beside": (x + 0.6 * away, y - 0.35 * away, z - 0.9 * away),
        "side": (x + 1.2 * away, y, z + 0.01),
        "top": (x, y - 1.4 * away, z - 0.01),
    }[name]
    return position, (x, y, z)


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

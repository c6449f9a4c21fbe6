"""Where else a result can be seen from: from the side, from above, level, all around.

A view is a camera of its own: it turns and moves what is in the clip's camera frame into its own
frame of the same kind (x right, y down, z forward), so that every renderer works in it unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from eftvideo.geometry.skeletons import SMPL24
from eftvideo.renderers import DrawnPerson
from eftvideo.results.result import Result

VIEWS = ("overlay", "side", "top", "front", "turntable")
"""overlay: the clip's own camera; front: level, from the clip's side; side: from the right."""

_ANGLES_DEG = {"front": (0.0, 4.0), "side": (90.0, 4.0), "top": (0.0, 90.0), "turntable": (0, 14.0)}
"""Turn about the vertical and look down, of each view but the overlay."""
_FOCAL_PER_HEIGHT = 1.6
"""Focal length of the views over their height: 35 degrees, little perspective."""
_MARGIN_M = 0.2
"""Around the joints: flesh, hair, hands."""
_FILL = 0.94
"""Share of the picture that the people may fill."""
_FEET = [SMPL24.index("left_foot"), SMPL24.index("right_foot")]
_ANKLES = [SMPL24.index("left_ankle"), SMPL24.index("right_ankle")]
_SOLE_M = 0.05
"""From the foot's joint down to the ground."""
_MAX_TILT_DEG = 30.0
_LOW = 0.9
"""Quantile of the rows' lowest feet that is the floor: most of the time people stand on it."""


@dataclass(frozen=True)
class View:
    """A camera: `rotation @ (point - centre) + (0, 0, distance_m)` is a point in its frame."""

    rotation: np.ndarray
    """(3, 3)"""
    centre: np.ndarray
    """(3,) metres, camera frame of the clip."""
    distance_m: float
    focal_length_px: float | None
    """None: each person's own."""

    def points(self, points_cam: np.ndarray) -> np.ndarray:
        """(..., 3) points of the clip's camera frame in this one."""
        moved = (points_cam - self.centre) @ self.rotation.T
        moved[..., 2] += self.distance_m
        return moved.astype(np.float32)

    def person(self, person: DrawnPerson) -> DrawnPerson:
        """A person as seen here; the detector's keypoints have no place in other views."""
        moved = {
            name: None if value is None else self.points(value)
            for name, value in (
                ("vertices_cam", person.vertices_cam),
                ("joints_cam", person.joints_cam),
                ("trails_cam", person.trails_cam),
            )
        }
        focal = self.focal_length_px or person.focal_length_px
        return replace(person, **moved, keypoints2d=None, focal_length_px=focal)


OWN = View(np.eye(3), np.zeros(3), 0.0, None)
"""The clip's own camera."""


@dataclass(frozen=True)
class Ground:
    """The plane under the feet: y = slope_x x + slope_z z + height_m in the camera frame."""

    slope_x: float
    slope_z: float
    height_m: float

    @property
    def level(self) -> np.ndarray:
        """(3, 3) the smallest rotation that makes the ground's downward normal the y axis."""
        down = np.array([-self.slope_x, 1.0, -self.slope_z])
        x, y, z = down / np.linalg.norm(down)
        k = 1.0 / (1.0 + y)
        return np.array(
            [[1 - k * x * x, -x, -k * x * z], [x, y, z], [-k * x * z, -z, 1 - k * z * z]]
        )

    def at(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """(..., 3) points of the plane above which x and z are."""
        return np.stack([x, self.slope_x * x + self.slope_z * z + self.height_m, z], axis=-1)


def fit_ground(result: Result) -> Ground:
    """The floor, guessed: people stand upright on the median, and on it at their lowest.

    Feet alone do not tell how the camera is tilted: depths are uncertain, and people jump or
    stand on something. Where the bodies ask for an odd tilt they do not stand: then it is none.
    """
    joints = result.joints3d[np.isfinite(result.joints3d).all(axis=(1, 2))].astype(float)
    if not len(joints):
        return Ground(0.0, 0.0, 1.5)
    up = joints[:, SMPL24.index("neck")] - joints[:, _ANKLES].mean(axis=1)
    down = -np.median(up / np.linalg.norm(up, axis=1, keepdims=True), axis=0)
    slopes = -down[[0, 2]] / max(down[1], 1e-6)
    if down[1] <= 0.0 or np.hypot(*slopes) > math.tan(math.radians(_MAX_TILT_DEG)):
        slopes = np.zeros(2)
    feet = joints[:, _FEET]
    heights = (feet[..., 1] - feet[..., [0, 2]] @ slopes).max(axis=1)
    height = float(np.quantile(heights, _LOW)) + _SOLE_M
    return Ground(float(slopes[0]), float(slopes[1]), height)


def make_view(
    name: str, result: Result, ground: Ground, size: tuple[int, int], turn: float = 0.0
) -> View:
    """A view of VIEWS in a picture of `size` (width, height px).

    It stands still for the whole clip and shows nearly all joints of all rows, however they jump.

    Args:
        turn: for the turntable, how far it has gone round, 0..1.
    """
    if name == "overlay":
        return OWN
    yaw, pitch = _ANGLES_DEG[name]
    level = ground.level
    rotation = look(yaw + 360.0 * turn, pitch) @ level
    points = result.joints3d.reshape(-1, 3).astype(float)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        points = np.array([[0.0, 0.0, 4.0]])
    low, high = np.quantile(points @ level.T, [0.01, 0.99], axis=0)
    centre = level.T @ ((low + high) / 2.0)
    focal = _FOCAL_PER_HEIGHT * size[1]
    rotations = [rotation]
    if name == "turntable":  # one distance for all the way round
        rotations = [look(angle, pitch) @ level for angle in range(0, 360, 15)]
    distance = max(_distance((points - centre) @ r.T, focal, size) for r in rotations)
    return View(rotation, centre, distance, focal)


def look(yaw_deg: float, pitch_deg: float) -> np.ndarray:
    """(3, 3) rotation into a camera that has gone round to the right by `yaw_deg` and looks down
    by `pitch_deg`; 0, 0 is the camera as it was.
    """
    c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    about_y = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    c, s = math.cos(math.radians(pitch_deg)), math.sin(math.radians(pitch_deg))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]]) @ about_y


def _distance(points: np.ndarray, focal: float, size: tuple[int, int]) -> float:
    """How far away points (n, 3) must be for 99 in 100 of them to be in the picture."""
    half = _FILL * np.array(size) / 2.0
    needed = (np.abs(points[:, :2]) + _MARGIN_M) * focal / half - points[:, 2:]
    return float(np.quantile(needed.max(axis=1), 0.99))


def floor_lines(
    ground: Ground, result: Result, view: View, focal_px: float, size: tuple[int, int]
) -> np.ndarray:
    """(n, 2, 2) px: a metre grid on the ground under the people, as `view` sees it."""
    points = result.joints3d[:, 0].astype(float)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.zeros((0, 2, 2))
    low, high = np.quantile(points[:, [0, 2]], [0.01, 0.99], axis=0)
    low, high = np.floor(low) - 2.0, np.ceil(high) + 2.0
    step = max(1.0, math.ceil((high - low).max() / 30.0))
    x, z = (np.arange(a, b + step / 2, step) for a, b in zip(low, high, strict=True))
    fine = np.linspace(0.0, 1.0, 33)
    lengthwise = [(np.full(33, at), z[0] + fine * (z[-1] - z[0])) for at in x]
    crosswise = [(x[0] + fine * (x[-1] - x[0]), np.full(33, at)) for at in z]
    pieces = [view.points(ground.at(*line)) for line in lengthwise + crosswise]
    ends = np.concatenate([np.stack([p[:-1], p[1:]], axis=1) for p in pieces]).astype(float)
    ends = ends[(ends[..., 2] > 0.1).all(axis=1)]
    return ends[..., :2] / ends[..., 2:] * focal_px + np.array(size) / 2.0

"""What stands in the viewer's scene: the people, the ground, the clip's camera, the light.

Knows viser's objects by what they can do; only `viewer.py` imports the library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eftvideo.bodies import BodyModel
from eftvideo.draw.views import fit_ground
from eftvideo.geometry.rotations import matrix_to_quaternion
from eftvideo.renderers import track_colour
from eftvideo.results.result import Result
from eftvideo.viewer.places import FOV, frustum_scale, look_from
from eftvideo.viewer.timeline import Meshes

_BEHIND_PEOPLE_M = 1.0
_NO_SHADOW = {"cast_shadow": False, "receive_shadow": False}
"""Without a GPU, shadows take as long as all the rest."""
_USUAL_ASPECT = 0.9
"""Of the part of a window that is left by the panel: of a phone's; a desktop's is wider."""
_GROUND_RGB, _LINE_RGB, _CAMERA_RGB = (150, 155, 162), (190, 194, 200), (90, 95, 105)


@dataclass(frozen=True)
class Stage:
    """The objects that change while a result is looked at."""

    bodies: dict[int, Any]
    """A mesh for each person, by track id."""
    frustum: Any
    """The clip's camera with its picture."""
    fov: float
    """Of that camera, vertical, radians."""
    aspect: float
    """Of its picture, width over height."""
    level: np.ndarray
    """(3, 3) turns the camera frame into one that stands on the ground: its second row is down."""


def set_stage(server: Any, result: Result, body: BodyModel, meshes: Meshes) -> Stage:
    """Put everything into a viser server's scene.

    Args:
        server: the `ViserServer`. result: with at least one row.
        body: the one that the result was made with. meshes: of the result.
    """
    scene = server.scene
    pelvis = result.joints3d[:, 0].astype(float)
    _light(scene)
    level = _ground(scene, result, pelvis)
    first = server.initial_camera
    first.position, first.look_at = look_from("beside", pelvis, level, _USUAL_ASPECT)
    first.fov = FOV
    fov = 2.0 * math.atan(result.height_px / (2.0 * float(result.focal_length_px[0])))
    aspect = result.width_px / result.height_px
    frustum = _camera(scene, result, fov, aspect)
    return Stage(_people(scene, result, body, meshes), frustum, fov, aspect, level)


def _light(scene: Any) -> None:
    scene.configure_environment_map(hdri=None)  # the others are fetched from the internet
    scene.configure_default_lights(True, cast_shadow=False)
    scene.add_light_ambient("/light/all", intensity=0.9)


def _ground(scene: Any, result: Result, pelvis: np.ndarray) -> np.ndarray:
    ground, middle = fit_ground(result), np.median(pelvis, axis=0)
    scene.set_up_direction(tuple(-ground.level[1]))
    reach = float(np.ceil(np.ptp(np.quantile(pelvis, [0.02, 0.98], axis=0), axis=0).max())) + 6
    turn = torch.from_numpy(np.ascontiguousarray(ground.level.T, dtype=np.float64))
    x, y, z, w = matrix_to_quaternion(turn[None])[0].tolist()
    scene.add_grid(
        "/ground",
        *(reach, reach),
        plane="xz",
        cell_size=1.0,
        section_size=5.0,
        cell_color=_LINE_RGB,
        section_color=_GROUND_RGB,
        position=tuple(ground.at(middle[0], middle[2])),
        wxyz=(w, x, y, z),
    )
    return ground.level


def _people(scene: Any, result: Result, body: BodyModel, meshes: Meshes) -> dict[int, Any]:
    bodies = {}
    for track_id in result.track_ids:
        first = int(np.flatnonzero(result.track_id == track_id)[0])
        bodies[track_id] = scene.add_mesh_simple(
            f"/people/{track_id}",
            meshes.of_row(first),
            body.faces,
            color=tuple(round(255 * c) for c in track_colour(track_id)),
            **_NO_SHADOW,
        )
    return bodies


def _camera(scene: Any, result: Result, fov: float, aspect: float) -> Any:
    """The clip's camera, its picture just behind the people."""
    depth_m = float(np.quantile(result.joints3d[:, 0, 2], 0.9)) + _BEHIND_PEOPLE_M
    return scene.add_camera_frustum(
        "/camera",
        fov=fov,
        aspect=aspect,
        scale=frustum_scale(depth_m, fov, aspect),
        format="jpeg",
        color=_CAMERA_RGB,
        **_NO_SHADOW,
    )

"""Read a Qualisys calibration and refine it on points that several cameras see.

Source of the format: Qualisys Track Manager's calibration XML. Lengths are in mm, intrinsics in
1/64 px; the rows of its rotation are the camera's axes in the world with y up and z backwards, so
that two rows change sign for OpenCV's frame.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import coo_matrix
from scipy.spatial.transform import Rotation

from eftvideo.errors import ConfigError
from multiview.geometry import View, triangulate

QCA_SUBPIXELS = 64.0
LOSS_SCALE_PX = 5.0
"""Soft-L1 scale of the bundle adjustment: keypoints are not sharper than this."""
SCALE_SIGMA = 1e-4
PARAMS = 6
"""Per camera: rotation vector and translation. The focal length is not among them: one person
cannot tell it from the distance (15 % more changes the residual by 0.1 px, and every length)."""


def read_qca(path: Path) -> list[View]:
    """The cameras of a Qualisys file, in its order; metres, px.

    Raises:
        ConfigError: no such file, or not such a file.
    """
    try:
        root = ET.parse(path).getroot()
        views = [_camera(c, f"cam{n:02d}") for n, c in enumerate(root.iter("camera"), start=1)]
    except (OSError, ET.ParseError, KeyError, ValueError) as e:
        raise ConfigError(f"{path} is no Qualisys calibration ({e}): give the .qca.txt file") from e
    if not views:
        raise ConfigError(f"{path} has no <camera>: expected a Qualisys calibration")
    return views


def _camera(camera: ET.Element, name: str) -> View:
    transform, lens = camera.find("transform"), camera.find("intrinsic")
    if transform is None or lens is None:
        raise ValueError("a camera without <transform> or <intrinsic>")
    t, k = transform.attrib, lens.attrib
    axes = np.array([[float(t[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
    rotation = np.diag([1.0, -1.0, -1.0]) @ axes
    position = np.array([float(t[a]) for a in "xyz"]) / 1000.0
    # "tangental" is Qualisys' own spelling.
    bends = ("radialDistortion1", "radialDistortion2")
    bends += ("tangentalDistortion1", "tangentalDistortion2")
    return View(
        camera.attrib.get("serial", name),
        rotation,
        -rotation @ position,
        np.array([float(k[f"focalLength{a}"]) for a in "UV"]) / QCA_SUBPIXELS,
        np.array([float(k[f"centerPoint{a}"]) for a in "UV"]) / QCA_SUBPIXELS,
        np.array([float(k[n]) for n in bends]),
    )


def save_views(path: Path, views: Sequence[View]) -> None:
    """Write cameras as JSON."""
    plain = [
        {k: v if isinstance(v, str) else v.tolist() for k, v in vars(view).items()}
        for view in views
    ]
    path.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def load_views(path: Path) -> list[View]:
    """Read what `save_views` wrote."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return [
        View(e["name"], **{k: np.array(v) for k, v in e.items() if k != "name"}) for e in stored
    ]


@dataclass(frozen=True)
class _Problem:
    """Bundle adjustment with the first camera's place fixed and the mean baseline kept."""

    views: Sequence[View]
    px: np.ndarray
    weight: np.ndarray
    at: tuple[np.ndarray, np.ndarray]
    """View and point of each sighting."""

    def cameras(self, x: np.ndarray) -> list[View]:
        change = x[: PARAMS * len(self.views)].reshape(-1, PARAMS).copy()
        change[0] = 0.0
        return [
            replace(
                v,
                rotation=Rotation.from_rotvec(c[:3]).as_matrix() @ v.rotation,
                translation=v.translation + c[3:],
            )
            for v, c in zip(self.views, change, strict=True)
        ]

    def residuals(self, x: np.ndarray) -> np.ndarray:
        cameras = self.cameras(x)
        points = x[PARAMS * len(cameras) :].reshape(-1, 3)
        of_view, of_point = self.at
        off = np.empty((len(of_view), 2))
        for v, camera in enumerate(cameras):
            mine = of_view == v
            there = camera.project(points[of_point[mine]])
            off[mine] = (there - self.px[v, of_point[mine]]) * self.weight[v, of_point[mine], None]
        ratio = baseline(cameras) / baseline(self.views)
        return np.append(off.ravel(), (ratio - 1.0) / SCALE_SIGMA)

    def sparsity(self, num_points: int) -> coo_matrix:
        of_view, of_point = self.at
        num, num_views = len(of_view), len(self.views)
        rows = np.repeat(np.arange(2 * num), PARAMS + 3)
        cameras = of_view[:, None] * PARAMS + np.arange(PARAMS)
        points = num_views * PARAMS + of_point[:, None] * 3 + np.arange(3)
        columns = np.repeat(np.concatenate([cameras, points], axis=1), 2, axis=0).ravel()
        rows = np.append(rows, np.full(num_views * PARAMS, 2 * num))
        columns = np.append(columns, np.arange(num_views * PARAMS))
        shape = (2 * num + 1, num_views * PARAMS + 3 * num_points)
        return coo_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def baseline(views: Sequence[View]) -> float:
    """Mean distance of the cameras from their middle, metres: the scale of the world."""
    places = np.stack([v.position for v in views])
    return float(np.linalg.norm(places - places.mean(axis=0), axis=1).mean())


def refine(views: Sequence[View], px: np.ndarray, weight: np.ndarray) -> list[View]:
    """Bundle adjustment: places and directions of the cameras.

    The world stays where it was: the first camera does not move, and the cameras' mean distance
    from their middle, hence the scale, is the calibration's. Intrinsics are kept.

    Args:
        px: (V, N, 2) sightings of the same N points. weight: (V, N); 0 means not seen.
    """
    seen = (weight > 0) & np.isfinite(px).all(axis=-1)
    keep = seen.sum(axis=0) >= 2
    px, weight, seen = px[:, keep], np.sqrt(weight[:, keep]), seen[:, keep]
    at = np.nonzero(seen)
    problem = _Problem(views, px, weight, (at[0], at[1]))
    points = triangulate(views, px, np.where(seen, weight, 0.0))
    start = np.concatenate([np.zeros(PARAMS * len(views)), points.ravel()])
    done = least_squares(
        problem.residuals,
        start,
        jac_sparsity=problem.sparsity(len(points)),
        loss="soft_l1",
        f_scale=LOSS_SCALE_PX,
        x_scale="jac",
        method="trf",
        max_nfev=60,
    )
    return problem.cameras(done.x)

"""Pictures of clothed people for benchmarks/rendered.py: plain, but enough for a person detector.

Every vertex of the body gets a colour by the part that moves it (skin, hair, shirt, trousers,
shoes) with patterns in rest pose; cloth stands off the skin by a centimetre or so. pyrender draws
with shadows of a soft kind: none cast, one blob under the feet.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
import cv2
import pyrender
import torch
import trimesh

from eftvideo.bodies import BodyModel
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.types import SmplParams

_PARTS = {
    "shoes": ("left_foot", "right_foot", "left_ankle", "right_ankle"),
    "trousers": ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee"),
    "shirt": ("spine1", "spine2", "spine3", "left_collar", "right_collar", "left_shoulder",
              "right_shoulder"),
    "skin": ("neck", "head", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
             "left_hand", "right_hand"),
}  # fmt: skip
_CLOTH_M = {"shoes": 0.006, "trousers": 0.012, "shirt": 0.014, "skin": 0.0}
_SKIN = ((224, 172, 140), (198, 134, 98), (141, 85, 58), (236, 188, 160))
_HAIR = ((40, 28, 20), (90, 60, 35), (20, 18, 18), (150, 115, 70))
_CLOTHES = (
    (40, 60, 110),
    (150, 40, 40),
    (60, 90, 60),
    (200, 195, 185),
    (50, 50, 55),
    (120, 90, 60),
)


@dataclass(frozen=True)
class Look:
    """How one person is clothed."""

    colours: np.ndarray
    """(V, 3) in 0..1."""
    offset_m: np.ndarray
    """(V,) how far the cloth stands off."""


def dress(body: BodyModel, betas: torch.Tensor, rng: np.random.Generator) -> Look:
    """Clothes by lot for a body of this shape."""
    rest = SmplParams(torch.eye(3)[None], torch.eye(3).expand(1, 23, 3, 3), betas[None])
    points = body.vertices(rest, torch.zeros(1, 3))[0].numpy()
    joints = body.joints_and_keypoints(rest)[0][0].numpy()
    mover = np.linalg.norm(points[:, None] - _bone_points(joints)[None], axis=-1).argmin(1)
    part = np.array([next(p for p, names in _PARTS.items() if n in names) for n in SMPL24])[mover]
    skin = np.array(_SKIN[rng.integers(len(_SKIN))], float)
    shirt, trousers = (np.array(_CLOTHES[i], float) for i in rng.permutation(len(_CLOTHES))[:2])
    colours = np.zeros_like(points)
    for name, colour in (("skin", skin), ("shirt", shirt), ("trousers", trousers), ("shoes", 35.0)):
        colours[part == name] = colour
    stripes = 1.0 + 0.25 * np.sign(np.sin(points[:, 1] * 2 * np.pi / 0.08 + rng.uniform(0, 6)))
    colours[part == "shirt"] *= stripes[part == "shirt", None]
    _face(colours, points, joints, part, np.array(_HAIR[rng.integers(len(_HAIR))], float))
    blotches = _smooth_noise(points, rng)
    colours *= 1.0 + 0.12 * blotches[:, None]
    offset = np.array([_CLOTH_M[p] for p in part]) * (1.0 + 0.5 * _smooth_noise(points, rng))
    return Look(np.clip(colours / 255.0, 0.0, 1.0), offset)


def _bone_points(joints: np.ndarray) -> np.ndarray:
    """(24, 3): the middle of each joint's own bone, so that the nearest tells the part."""
    out = joints.copy()
    ends = {"hip": "knee", "knee": "ankle", "ankle": "foot", "shoulder": "elbow"}
    ends |= {"elbow": "wrist", "wrist": "hand"}
    for name in SMPL24:
        side, _, part = name.partition("_")
        if part in ends:
            here, there = SMPL24.index(name), SMPL24.index(f"{side}_{ends[part]}")
            out[here] = (joints[here] + joints[there]) / 2.0
    out[SMPL24.index("head")] += [0.0, 0.08, 0.02]
    return out


def _face(
    colours: np.ndarray, points: np.ndarray, joints: np.ndarray, part: np.ndarray, hair: np.ndarray
) -> None:
    """Hair on top and behind, eyes, brows and mouth as dark spots."""
    head = points[:, 1] > joints[SMPL24.index("head"), 1] - 0.02
    top, low = points[head, 1].max(), joints[SMPL24.index("head"), 1]
    height = (points[:, 1] - low) / (top - low)
    middle = points[head, 2].mean()
    front = points[:, 2] - middle
    colours[head & ((height > 0.80) | ((front < 0.0) & (height > 0.1)))] = hair
    for side in (-1, 1):
        eye = np.hypot(points[:, 0] - side * 0.032, (height - 0.45) * (top - low)) < 0.012
        brow = (np.abs(points[:, 0] - side * 0.034) < 0.02) & (np.abs(height - 0.57) < 0.04)
        colours[head & eye & (front > 0.04)] = 25.0
        colours[head & brow & (front > 0.04)] = hair
    mouth = (np.abs(points[:, 0]) < 0.025) & (np.abs(height - 0.08) < 0.04)
    colours[head & mouth & (front > 0.04)] = (150, 70, 70)


def _smooth_noise(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(V,) a sum of waves through the rest pose, about unit size."""
    waves = rng.normal(0.0, 14.0, (6, 3))
    return np.sin(points @ waves.T + rng.uniform(0, 2 * np.pi, 6)).mean(axis=1) * 1.7


def background(picture: np.ndarray | None, size: tuple[int, int], seed: int) -> np.ndarray:
    """(H, W, 3) uint8: a blurred picture, or clouds of colour, above a floor."""
    width, height = size
    rng = np.random.default_rng(seed)
    if picture is None:
        small = (rng.uniform(90, 170, (5, 8, 1)) + rng.normal(0, 12, (5, 8, 3))).astype(np.float32)
        fine = rng.normal(0, 9, (height // 6 + 1, width // 6 + 1, 1)).astype(np.float32)
        image = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
        image += cv2.resize(fine, size, interpolation=cv2.INTER_LINEAR)[..., None]
        for _ in range(6):
            x, w = rng.integers(0, width), rng.integers(20, width // 4)
            image[: int(height * rng.uniform(0.3, 0.65)), x : x + w] *= rng.uniform(0.5, 1.3)
    else:
        image = cv2.resize(picture, size).astype(np.float32)
        image = cv2.GaussianBlur(image, (0, 0), width / 40)
    floor = np.clip((np.arange(height) / height - 0.62) * 12, 0, 1)[:, None, None]
    ground = np.array(rng.uniform(80, 150, 3), np.float32) * np.linspace(0.8, 1.1, height)[
        :, None, None
    ] + rng.normal(0, 6, (height, width, 1))
    return np.clip(image * (1 - 0.8 * floor) + ground * 0.8 * floor, 0, 255).astype(np.uint8)


class Painter:
    """Draws clothed bodies into pictures of one size."""

    def __init__(self, size: tuple[int, int], focal_px: float, faces: np.ndarray) -> None:
        self._size, self._focal, self._faces = size, focal_px, faces
        self._renderer = pyrender.OffscreenRenderer(2 * size[0], 2 * size[1])

    def draw(
        self, ground: np.ndarray, people: list[tuple[np.ndarray, Look]], rng: np.random.Generator
    ) -> np.ndarray:
        """`ground` with people given by vertices (V, 3) in the camera frame, metres."""
        width, height = self._size
        scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=(0.42, 0.42, 0.45))
        image = ground.astype(np.float32)
        for vertices, look in people:
            mesh = trimesh.Trimesh(vertices, self._faces, process=False)
            mesh.vertices = vertices + mesh.vertex_normals * look.offset_m[:, None]
            mesh.vertices = mesh.vertices * [1, -1, -1]
            mesh.visual.vertex_colors = np.c_[look.colours, np.ones(len(vertices))]
            scene.add(pyrender.Mesh.from_trimesh(mesh, smooth=True))
            self._shade_floor(image, vertices)
        camera = pyrender.IntrinsicsCamera(
            2 * self._focal, 2 * self._focal, width, height, znear=0.1, zfar=100.0
        )
        scene.add(camera, pose=np.eye(4))
        for direction, strength in (((-0.5, 0.8, 0.6), 2.0), ((0.8, 0.3, 0.5), 0.9)):
            scene.add(pyrender.DirectionalLight(intensity=strength), pose=_looking_from(direction))
        rgba, _ = self._renderer.render(scene, flags=pyrender.RenderFlags.RGBA)
        rgba = cv2.resize(rgba.astype(np.float32), self._size, interpolation=cv2.INTER_AREA)
        alpha = rgba[..., 3:] / 255.0
        image = image * (1 - alpha) + rgba[..., :3] * np.minimum(alpha, 1.0)
        image = cv2.GaussianBlur(image, (0, 0), 0.6)
        return np.clip(image + rng.normal(0, 3.0, image.shape), 0, 255).astype(np.uint8)

    def _shade_floor(self, image: np.ndarray, vertices: np.ndarray) -> None:
        """A soft dark blob where the lowest points are."""
        low = vertices[vertices[:, 1] > vertices[:, 1].max() - 0.08].mean(axis=0)
        center = low[:2] / low[2] * self._focal + np.array(self._size) / 2
        across = 0.35 / low[2] * self._focal
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        far = ((x - center[0]) / across) ** 2 + ((y - center[1]) / (0.3 * across)) ** 2
        image *= 1.0 - 0.55 * np.exp(-far)[..., None]

    def close(self) -> None:
        """Frees the renderer."""
        self._renderer.delete()


def _looking_from(direction: tuple[float, float, float]) -> np.ndarray:
    """A light's pose (OpenGL: it shines along its -z)."""
    z = np.array(direction) / np.linalg.norm(direction)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    return pose

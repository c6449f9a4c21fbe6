"""Clothes by lot for render_pictures.py: colours and thickness for every vertex of a body.

Made in rest pose, where garments end at heights (trousers, shirt) and at distances from the middle
(sleeves). Patterns are waves and checks through the rest pose, so that they move with the body.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
import torch

from eftvideo.bodies import BodyModel
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.types import SmplParams

SKIN_RGB = ((242, 208, 182), (224, 172, 140), (198, 134, 98), (141, 85, 58), (88, 54, 38))
HAIR_RGB = ((40, 28, 20), (90, 60, 35), (20, 18, 18), (170, 130, 80), (150, 150, 150))
HARLEQUIN = 0.1
"""Share of people whose every limb has a colour of its own."""
BARE_TRUNK = 0.06
"""Share of people without a shirt."""


@dataclass(frozen=True)
class Look:
    """How one person is clothed."""

    colours: np.ndarray
    """(V, 3) float32 in 0..1."""
    offset_m: np.ndarray
    """(V,) float32: how far the cloth stands off the skin."""


class Wardrobe:
    """Draws `Look`s for one body model."""

    def __init__(self, body: BodyModel) -> None:
        eye = torch.eye(3)
        rest = SmplParams(eye[None], eye.expand(1, 23, 3, 3), torch.zeros(1, 10))
        self._points = body.vertices(rest, torch.zeros(1, 3))[0].numpy()
        self._part = body.skin_weights.argmax(axis=1)
        joints = body.joints_and_keypoints(rest)[0][0].numpy()
        self._joints = dict(zip(SMPL24, joints, strict=True))

    def dress(self, rng: np.random.Generator) -> Look:
        """Shirt, trousers, shoes, hair and skin by lot."""
        points = self._points
        if rng.random() < HARLEQUIN:
            colours = np.array([_any_colour(rng) for _ in SMPL24])[self._part]
            offset = np.full(len(points), rng.uniform(0.0, 0.01))
            return self._finish(colours, offset, rng)
        skin = np.array(SKIN_RGB[rng.integers(len(SKIN_RGB))]) / 255.0
        colours = np.tile(skin, (len(points), 1))
        offset = np.zeros(len(points))
        waist = self._joints["pelvis"][1] + rng.uniform(0.0, 0.14)
        trousers = self._trousers(waist, rng)
        self._wear(colours, offset, trousers, rng)
        if rng.random() >= BARE_TRUNK:
            self._wear(colours, offset, self._shirt(waist, rng), rng)
        shoes = points[:, 1] < self._joints["left_ankle"][1] + rng.uniform(-0.02, 0.06)
        colours[shoes], offset[shoes] = _any_colour(rng), 0.006
        self._hair(colours, offset, rng)
        return self._finish(colours, offset, rng)

    def _trousers(self, waist: float, rng: np.random.Generator) -> np.ndarray:
        knee, ankle = self._joints["left_knee"][1], self._joints["left_ankle"][1]
        end = rng.uniform(knee - 0.05, knee + 0.25) if rng.random() < 0.45 else ankle + 0.03
        y = self._points[:, 1]
        return (y < waist) & (y > end) & (np.abs(self._points[:, 0]) < 0.45)

    def _shirt(self, waist: float, rng: np.random.Generator) -> np.ndarray:
        shoulder, wrist = self._joints["left_shoulder"][0], self._joints["left_wrist"][0]
        sleeve = rng.choice([shoulder, shoulder + 0.14, wrist - 0.03], p=[0.15, 0.45, 0.4])
        collar = self._joints["neck"][1] + rng.uniform(-0.04, 0.03)
        low = waist - (rng.uniform(0.0, 0.25) if rng.random() < 0.5 else 0.0)
        x, y = np.abs(self._points[:, 0]), self._points[:, 1]
        return (y > low) & (x < sleeve) & ((y < collar) | (x > 0.09))

    def _wear(
        self, colours: np.ndarray, offset: np.ndarray, on: np.ndarray, rng: np.random.Generator
    ) -> None:
        base, other = _any_colour(rng), _any_colour(rng)
        share = _pattern(self._points, rng)[:, None]
        cloth = base * (1.0 - share) + other * share
        colours[on] = cloth[on]
        thick = rng.uniform(0.003, 0.022) * (1.0 + 0.5 * _waves(self._points, rng, 9.0))
        offset[on] = np.maximum(thick[on], 0.002)

    def _hair(self, colours: np.ndarray, offset: np.ndarray, rng: np.random.Generator) -> None:
        low = self._joints["head"][1]
        y, z = self._points[:, 1], self._points[:, 2]
        top = y.max()
        head = y > low - 0.05
        height = (y - low) / (top - low)
        behind = z < self._joints["head"][2] + 0.02
        hair = head & ((height > rng.uniform(0.72, 0.92)) | (behind & (height > 0.05)))
        colour = np.array(HAIR_RGB[rng.integers(len(HAIR_RGB))]) / 255.0
        if rng.random() < 0.9:
            colours[hair], offset[hair] = colour, rng.uniform(0.005, 0.03)
        self._face(colours, head, height, colour)

    def _face(
        self, colours: np.ndarray, head: np.ndarray, height: np.ndarray, hair: np.ndarray
    ) -> None:
        """Eyes, brows and mouth; a detector tells front from back by them."""
        side = np.abs(self._points[:, 0])
        front = head & (self._points[:, 2] > self._points[head, 2].mean() + 0.04)
        colours[front & (np.abs(side - 0.034) < 0.02) & (np.abs(height - 0.57) < 0.05)] = hair
        colours[front & (np.abs(side - 0.032) < 0.014) & (np.abs(height - 0.44) < 0.06)] = 0.08
        colours[front & (side < 0.026) & (np.abs(height - 0.08) < 0.045)] = (0.55, 0.22, 0.22)

    def _finish(self, colours: np.ndarray, offset: np.ndarray, rng: np.random.Generator) -> Look:
        blotches = 1.0 + rng.uniform(0.02, 0.15) * _waves(self._points, rng, 14.0)[:, None]
        return Look(
            np.clip(colours * blotches, 0.0, 1.0).astype(np.float32), offset.astype(np.float32)
        )


def _any_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) in 0..1; half of them greyish, as clothes are."""
    saturation = rng.uniform(0.0, 0.25) if rng.random() < 0.5 else rng.uniform(0.25, 0.95)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.12, 1.0)))


def _waves(points: np.ndarray, rng: np.random.Generator, per_m: float) -> np.ndarray:
    """(V,) a sum of waves through the rest pose, about unit size."""
    waves = rng.normal(0.0, per_m, (5, 3))
    return np.sin(points @ waves.T + rng.uniform(0, 2 * np.pi, 5)).mean(axis=1) * 1.6


def _pattern(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(V,) share of the second colour: plain, stripes, checks or patches."""
    kind = rng.choice(["plain", "stripes", "checks", "patches"], p=[0.5, 0.2, 0.1, 0.2])
    if kind == "plain":
        return np.zeros(len(points))
    if kind == "patches":
        return (_waves(points, rng, 8.0) > 0.2).astype(float)
    step = rng.uniform(0.05, 0.14)
    rows = np.sin(points[:, 1] * 2 * np.pi / step + rng.uniform(0, 6)) > 0
    columns = np.sin(points[:, 0] * 2 * np.pi / step + rng.uniform(0, 6)) > 0
    if kind == "stripes":
        return (rows if rng.random() < 0.6 else columns).astype(float)
    return (rows ^ columns).astype(float)

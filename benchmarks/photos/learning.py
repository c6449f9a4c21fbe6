"""What the tables of `eftvideo/landmarks/` are learned from, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eftvideo.geometry.boxes import longer_side
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, mirror_index, select
from eftvideo.landmarks import reliability
from eftvideo.landmarks.places import coco_places
from photos.labels import LIMBS
from photos.people import People

Table = tuple[tuple[float, ...], ...]

_NEAR, _NEAR_FACE = 0.15, 0.25
"""Torso lengths from the label within which a point is right; of the face there is no label but the
middle between neck and top of the head."""
_PULL = (1e-6, 3.0, 3.0, 20.0, 3.0, 3.0)
"""On the weights of the features; the person score hardly varies."""
_EXCHANGED = 0.6
"""Labels are turned round if the median errors of both witnesses fall to this share by it."""
_STEPS = 40
"""Newton's and of reweighting; both stand still after ten."""
_ROBUST = 0.02
"""Sides of the box from which on an offset counts like its distance, not its square."""
_STEADY = 0.025
"""Pull of shares to 0, in root mean square lengths of the ways."""
_KINDS = [reliability.KINDS.index(reliability.kind_of(name)) for name in COCO17]
_TWIN = mirror_index(COCO17)


@dataclass(frozen=True)
class Sample:
    """P people whom the detector found; px."""

    keypoints: np.ndarray
    """(P, 17, 3)"""
    points: np.ndarray
    """(P, 33, 4)"""
    score: np.ndarray
    """(P,): 0 where the network is not trusted."""
    side: np.ndarray
    """(P,)"""
    labels: np.ndarray
    """(P, 17, 2): as they are; NaN for the face and where there is none."""
    head: np.ndarray
    """(P, 2) middle of the head."""
    torso: np.ndarray
    """(P,)"""

    same = select(COCO17, LANDMARK33)

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def of(cls, people: People) -> Sample:
        """Of those who were found."""
        rows = [(people.photos[i], s) for i, s in people.rows()]
        labels = np.full((len(rows), 17, 2), np.nan)
        labels[:, LIMBS] = [photo.joints for photo, _ in rows]
        return cls(
            np.concatenate([s.keypoints for _, s in rows]).astype(float),
            np.concatenate([s.landmarks.points2d for _, s in rows]).astype(float),
            np.concatenate([s.landmarks.score for _, s in rows]).astype(float),
            longer_side(np.concatenate([s.xyxy for _, s in rows])).astype(float),
            labels,
            np.array([photo.head.mean(axis=0) for photo, _ in rows]),
            np.array([photo.torso_px for photo, _ in rows]),
        )

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `reliability` takes them."""
        keypoints, points, score, side = (
            torch.from_numpy(a) for a in (self.keypoints, self.points, self.score, self.side)
        )
        return keypoints, points, score, side

    @property
    def moved(self) -> np.ndarray:
        """(P, 17, 2) the network's points at COCO's places."""
        return coco_places(self.tensors[1][..., :2]).numpy()

    def label_errors(self, places: np.ndarray) -> np.ndarray:
        """(P, 12) torso lengths from the labels as they are."""
        return self._off(places, self.labels)[:, LIMBS]

    def errors(self, places: np.ndarray) -> np.ndarray:
        """(P, 17) torso lengths from what is true as far as one knows."""
        return self._off(places, self._true())

    def right(self, places: np.ndarray) -> np.ndarray:
        """(P, 17) bool."""
        limit = np.where(np.isin(np.arange(17), LIMBS), _NEAR, _NEAR_FACE)
        return self.errors(places) < limit

    def _off(self, places: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return np.linalg.norm(places - labels, axis=-1) / self.torso[:, None]

    def _true(self) -> np.ndarray:
        """Labels with exchanged arms or legs turned round, and the head's middle for the face."""
        out, twin = self.labels.copy(), self.labels[:, _TWIN]
        for half in (LIMBS[:6], LIMBS[6:]):
            exchanged = np.ones(len(self), bool)
            for places in (self.keypoints[..., :2], self.moved):
                as_is, turned = (
                    np.nanmedian(self._off(places, labels)[:, half], axis=1)
                    for labels in (self.labels, twin)
                )
                exchanged &= turned < _EXCHANGED * as_is
            rows = np.ix_(exchanged, half)
            out[rows] = twin[rows]
        out[:, [i for i in range(17) if i not in LIMBS]] = self.head[:, None]
        return out


def tables(sample: Sample, rows: np.ndarray) -> dict[str, Table]:
    """The tables of `reliability` by name, learned from the people `rows` (P,) bool."""
    x = reliability.features(*sample.tensors).numpy()
    every, looked, detected = x.shape[-1], rows & (sample.score > 0), sample.keypoints[..., :2]
    out = {"DETECTOR": [], "LANDMARK": [], "ALONE": []}
    for name, places, num, chosen in (
        ("DETECTOR", detected, every, looked),
        ("LANDMARK", sample.moved, every, looked),
        ("ALONE", detected, reliability.NUM_ALONE, rows),
    ):
        right, known = sample.right(places), ~np.isnan(sample.errors(places))
        for kind, which in enumerate(reliability.KINDS):
            joints = [j for j in range(17) if _KINDS[j] == kind][: 1 if which == "face" else 2]
            told = known[chosen][:, joints]
            features = x[chosen][:, joints][told][:, :num]
            weights = logistic(features, right[chosen][:, joints][told], _PULL[:num])
            out[name].append(tuple(round(float(w), 2) + 0.0 for w in weights))
    return {name: tuple(table) for name, table in out.items()}


def logistic(x: np.ndarray, right: np.ndarray, pull: Sequence[float]) -> np.ndarray:
    """(F,) weights of the log odds that `right` (N,) bool is true, given features `x` (N, F).

    Newton's method; `pull` (F,) is the penalty on the square of each weight.
    """
    weights, penalty = np.zeros(x.shape[1]), np.diag(pull)
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-(x @ weights)))
        curve = (x * (p * (1.0 - p))[:, None]).T @ x + penalty
        weights = weights - np.linalg.solve(curve, x.T @ (p - right) + penalty @ weights)
    return weights


def shares(ways: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(W,) how far along `ways` (N, W, 2) the `offsets` (N, 2) lie, by robust least squares."""
    num = ways.shape[1]
    steady = _STEADY * np.sqrt((ways**2).sum() / num) * np.eye(num)
    weight, found = np.ones(len(ways)), np.zeros(num)
    for _ in range(_STEPS):
        root = np.sqrt(weight)[:, None]
        rows = (ways * root[..., None]).transpose(0, 2, 1).reshape(-1, num)
        goal = np.concatenate([(offsets * root).ravel(), np.zeros(num)])
        found = np.linalg.lstsq(np.concatenate([rows, steady]), goal, rcond=None)[0]
        off = np.linalg.norm(offsets - np.einsum("nwd,w->nd", ways, found), axis=-1)
        weight = 1.0 / np.sqrt(1.0 + (off / _ROBUST) ** 2)
    return found

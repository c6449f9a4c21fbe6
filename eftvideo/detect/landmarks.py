"""The second stage: the landmark network looks at every person whom the detector found.

Where to look follows from the person's landmarks of the frame before (BlazePose's own rule), or
from the detector's keypoints; then twice, for the first look is only a guess at the region. Two
people close together it takes for each other, and in the shadow of somebody it sees a person: what
it says is held against the detector's keypoints and box of the same person, looked for once more
with the others painted out, and left away if it is still somewhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from eftvideo.geometry.boxes import inside, iou, longer_side
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, select
from eftvideo.landmarks.look import look
from eftvideo.landmarks.masks import small_masks
from eftvideo.landmarks.regions import Region, region_from_keypoints
from eftvideo.landmarks.runtime import Looker
from eftvideo.setup import Setup
from eftvideo.types import Detections, Landmarks, Masks

_COCO = select(COCO17, LANDMARK33)
_PAINT = 114


def load_landmark_look(setup: Setup) -> LandmarkLook | None:
    """The second stage, or None where it is off.

    Masks are made where they are asked for, or needed to draw.

    Raises:
        WeightsNotFoundError, WeightsCorruptError: the network's file.
    """
    kind = setup.cfg.detect.landmarks.network
    if kind == "off":
        return None
    return LandmarkLook(setup, Looker(kind, torch.device(setup.device), setup.cfg.wants_masks))


@dataclass(frozen=True)
class _Seen:
    """What was seen of N people, and where to look for each the next time."""

    landmarks: Landmarks
    next_regions: Sequence[Region]
    masks: Masks

    def put(self, rows: np.ndarray, some: _Seen) -> _Seen:
        """The same with `some` (n people) in the place of `rows` (n,)."""
        index = np.arange(len(self.landmarks))
        index[rows] = len(index) + np.arange(len(rows))
        regions = [*self.next_regions, *some.next_regions]
        both = Landmarks.cat([self.landmarks, some.landmarks])
        masks = Masks.cat([self.masks, some.masks])
        return _Seen(both.select(index), [regions[i] for i in index], masks.select(index))


class LandmarkLook:
    """Remembers where everybody was seen last; frames are given in order."""

    def __init__(self, setup: Setup, looker: Looker) -> None:
        self._cfg, self._looker = setup.cfg.detect.landmarks, looker
        self._min_score = setup.cfg.keypoints.min_score
        self._next: dict[int, Region] = {}

    def forget(self) -> None:
        """A new shot begins."""
        self._next.clear()

    def at(self, image: np.ndarray, people: Detections) -> Detections:
        """The same people with their landmarks, and their masks if the looker makes any.

        Args:
            image: (H, W, 3) RGB uint8. people: tracked, of the next frame.
        """
        if not len(people):
            self.forget()
            return people
        ids = people.track_id.tolist()
        warm = [self._next.get(i) for i in ids]
        seen = self._looked([image] * len(ids), people, warm)
        trusted = self._trusted(seen.landmarks, people)
        # Of somebody alone who was looked at anew a second look shows the same again.
        other_view = len(ids) > 1 or warm[0] is not None
        unsure = np.flatnonzero(~trusted & other_view)
        if len(unsure):
            painted = [_painted(image, people.xyxy, i) for i in unsure.tolist()]
            again = self._looked(painted, people.select(unsure), [None] * len(unsure))
            seen = seen.put(unsure, again)
            trusted = self._trusted(seen.landmarks, people)
        regions = zip(ids, seen.next_regions, trusted, strict=True)
        self._next = {i: region for i, region, ok in regions if ok}
        masks = replace(seen.masks, cells=seen.masks.cells * trusted[:, None, None])
        return replace(people, landmarks=_believed(seen.landmarks, trusted), masks=masks)

    def confirm(self, image: np.ndarray, people: Detections) -> tuple[np.ndarray, np.ndarray]:
        """What is seen of people who are not followed yet; nothing of it is remembered.

        Args:
            image: (H, W, 3) RGB uint8. people: N of them, in it.

        Returns:
            (N,) scores that a person is there, and (N, 4) boxes round the points, px.
        """
        num = len(people)
        seen = self._looked([image] * num, people, [None] * num).landmarks
        extents = [_extent(points) for points in seen.points2d]
        return seen.score, np.array(extents).reshape(num, 4)

    def _looked(
        self, images: Sequence[np.ndarray], people: Detections, warm: Sequence[Region | None]
    ) -> _Seen:
        """One look where the region is known, two where it is a guess."""
        rows = zip(people.keypoints, people.xyxy, warm, strict=True)
        first = self._look(images, [w or region_from_keypoints(k, b) for k, b, w in rows])
        guessed = np.array([i for i, w in enumerate(warm) if w is None], np.int64)
        if not len(guessed):
            return first
        regions = [first.next_regions[i] for i in guessed]
        return first.put(guessed, self._look([images[i] for i in guessed], regions))

    def _look(self, images: Sequence[np.ndarray], regions: Sequence[Region]) -> _Seen:
        looks = look(self._looker, images, regions)
        num = len(looks)
        masks = Masks.none(num) if looks.mask is None else small_masks(looks.mask, looks.regions)
        return _Seen(looks.landmarks, looks.next_regions, masks)

    def _trusted(self, seen: Landmarks, people: Detections) -> np.ndarray:
        """(N,) bool: a person, in the box, and nobody else's."""
        cfg, num = self._cfg, len(people)
        known = people.keypoints[..., 2] >= self._min_score
        off = seen.points2d[:, None, _COCO, :2] - people.keypoints[None, ..., :2]
        apart = np.ma.masked_array(
            np.linalg.norm(off, axis=-1), np.broadcast_to(~known, (num, num, 17))
        )
        side = longer_side(people.xyxy, least=1.0)
        # From the landmarks of each to the keypoints of each; far from whoever shows none.
        distance = np.ma.median(apart, axis=-1).filled(np.inf) / side[:, None]
        own, others = np.diag(distance), np.where(np.eye(num, dtype=bool), np.inf, distance)
        jumped = (own > cfg.near) & (others.min(axis=1) < own)
        extent = np.stack([_extent(points) for points in seen.points2d])
        there = inside(extent, people.xyxy) >= cfg.min_inside
        covers = np.array([iou(e, b[None])[0] for e, b in zip(extent, people.xyxy, strict=True)])
        return (seen.score >= cfg.min_score) & there & (covers >= cfg.min_iou) & ~jumped


def _extent(points: np.ndarray) -> np.ndarray:
    """(4,) box round those of the points (33, 4) that are in the picture; all if these are few."""
    present = points[:, 3] >= 0.5
    xy = points[present if present.sum() >= 4 else slice(None), :2]
    return np.concatenate([xy.min(axis=0), xy.max(axis=0)])


def _painted(image: np.ndarray, xyxy: np.ndarray, who: int) -> np.ndarray:
    """The picture with everybody else's box painted over, but for what lies in the person's own."""
    out = image.copy()
    for box in np.delete(xyxy, who, axis=0):
        x0, y0, x1, y1 = np.round(box).astype(int).clip(min=0)
        out[y0:y1, x0:x1] = _PAINT
    x0, y0, x1, y1 = np.round(xyxy[who]).astype(int).clip(min=0)
    out[y0:y1, x0:x1] = image[y0:y1, x0:x1]
    return out


def _believed(seen: Landmarks, trusted: np.ndarray) -> Landmarks:
    """With zeros for those that are not trusted (N,)."""
    keep = trusted[:, None, None]
    return Landmarks(
        np.where(keep, seen.points2d, np.float32(0.0)),
        np.where(keep, seen.points3d, np.float32(0.0)),
        np.where(trusted, seen.score, np.float32(0.0)),
        seen.score,
    )

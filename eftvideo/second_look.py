"""A second look at people who lean: turned upright and large, and the sightings merged.

Detectors are trained on people who stand. Of somebody who leans, lies or is seen by a tilted camera
a small one draws both legs as one, or a limb elsewhere, with full confidence; shown the same person
upright it does not (docs/second_look.md has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from eftvideo.config import DetectConfig
from eftvideo.skeletons import COCO17, select
from eftvideo.types import Detections

Detect = Callable[[Sequence[np.ndarray]], list[Detections]]
"""A detector's `detect`, at a network size of `CLOSE_UP_PX`."""
CLOSE_UP_PX = 448
SCALE = 1.35
"""Side of the close-up over the person's: the longer side of the box, or most of its diagonal."""
DIAGONAL = 0.85
TURNS_RAD = tuple(math.radians(t) for t in (-12.5, 12.5))
"""Either side of upright: what is wrong in one is seldom wrong in the other."""
MIN_SCORE = 0.3
"""Keypoints below are not believed."""
SAME_PERSON = 0.25
"""Somebody in the close-up is the person if the median keypoint is nearer, as a share of the box's
longer side."""
AGREES = 0.08
"""A sighting of a keypoint this near to the merged place (same unit) speaks for it."""
_ROUNDS = 20
_FILL = (114, 114, 114)
"""Ultralytics' own padding."""
_PAIRS = tuple(
    select((f"left_{part}", f"right_{part}"), COCO17) for part in ("ankle", "knee", "hip")
)
_SHOULDERS = select(("left_shoulder", "right_shoulder"), COCO17)


@dataclass(frozen=True)
class _CloseUp:
    """Where one cut-out came from."""

    frame: int
    person: int
    to_frame: np.ndarray
    """(2, 3) affine, px of the cut-out to px of the frame."""


class SecondLook:
    """Looks again at those who lean, as `cfg.second_look` says."""

    def __init__(self, cfg: DetectConfig, make: Callable[[DetectConfig], Detect]) -> None:
        """`make` gives a detector; it is only asked for one when somebody leans."""
        self._which, self._limit = cfg.second_look, math.radians(cfg.lean_deg)
        self._make = lambda: make(replace(cfg, image_size=CLOSE_UP_PX))
        self._detect: Detect | None = None

    def again(self, images: Sequence[np.ndarray], people: Sequence[Detections]) -> list[Detections]:
        """The same people, with better keypoints for those who were looked at again.

        Args:
            images: B frames, (H, W, 3) RGB uint8. people: who was found in each.
        """
        if self._which == "off":
            return list(people)
        close_ups, pixels = [], []
        for i, (image, found) in enumerate(zip(images, people, strict=True)):
            leans = lean_rad(found.keypoints)
            for n in np.flatnonzero(self._wanted(leans)):
                for turn in TURNS_RAD:
                    to_close_up = _affine(found.xyxy[n], leans[n] + turn)
                    pixels.append(_cut(image, to_close_up))
                    back = cv2.invertAffineTransform(to_close_up)
                    close_ups.append(_CloseUp(i, int(n), back))
        if not close_ups:
            return list(people)
        self._detect = self._detect or self._make()
        return _merged(people, close_ups, self._detect(pixels))

    def _wanted(self, leans: np.ndarray) -> np.ndarray:
        known = ~np.isnan(leans)
        return (
            known if self._which == "all" else known & (np.abs(np.nan_to_num(leans)) > self._limit)
        )


def lean_rad(keypoints: np.ndarray) -> np.ndarray:
    """(N, 17, 3) to (N,): how far people lean in the picture, positive to the right of it.

    From the lowest part that is seen of ankles, knees and hips to the shoulders; NaN where there
    are none. Not the torso's: somebody who bends over stands on his legs, and is seen well.
    """
    out = np.full(len(keypoints), np.nan)
    for n, points in enumerate(keypoints):
        top = _middle(points[_SHOULDERS])
        feet = [foot for pair in _PAIRS if (foot := _middle(points[pair])) is not None]
        if top is not None and feet:
            right, down = top - feet[0]
            out[n] = math.atan2(right, -down)
    return out


def _middle(pair: np.ndarray) -> np.ndarray | None:
    seen = pair[pair[:, 2] >= MIN_SCORE, :2]
    return seen.mean(axis=0).astype(float) if len(seen) else None


def _affine(xyxy: np.ndarray, turn_rad: float) -> np.ndarray:
    """(2, 3) from the frame, px, to a close-up in which the person is turned back by `turn_rad`."""
    extent = (xyxy[2:] - xyxy[:2]).astype(float)
    side = SCALE * max(extent.max(), DIAGONAL * float(np.hypot(*extent)), 1.0)
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    turn = CLOSE_UP_PX / side * np.array([[cos, sin], [-sin, cos]])
    middle = (xyxy[:2] + xyxy[2:]).astype(float) / 2.0
    return np.column_stack([turn, CLOSE_UP_PX / 2.0 - turn @ middle])


def _cut(image: np.ndarray, to_close_up: np.ndarray) -> np.ndarray:
    """(S, S, 3) pixels; what is shrunk is drawn larger first, then averaged."""
    scale = float(np.hypot(*to_close_up[:, 0]))
    times = max(1, min(8, math.floor(1.0 / scale)))
    large = times * to_close_up
    # OpenCV's places are those of the pixels' middles, ours of their corners.
    large[:, 2] += large[:, :2] @ [0.5, 0.5] - 0.5
    size = times * CLOSE_UP_PX
    pixels = cv2.warpAffine(image, large, (size, size), flags=cv2.INTER_LINEAR, borderValue=_FILL)
    if times == 1:
        return pixels
    return cv2.resize(pixels, (CLOSE_UP_PX, CLOSE_UP_PX), interpolation=cv2.INTER_AREA)


def _merged(
    people: Sequence[Detections], close_ups: Sequence[_CloseUp], found: Sequence[Detections]
) -> list[Detections]:
    sightings: dict[tuple[int, int], list[np.ndarray]] = {}
    for close_up, others in zip(close_ups, found, strict=True):
        key = (close_up.frame, close_up.person)
        first = people[close_up.frame]
        box = first.xyxy[close_up.person]
        side = max(float((box[2:] - box[:2]).max()), 1.0)
        mine = sightings.setdefault(key, [first.keypoints[close_up.person]])
        points = others.keypoints.astype(float)
        points[..., :2] = points[..., :2] @ close_up.to_frame[:, :2].T + close_up.to_frame[:, 2]
        same = _same_person(mine[0], points, side)
        if same is not None:
            mine.append(points[same])
    out = [p.keypoints.copy() for p in people]
    for (frame, person), seen in sightings.items():
        box = people[frame].xyxy[person]
        side = max(float((box[2:] - box[:2]).max()), 1.0)
        out[frame][person] = merge_sightings(np.stack(seen), side)
    return [replace(p, keypoints=k) for p, k in zip(people, out, strict=True)]


def _same_person(first: np.ndarray, others: np.ndarray, side_px: float) -> int | None:
    """Which of `others` (M, 17, 3) is the person of `first` (17, 3); None: nobody."""
    both = (first[:, 2] >= MIN_SCORE) & (others[..., 2] >= MIN_SCORE)
    apart = np.linalg.norm(others[..., :2] - first[:, :2], axis=-1)
    middle = [
        float(np.median(a[b])) if b.any() else np.inf for a, b in zip(apart, both, strict=True)
    ]
    if not middle or min(middle) > SAME_PERSON * side_px:
        return None
    return int(np.argmin(middle))


def merge_sightings(seen: np.ndarray, side_px: float) -> np.ndarray:
    """One person's keypoints out of several sightings of them.

    The place is the geometric median (Weiszfeld's rounds), weighted by score: of three sightings,
    one that is far off hardly counts. The score is the mean of the sightings' scores, where those
    that are not near to that place count as 0.

    Args:
        seen: (S, 17, 3) px, px, score; the first is kept where none is to be believed.
        side_px: longer side of the person's box.

    Returns:
        (17, 3) float32.
    """
    weight = np.where(seen[..., 2] >= MIN_SCORE, seen[..., 2], 0.0)
    total = weight.sum(axis=0)
    known = total > 0
    place = np.einsum("sk,skc->kc", weight, seen[..., :2]) / np.where(known, total, 1.0)[:, None]
    for _ in range(_ROUNDS):
        pull = weight / (np.linalg.norm(seen[..., :2] - place, axis=-1) + 0.002 * side_px)
        place = np.einsum("sk,skc->kc", pull, seen[..., :2])
        place /= np.where(known, pull.sum(axis=0), 1.0)[:, None]
    near = np.linalg.norm(seen[..., :2] - place, axis=-1) <= AGREES * side_px
    score = (seen[..., 2] * near).mean(axis=0)
    merged = np.column_stack([place, score])
    return np.where(known[:, None], merged, seen[0]).astype(np.float32)

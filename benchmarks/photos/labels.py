"""The photos of Leeds Sports Pose Extended, their labels, and errors in torso lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from eftvideo.geometry.boxes import iou
from eftvideo.geometry.skeletons import COCO17, LIMB12, select

LIMBS = select(LIMB12, COCO17)
KINDS = ("shoulders", "elbows", "wrists", "hips", "knees", "ankles")
"""Two each of LIMB12, in order."""
HOLDS, OVERLAP = 0.8, 0.5
"""A box is the labelled person's if it holds this share of the labelled joints, and shares this
much (intersection over union) with the box round them."""
_DIAGONALS = (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip"))


@dataclass(frozen=True)
class Photo:
    """A photo with one person's joints; others may be in it, without labels."""

    path: Path
    joints: np.ndarray
    """(12, 2) px in the order of LIMB12; NaN where not labelled."""
    head: np.ndarray
    """(2, 2) px: neck and top of the head; NaN where not labelled."""

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) RGB uint8."""
        return np.ascontiguousarray(cv2.imread(str(self.path))[..., ::-1])

    @property
    def size_px(self) -> tuple[int, int]:
        """Width, height."""
        height, width = self.image.shape[:2]
        return width, height

    @property
    def torso_px(self) -> float:
        """Left shoulder to right hip, as PCK has it; the other way where these are not labelled."""
        for ends in _DIAGONALS:
            a, b = (self.joints[LIMB12.index(end)] for end in ends)
            length = float(np.linalg.norm(a - b))
            if length > 0:
                return length
        return float("nan")

    @property
    def box(self) -> np.ndarray:
        """(4,) round the labelled joints, px."""
        every = np.concatenate([self.joints, self.head])
        return np.concatenate([np.nanmin(every, axis=0), np.nanmax(every, axis=0)])

    def who(self, xyxy: np.ndarray) -> int | None:
        """Which of the boxes (N, 4) is the labelled person's; None: nobody found the person."""
        every = np.concatenate([self.joints, self.head])
        every = every[~np.isnan(every[:, 0])]
        inside = (every >= xyxy[:, None, :2]) & (every <= xyxy[:, None, 2:])
        shared = iou(self.box, xyxy)
        fits = (inside.all(axis=2).mean(axis=1) >= HOLDS) & (shared >= OVERLAP)
        return int(np.argmax(np.where(fits, shared, -1.0))) if fits.any() else None

    def errors(self, places: np.ndarray) -> np.ndarray:
        """(12,) torso lengths between labels and COCO's places (17, 2), px; NaN: not labelled."""
        return np.linalg.norm(places[LIMBS] - self.joints, axis=-1) / self.torso_px


def read_photos(folder: Path, names: Sequence[str]) -> list[Photo]:
    """Photos of a folder with `images/` and `joints.npz`; those without a torso are left out."""
    data = np.load(folder / "joints.npz")
    joints, columns = data["joints"], data["names"].tolist()
    limbs, head = (select(n, tuple(columns)) for n in (LIMB12, ("neck", "head_top")))
    row_of = {name: row for row, name in enumerate(data["image"].tolist())}
    photos = []
    for name in names:
        labels = joints[row_of[name]]
        places = np.where(labels[:, 2:] > 0, labels[:, :2], np.nan).astype(float)
        photo = Photo(folder / "images" / name, places[limbs], places[head])
        photos += [photo] if photo.torso_px > 0 else []
    return photos

"""How far each point of the detector and of the landmark network is to be believed.

A logistic regression for each kind of joint, learned on photos with human labels
(`benchmarks/photos_learn.py`; docs/photos.md): the probability that a point lies within 0.15 torso
lengths of where people put it. What tells most is whether the two witnesses agree, in this joint
and in the whole person; then come their own scores. Torch, any device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eftvideo.geometry.boxes import longer_side
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, LIMB12, select
from eftvideo.landmarks.places import coco_places
from eftvideo.types import Detections

KINDS: tuple[str, ...] = ("face", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
NUM_ALONE = 2
"""Of the features, those that are known where only the detector looked."""
DETECTOR: tuple[tuple[float, ...], ...] = (
    (-5.41, 0.17, 0.32, 0.15, -1.01, -0.29),
    (-9.16, 0.52, -0.15, 0.39, -1.41, -0.8),
    (-8.69, 0.16, 0.11, 0.14, -1.91, -0.84),
    (-7.37, 0.12, 0.08, 0.04, -1.93, -0.52),
    (-8.9, 0.16, 0.0, 0.32, -1.51, -0.71),
    (-9.41, 0.1, 0.06, 0.22, -1.86, -0.82),
    (-8.59, 0.13, 0.05, 0.15, -1.93, -0.58),
)
"""Weights of the features for the detector's points, a row for each of `KINDS`."""
LANDMARK: tuple[tuple[float, ...], ...] = (
    (-2.39, 0.16, 0.31, 0.05, -0.2, -0.22),
    (-4.5, 0.35, 0.12, 0.26, -0.31, -0.47),
    (-3.73, 0.14, 0.14, 0.36, -0.32, -0.47),
    (-1.9, 0.08, 0.17, 0.1, -0.16, -0.5),
    (-4.89, 0.16, 0.0, 0.35, -0.39, -0.52),
    (-3.31, 0.02, 0.12, 0.35, -0.09, -0.49),
    (-2.71, 0.14, 0.13, 0.27, -0.09, -0.36),
)
"""The same for the network's points."""
ALONE: tuple[tuple[float, ...], ...] = (
    (-0.16, 0.39),
    (-4.6, 1.13),
    (-2.45, 0.68),
    (-2.46, 0.7),
    (-3.8, 0.7),
    (-3.54, 0.56),
    (-2.63, 0.42),
)
"""The same for the detector's points where nobody looked again: of the first features."""
_LEAST = 0.01
"""Scores count as at least this, and at most 1 less this."""
_NEAR = 0.02
"""Added to distances before the logarithm, sides."""
_PARTS = {
    "mouth": "nose",
    "eye_inner": "eye",
    "eye_outer": "eye",
    "pinky": "wrist",
    "index": "wrist",
    "thumb": "wrist",
    "heel": "ankle",
    "foot_index": "ankle",
}
"""Points that COCO has not, and those that they are as good as."""


def coco_of(landmark: str) -> str:
    """The COCO point that a landmark is as good as: itself, or what it is attached to."""
    side = next((s for s in ("left", "right") if s in landmark), "")
    part = landmark.replace(f"{side}_", "").replace(f"_{side}", "")
    part = _PARTS.get(part, part)
    return part if part == "nose" else f"{side}_{part}"


def kind_of(coco: str) -> str:
    """Of `KINDS`."""
    part = coco.rpartition("_")[2]
    return part if part in KINDS else "face"


_KIND = [KINDS.index(kind_of(name)) for name in COCO17]
_LIMBS = select(LIMB12, COCO17)
_SAME = select(COCO17, LANDMARK33)
_OWN = [COCO17.index(coco_of(name)) for name in LANDMARK33]


def reliability(
    keypoints: Tensor, points2d: Tensor, score: Tensor, side_px: Tensor
) -> tuple[Tensor, Tensor]:
    """Probabilities that the points are right.

    Toes and heels are as good as their ankle, fingers as their wrist, mouth and eyes' corners as
    nose and eyes.

    Args:
        keypoints: (N, 17, 3) px, px, score of the detector, COCO's order.
        points2d: (N, 33, 4) px, px, visibility, presence of the landmark network.
        score: (N,) the network's person score; 0: nobody looked, or it is not trusted.
        side_px: (N,) longer side of the person's box.

    Returns:
        (N, 17) of the detector's points, (N, 33) of the network's, the latter 0 where the score is.
    """
    x = features(keypoints, points2d, score, side_px)
    looked = (score > 0)[:, None]
    alone = _probability(x[..., :NUM_ALONE], ALONE)
    detector = torch.where(looked, _probability(x, DETECTOR), alone)
    landmark = torch.where(looked, _probability(x, LANDMARK), torch.zeros_like(alone))
    return detector, landmark[:, _OWN]


def trust_of(seen: Detections, min_score: float) -> np.ndarray:
    """(N, 50) float32: reliability of N people's evidence, keypoints first.

    Where nobody looked, or the look is not trusted, keypoints count by their score.

    Args:
        min_score: keypoints of the detector with a lower score count 0.
    """
    tensors = (seen.keypoints, seen.landmarks.points2d, seen.landmarks.score)
    keypoints, points, score = (torch.from_numpy(v) for v in tensors)
    side = torch.from_numpy(longer_side(seen.xyxy))
    detector, landmark = reliability(keypoints, points, score, side)
    detector = torch.where((score > 0)[:, None], detector, keypoints[..., 2])
    detector = torch.where(keypoints[..., 2] >= min_score, detector, 0.0)
    return torch.cat([detector, landmark], dim=1).numpy().astype(np.float32)


def features(keypoints: Tensor, points2d: Tensor, score: Tensor, side_px: Tensor) -> Tensor:
    """(N, 17, 6) what is known of each of COCO's points; arguments as in `reliability`.

    1; log odds of the detector's score, of visibility times presence, of the person score; log of
    how far the two witnesses are apart, in sides, and of the median of that over the limbs.
    """
    gap = apart(keypoints, points2d, side_px)
    whole = gap[:, _LIMBS].median(dim=1, keepdim=True).values.expand_as(gap)
    own = points2d[:, _SAME]
    return torch.stack(
        [
            torch.ones_like(gap),
            _log_odds(keypoints[..., 2]),
            _log_odds(own[..., 2] * own[..., 3]),
            _log_odds(score[:, None].expand_as(gap)),
            (gap + _NEAR).log(),
            (whole + _NEAR).log(),
        ],
        dim=-1,
    )


def apart(keypoints: Tensor, points2d: Tensor, side_px: Tensor) -> Tensor:
    """(N, 17) how far the witnesses are apart at COCO's places, in sides of the box."""
    off = coco_places(points2d[..., :2]) - keypoints[..., :2]
    return off.norm(dim=-1) / side_px.clamp(min=1.0)[:, None]


def _log_odds(share: Tensor) -> Tensor:
    return share.clamp(_LEAST, 1.0 - _LEAST).logit()


def _probability(x: Tensor, weights: tuple[tuple[float, ...], ...]) -> Tensor:
    """(N, 17) from features (N, 17, F)."""
    return (x * x.new_tensor(weights)[_KIND]).sum(dim=-1).sigmoid()

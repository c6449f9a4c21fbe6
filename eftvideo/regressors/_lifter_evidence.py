"""One set of keypoints out of the lifter's two witnesses: detector and landmark network.

The lifter could learn to weigh them. It begins here because the network that it grew from knew the
detector alone: given better keypoints in their place it answers better from the first step on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.geometry.skeletons import COCO17, LANDMARK33, select
from eftvideo.landmarks.places import coco_places

MIN_SCORE = 0.3
"""Keypoints with a lower score are hidden from the network."""
MIN_PRESENCE = 0.3
"""Landmarks less likely to lie in the picture have no place in it for the network."""
MAX_COORDINATE = 4.0
"""Places farther out in the crop count as this far."""
MAX_METRES = 2.0
"""The same for landmarks' metres."""
DISAGREES = 0.2
"""Distance in the crop (2 is its side) at which the detector counts 1/e of what it would."""
LANDMARKS_ARE_BETTER = 1.5
"""Weight of a landmark over that of a keypoint of the same score."""
_COCO_OF = select(COCO17, LANDMARK33)


def merged(keypoints: Tensor, landmarks: Tensor) -> Tensor:
    """(N, F, 17, 3) as both witnesses together see the keypoints.

    Landmarks go to COCO's places; then the mean counts, by what each witness believes of itself,
    and the detector's the less the farther it is off. The score is the better one's.

    Args:
        keypoints: (N, F, 17, 3) of the detector. landmarks: (N, F, 33, 7) as in `Crops`.
    """
    theirs = coco_places(landmarks[..., :2])
    visible, present = landmarks[:, :, _COCO_OF, 2:4].unbind(-1)
    score = torch.where(present >= MIN_PRESENCE, MIN_SCORE + (1.0 - MIN_SCORE) * visible, 0.0)
    own = torch.where(keypoints[..., 2] >= MIN_SCORE, keypoints[..., 2], 0.0)
    apart = (theirs - keypoints[..., :2]).square().sum(-1)
    ours = own * torch.where(score > 0.0, torch.exp(-apart / DISAGREES**2), 1.0)
    share = (ours / (ours + LANDMARKS_ARE_BETTER * score).clamp(min=1e-6))[..., None]
    xy = share * keypoints[..., :2] + (1.0 - share) * theirs
    return torch.cat([xy, torch.maximum(own, score)[..., None]], dim=-1)


def flat(points: Tensor, seen: Tensor) -> Tensor:
    """(N, F * 52) of (N, F, 17, 3) and (N, F, 17, 1): the points, then whether there are any."""
    return torch.cat([points.flatten(2), seen.amax(dim=(2, 3))[..., None]], dim=-1).flatten(1)

"""Frames that ride on the parts of a body, and where one network puts a joint seen from another's.

Left and right frames mirror each other (x away from the middle), so that an offset of a left joint
and that of its right twin are the same three numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eftvideo.geometry.skeletons import COCO17, LANDMARK33, LIMB12

AXES = "x away from the body's middle, y forward, z up along the part"


def unit(x: np.ndarray) -> np.ndarray:
    """(..., 3) of length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def frame_of(up: np.ndarray, out: np.ndarray) -> np.ndarray:
    """(..., 3, 3): rows x, y, z; z along `up`, x as near `out` as can be, y = x cross z."""
    z = unit(up)
    x = unit(out - (out * z).sum(axis=-1, keepdims=True) * z)
    return np.stack([x, np.cross(x, z), z], axis=-2)


def joint_frames(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """A frame for each limb joint and point of the face, from (T, 33, 3) landmarks: (T, 3, 3).

    Hips and shoulders ride on the torso (up: middle of the shoulders from that of the hips; out:
    along hips or shoulders). Knees and ankles ride on the shank, which the foot turns about its
    axis; elbows and wrists on the forearm, turned by the bend of the elbow. The face rides on the
    ears and the way from the mouth to the eyes.
    """

    def at(name: str) -> np.ndarray:
        return landmarks[:, LANDMARK33.index(name)]

    hips = (at("left_hip") + at("right_hip")) / 2
    up = (at("left_shoulder") + at("right_shoulder")) / 2 - hips
    eyes, mouth = (at("left_eye") + at("right_eye")) / 2, (at("mouth_left") + at("mouth_right")) / 2
    out = {}
    for side, other in (("left", "right"), ("right", "left")):
        sign = 1.0 if side == "left" else -1.0
        made = {
            p: frame_of(up, at(f"{side}_{p}") - at(f"{other}_{p}")) for p in ("hip", "shoulder")
        }
        foot = at(f"{side}_foot_index") - at(f"{side}_heel")
        shank = at(f"{side}_knee") - at(f"{side}_ankle")
        made["knee"] = made["ankle"] = frame_of(shank, sign * np.cross(shank, foot))
        arm = at(f"{side}_elbow") - at(f"{side}_shoulder")
        forearm = at(f"{side}_elbow") - at(f"{side}_wrist")
        # A bent elbow opens forward: the way from it to the wrist, off the upper arm's line.
        made["elbow"] = made["wrist"] = frame_of(forearm, sign * np.cross(arm, forearm))
        for part in ("eye", "ear"):
            made[part] = frame_of(eyes - mouth, at(f"{side}_ear") - at(f"{other}_ear"))
        for part, frame in made.items():
            # x cross z is forward on the left and backward on the right, so it is turned there.
            out[f"{side}_{part}"] = frame * np.array([1.0, sign, 1.0])[:, None]
    out["nose"] = frame_of(eyes - mouth, at("left_ear") - at("right_ear"))
    return out


@dataclass(frozen=True)
class Offset:
    """Where the second network has a joint, from where the first has it, in the joint's frame."""

    mean_m: np.ndarray
    """(3,) median over frames, metres."""
    spread_m: np.ndarray
    """(3,) 1.48 times the median distance from it."""
    num: int

    def to_dict(self) -> dict[str, object]:
        """As JSON has it, mm."""
        return {
            "mean_mm": (1e3 * self.mean_m).round(2).tolist(),
            "spread_mm": (1e3 * self.spread_m).round(2).tolist(),
            "frames": self.num,
        }


def offset(difference: np.ndarray, frame: np.ndarray) -> Offset:
    """Of (T, 3) differences in the world (NaN: not known), in the frames (T, 3, 3)."""
    known = np.isfinite(difference).all(axis=-1)
    local = np.einsum("tij,tj->ti", frame[known], difference[known])
    if not len(local):
        return Offset(np.full(3, np.nan), np.full(3, np.nan), 0)
    middle = np.median(local, axis=0)
    return Offset(middle, 1.4826 * np.median(np.abs(local - middle), axis=0), len(local))


def offsets(coco: np.ndarray, landmarks: np.ndarray, use: np.ndarray) -> dict[str, Offset]:
    """Each COCO point's place (T, 17, 3) from the landmark of its name (T, 33, 3).

    `use` (T, 17): both known. Besides each point, both sides together under the part's name.
    """
    frames = joint_frames(landmarks)
    out, by_part = {}, {}
    for name in (*LIMB12, *COCO17[:5]):
        j = COCO17.index(name)
        difference = coco[:, j] - landmarks[:, LANDMARK33.index(name)]
        difference = np.where(use[:, j, None], difference, np.nan)
        out[name] = offset(difference, frames[name])
        by_part.setdefault(name.split("_")[-1], []).append((difference, frames[name]))
    for part, sides in by_part.items():
        if len(sides) == 2:
            both = [np.concatenate(s) for s in zip(*sides, strict=True)]
            out[part] = offset(both[0], both[1])
    return out


def moved(landmarks: np.ndarray, by: dict[str, np.ndarray]) -> np.ndarray:
    """(T, 17, 3) where COCO's points are by the landmarks (T, 33, 3) and each part's offset."""
    frames = joint_frames(landmarks)
    out = np.empty((len(landmarks), len(COCO17), 3))
    for j, name in enumerate(COCO17):
        shift = np.einsum("tij,i->tj", frames[name], by[name.split("_")[-1]])
        out[:, j] = landmarks[:, LANDMARK33.index(name)] + shift
    return out

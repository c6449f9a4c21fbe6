"""Names of joints, once; index maps are made from names, never typed as numbers."""

from __future__ import annotations

SMPL24: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee",
    "spine2", "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot",
    "neck", "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip

SMPL24_PARENTS: tuple[int, ...] = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21,
)  # fmt: skip

COCO17: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

FEET6: tuple[str, ...] = (
    "left_big_toe", "left_small_toe", "left_heel",
    "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip

LANDMARK33: tuple[str, ...] = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye",
    "right_eye_outer", "left_ear", "right_ear", "mouth_left", "mouth_right",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
"""BlazePose's points (Bazarevsky et al. 2020), in the order of its landmark network."""

EVIDENCE50: tuple[str, ...] = COCO17 + tuple(f"landmark_{name}" for name in LANDMARK33)
"""What is seen of a person: COCO17 as the detector places it, then LANDMARK33 as its network does.
The names are those of a body file's keypoints."""

COCO17_FACE: tuple[int, ...] = tuple(
    COCO17.index(n) for n in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
)
COCO17_HIPS: tuple[int, ...] = tuple(COCO17.index(n) for n in ("left_hip", "right_hip"))

COCO17_BONES: tuple[tuple[int, int], ...] = tuple(
    (COCO17.index(a), COCO17.index(b))
    for a, b in (
        ("left_ankle", "left_knee"),
        ("left_knee", "left_hip"),
        ("right_ankle", "right_knee"),
        ("right_knee", "right_hip"),
        ("left_hip", "right_hip"),
        ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"),
        ("left_shoulder", "right_shoulder"),
        ("left_shoulder", "left_elbow"),
        ("right_shoulder", "right_elbow"),
        ("left_elbow", "left_wrist"),
        ("right_elbow", "right_wrist"),
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_eye", "left_ear"),
        ("right_eye", "right_ear"),
    )
)
"""Bones of a drawn COCO skeleton, as pairs of indices into COCO17."""

LIMB12: tuple[str, ...] = tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
"""The twelve limb joints that COCO and SMPL share by name; the usual set for PA-MPJPE."""


def mirror_index(names: tuple[str, ...]) -> list[int]:
    """Index of each joint's mirror twin: `keypoints[mirror_index(COCO17)]` swaps left and right."""
    swapped = {n: n.replace("left", "?").replace("right", "left") for n in names}
    return [names.index(s.replace("?", "right")) for s in (swapped[n] for n in names)]


def select(names: tuple[str, ...], source: tuple[str, ...]) -> list[int]:
    """Indices into `source` of each of `names`.

    Raises:
        ValueError: a name is not in `source`.
    """
    return [source.index(n) for n in names]

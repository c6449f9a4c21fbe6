"""Joint names: SMPL's tree, COCO's order, and mirrors that are their own inverse."""

from __future__ import annotations

import pytest

from eftvideo.geometry import skeletons as s


def test_smpl_tree():
    """Every joint's parent comes before it and lies on its side or in the middle."""
    assert len(s.SMPL24) == len(set(s.SMPL24)) == len(s.SMPL24_PARENTS) == 24
    for joint, parent in enumerate(s.SMPL24_PARENTS[1:], start=1):
        assert 0 <= parent < joint
        sides = {s.SMPL24[i].split("_")[0] for i in (joint, parent)} & {"left", "right"}
        assert len(sides) < 2
    assert s.SMPL24_PARENTS[s.SMPL24.index("left_wrist")] == s.SMPL24.index("left_elbow")


def test_coco_order():
    assert (
        s.COCO17[0] == "nose" and s.COCO17[5] == "left_shoulder" and s.COCO17[16] == "right_ankle"
    )
    assert s.COCO17_FACE == (0, 1, 2, 3, 4) and s.COCO17_HIPS == (11, 12)


@pytest.mark.parametrize("names", [s.COCO17, s.SMPL24, s.FEET6, s.LIMB12])
def test_mirror(names):
    mirror = s.mirror_index(names)
    assert [mirror[i] for i in mirror] == list(range(len(names)))
    for i, j in enumerate(mirror):
        swapped = {"left": "right", "right": "left"}
        side, _, rest = names[i].partition("_")
        assert names[j] == (f"{swapped[side]}_{rest}" if side in swapped else names[i])


def test_landmarks_in_the_mirror():
    """The nose stays, everything else changes places, the mouth's corners too."""
    mirror = s.mirror_index(s.LANDMARK33)
    assert len(set(s.LANDMARK33)) == 33 and [mirror[i] for i in mirror] == list(range(33))
    assert [i for i, j in enumerate(mirror) if i == j] == [0]
    assert s.LANDMARK33[mirror[s.LANDMARK33.index("mouth_left")]] == "mouth_right"
    assert set(s.COCO17) <= set(s.LANDMARK33)


def test_bones_and_limbs_join_what_is_there():
    assert {i for bone in s.COCO17_BONES for i in bone} == set(range(17))
    assert set(s.LIMB12) <= set(s.COCO17) and set(s.LIMB12) <= set(s.SMPL24)


def test_select():
    assert s.select(("left_knee", "nose"), s.COCO17) == [13, 0]
    with pytest.raises(ValueError):
        s.select(("tail",), s.COCO17)

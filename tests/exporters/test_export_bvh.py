"""BVH read back by a small reader of its own, from the text alone."""

from __future__ import annotations

import numpy as np
import pytest
from export_case import export, made_up, rodrigues, saved, turned

from eftvideo.bodies import load_body
from eftvideo.exporters._motion import motions
from eftvideo.exporters.bvh import euler_zxy_deg, leaf_tips
from eftvideo.geometry.skeletons import SMPL24, SMPL24_PARENTS


def about(axis, degrees):
    vector = np.zeros((*degrees.shape, 3))
    vector[..., "XYZ".index(axis)] = np.radians(degrees)
    return rodrigues(vector)


def read(path):
    """Names, parents, joint positions (F, J, 3), local rotations (F, J, 3, 3), frame time."""
    words = path.read_text().split()
    names, parents, offsets, channels, stack, at = [], [], [], [], [], 0
    while words[at] != "MOTION":
        word = words[at]
        if word in ("ROOT", "JOINT", "End"):
            names.append(words[at + 1] if word != "End" else None)
            parents.append(stack[-1] if stack else -1)
            channels.append([])
        elif word == "{":
            stack.append(len(names) - 1)
        elif word == "}":
            stack.pop()
        elif word == "OFFSET":
            offsets.append([float(w) for w in words[at + 1 : at + 4]])
        elif word == "CHANNELS":
            channels[-1] = words[at + 2 : at + 2 + int(words[at + 1])]
        at += 1
    assert words[at + 1] == "Frames:" and words[at + 3 : at + 5] == ["Frame", "Time:"]
    num, frame_time = int(words[at + 2]), float(words[at + 5])
    values = np.array(words[at + 6 :], float).reshape(num, sum(map(len, channels)))
    column, positions, turns, local = 0, [], [], []
    for joint, offset in enumerate(offsets):
        place, turn = np.tile(offset, (num, 1)), np.tile(np.eye(3), (num, 1, 1))
        for name in channels[joint]:
            if name.endswith("position"):
                place[:, "XYZ".index(name[0])] += values[:, column]
            else:
                turn = turn @ about(name[0], values[:, column])
            column += 1
        local.append(turn)
        if parents[joint] < 0:
            positions.append(place)
            turns.append(turn)
        else:
            above = turns[parents[joint]]
            positions.append(positions[parents[joint]] + np.einsum("fij,fj->fi", above, place))
            turns.append(above @ turn)
    return names, parents, np.stack(positions, 1), np.stack(local, 1), frame_time


@pytest.mark.parametrize(("up", "metres"), [("y", False), ("z", True)])
def test_round_trip(tmp_path, up, metres):
    source, result = saved(tmp_path, time_s=made_up().frame / 25.0)
    for file in export(source, "bvh", tmp_path / "out", up=up, metres=metres):
        names, parents, places, local, frame_time = read(file.path)
        at = [names.index(name) for name in SMPL24]
        assert [names[p] if p >= 0 else None for p in np.array(parents)[at]] == [
            SMPL24[p] if p >= 0 else None for p in SMPL24_PARENTS
        ]
        person = result.track(file.track_ids[0])
        assert len(places) == len(person) and frame_time == pytest.approx(0.04, abs=1e-8)
        scale = 1.0 if metres else 0.01
        assert np.abs(places[:, at] * scale - turned(person.joints3d, up)).max() < 5e-4
        if up == "y":
            pose = np.concatenate([person.global_orient, person.body_pose], 1)
            want = rodrigues(pose.reshape(-1, 24, 3).astype(float))
            want[:, 0] = np.diag([1.0, -1.0, -1.0]) @ want[:, 0]
            cos = (np.einsum("fjab,fjab->fj", local[:, at], want) - 1.0) / 2.0
            assert np.degrees(np.arccos(np.clip(cos, -1, 1))).max() < 0.1


def test_left_is_left_and_the_rest_pose_stands(tmp_path):
    source, _ = saved(tmp_path)
    for up, axis in (("y", 1), ("z", 2)):
        path = export(source, "bvh", tmp_path / "a.bvh", track_ids=(1,), up=up)[0].path
        text = path.read_text().replace("Frames: 12", "Frames: 1").splitlines()
        start = next(i for i, line in enumerate(text) if line.startswith("Frame Time"))
        text = [line if "Frames:" not in line else "Frames: 1" for line in text[: start + 1]]
        rest = tmp_path / "rest.bvh"
        rest.write_text("\n".join([*text, " ".join(["0"] * (3 + 24 * 3))]))
        names, _, places, _, _ = read(rest)
        place = dict(zip(names, places[0], strict=True))
        assert place["left_shoulder"][0] > 10.0 > -10.0 > place["right_shoulder"][0]
        assert place["head"][axis] > place["pelvis"][axis] + 40.0 > place["left_ankle"][axis]


def test_rate_is_the_clips(tmp_path):
    source, _ = saved(tmp_path)
    assert export(source, "bvh", tmp_path / "a.bvh", track_ids=(1,))[0].fps == 25.0
    assert export(source, "bvh", tmp_path / "a.bvh", track_ids=(1,), fps=48)[0].fps == 48.0


def test_angles_do_not_jump():
    t = np.linspace(0.0, 12.0, 400)
    spin = rodrigues(np.stack([t, 0.4 * np.sin(t), 0.2 * np.cos(3 * t)], axis=1))
    angles = euler_zxy_deg(spin)
    z, x, y = angles.T
    again = about("Z", z) @ about("X", x) @ about("Y", y)
    np.testing.assert_allclose(again, spin, atol=1e-9)
    assert np.abs(np.diff(angles, axis=0)).max() < 60.0
    locked = about("Z", np.array([20.0])) @ about("X", np.array([90.0]))
    z, x, y = euler_zxy_deg(locked).T
    np.testing.assert_allclose(about("Z", z) @ about("X", x) @ about("Y", y), locked, atol=1e-9)


def test_end_sites_are_at_the_ends_of_the_body():
    body = load_body()
    tips = leaf_tips(body, np.zeros(10))
    assert tips[SMPL24.index("head")][1] > 0.1
    assert tips[SMPL24.index("left_foot")][2] > 0.03
    assert tips[SMPL24.index("left_hand")][0] > 0.05 > -0.05 > tips[SMPL24.index("right_hand")][0]
    assert not tips[SMPL24.index("left_knee")].any()
    assert len(motions(made_up(), body, "y", None)) == 2

"""The second truth of the multi-view benchmark, on made-up people seen by made-up cameras."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from eftvideo.geometry.skeletons import COCO17, LANDMARK33

BENCHMARKS = str(Path(__file__).parents[1] / "benchmarks")
sys.path.insert(0, BENCHMARKS)
try:
    from multiview import between, geometry, paths, second_truth, segments, spread
finally:
    sys.path.remove(BENCHMARKS)

FPS = 60.0
SIDES = {"left": 1.0, "right": -1.0}


@pytest.fixture
def views():
    made = []
    for n, angle in enumerate((0.1, 1.5, 3.0, 4.6)):
        position = np.array([4.0 * math.cos(angle), 4.0 * math.sin(angle), 1.5])
        forward = np.array([0.0, 0.0, 1.0]) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        turn = np.stack([right, np.cross(forward, right), forward])
        center, lens = np.array([530.0, 950.0]), np.array([-0.05, 0.1, 0.001, -0.001])
        made.append(
            geometry.View(f"c{n}", turn, -turn @ position, np.full(2, 1700.0), center, lens)
        )
    return made


def person(frames=1):
    """(T, 33, 3): stands at the origin, looks along +y, z up, limbs a little bent; turns."""
    at = {
        "shoulder": (0.18, 0.0, 1.40), "elbow": (0.22, -0.05, 1.12), "wrist": (0.24, 0.12, 0.92),
        "hip": (0.09, 0.0, 0.92), "knee": (0.10, 0.06, 0.50), "ankle": (0.10, 0.0, 0.10),
        "heel": (0.10, -0.06, 0.04), "foot_index": (0.12, 0.16, 0.02), "eye": (0.03, 0.10, 1.66),
        "ear": (0.08, 0.0, 1.64), "mouth": (0.02, 0.10, 1.58), "nose": (0.0, 0.12, 1.62),
    }  # fmt: skip
    points = np.zeros((33, 3))
    for n, name in enumerate(LANDMARK33):
        sign = next((s for side, s in SIDES.items() if side in name), 0.0)
        part = name.replace("left", "").replace("right", "").strip("_")
        place = at.get(part, at["eye"] if "eye" in part else at["wrist"])
        # The person's left is at -x when he looks along +y with z up.
        points[n] = np.array(place) * [-sign, 1.0, 1.0]
    out = np.empty((frames, 33, 3))
    for t in range(frames):
        angle = 0.8 * math.sin(2 * t / FPS)
        c, s = math.cos(angle), math.sin(angle)
        out[t] = points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T + [0.3 * t / FPS, 0, 0]
    return out


def test_frames_ride_on_the_parts():
    """Out, forward and up of each part, by hand, of one who looks along +y; sides mirror."""
    frames = segments.joint_frames(person())
    left, right = np.array([-1.0, 0, 0]), np.array([1.0, 0, 0])
    forward, up = np.array([0, 1.0, 0]), np.array([0, 0, 1.0])
    for side, out in (("left", left), ("right", right)):
        for part in ("hip", "shoulder", "eye", "ear"):
            np.testing.assert_allclose(frames[f"{side}_{part}"][0, 0], out, atol=1e-9)
            np.testing.assert_allclose(frames[f"{side}_{part}"][0, 1], forward, atol=1e-9)
            np.testing.assert_allclose(frames[f"{side}_{part}"][0, 2], up, atol=1e-9)
        for part in ("knee", "ankle", "elbow", "wrist"):
            got = frames[f"{side}_{part}"][0]
            np.testing.assert_allclose(got @ got.T, np.eye(3), atol=1e-9)
            assert got[0] @ out > 0.9, part
        assert frames[f"{side}_ankle"][0, 1] @ forward > 0.9
        # The forearm points forward and down: its "forward" is then up and forward.
        assert frames[f"{side}_elbow"][0, 1] @ (forward + up) > 0.9
        mirrored = frames["left_knee"][0] * [-1.0, 1.0, 1.0]
        np.testing.assert_allclose(frames["right_knee"][0], mirrored, atol=1e-9)


def test_offsets_are_found_and_put_back():
    """What is shifted in its part's own frame is found again, whatever way the person faces."""
    rng = np.random.default_rng(0)
    landmarks = person(50)
    frames = segments.joint_frames(landmarks)
    true = {p: rng.normal(0, 0.02, 3) for p in (*spread.BONES["thigh"], "ankle", "shoulder",
            "elbow", "wrist", "eye", "ear", "nose")}  # fmt: skip
    coco = np.empty((50, 17, 3))
    for j, name in enumerate(COCO17):
        local = true[name.split("_")[-1]]
        coco[:, j] = landmarks[:, LANDMARK33.index(name)] + np.einsum(
            "tij,i->tj", frames[name], local
        )
    use = np.ones((50, 17), bool)
    coco[7, 11] += 0.5  # one wild frame moves no median
    use[8] = False
    coco[8] = np.nan
    found = segments.offsets(coco, landmarks, use)
    for part, local in true.items():
        np.testing.assert_allclose(found[part].mean_m, local, atol=1e-9)
        assert found[part].spread_m.max() < 1e-9
    assert (found["hip"].num, found["left_hip"].num) == (98, 49)
    back = segments.moved(landmarks, {part: o.mean_m for part, o in found.items()})
    keep = np.delete(np.arange(50), [7, 8])
    np.testing.assert_allclose(back[keep], coco[keep], atol=1e-9)


def test_an_offset_is_fitted_past_gross_errors(views):
    """A third of the sightings are wrong, all of them in one direction."""
    rng = np.random.default_rng(4)
    true = person(30)[:, :2]
    turn = np.linalg.qr(rng.normal(size=(30, 2, 3, 3)))[0]
    local = np.array([0.02, -0.01, 0.03])
    places = true + np.einsum("tnij,i->tnj", turn, local)
    px = np.stack([v.project(places) for v in views])[:, None] + rng.normal(0, 2, (4, 3, 30, 2, 2))
    px[:, 0] += [120.0, 0.0]
    weight = np.ones(px.shape[:-1])
    px[2, 1, :5], weight[2, 1, :5] = np.nan, 0.0
    got = between.fit_offset(views, px, weight, true, turn)
    np.testing.assert_allclose(got, local, atol=1.5e-3)
    mean = between.fit_offset(
        views, np.nanmean(px, axis=1, keepdims=True), weight[:, :1], true, turn
    )
    assert np.abs(mean - local).max() > 5e-3


def test_a_path_is_followed_through_gross_errors(views):
    rng = np.random.default_rng(1)
    true = person(60)[:, [11, 15, 25]]
    exact = np.stack([v.project(true) for v in views])
    px = exact[:, None] + rng.normal(0, 3.0, (4, 3, *exact.shape[1:]))
    weight = np.ones(px.shape[:-1])
    px[0, :, 20:30] += 150.0  # a whole view is wrong for a sixth of a second
    px[:, 2] = np.nan
    weight[:, 2] = 0.0
    weight[:, :, 40:42] = 0.0  # nobody sees anything for two frames
    found = paths.follow(views, px, weight, FPS)
    off = 1e3 * np.linalg.norm(found.points - true, axis=-1)
    assert off.max() < 15.0
    assert off.mean() < 4.0
    assert found.share[0, 20:30].max() < 0.05
    assert found.share[1:, 20:30].min() > 0.4
    assert np.isnan(found.off_px[:, 40:42]).all()
    each = geometry.triangulate(views, np.nanmean(px, axis=1).reshape(4, -1, 2), np.ones((4, 180)))
    naive = 1e3 * np.linalg.norm(each.reshape(true.shape) - true, axis=-1)
    assert np.nanmean(naive) > 3 * off.mean()


def test_exact_sightings_give_the_path_back(views):
    """No smoothing is left where nothing jerks, and next to none where it is let loose."""
    true = person(40)[:, :3]
    px = np.stack([v.project(true) for v in views])[:, None]
    weight = np.ones(px.shape[:-1])
    for jerk, most in ((paths.JERK, 1e-3), (1e7, 1e-6)):
        found = paths.follow(views, px, weight, FPS, jerk)
        assert np.linalg.norm(found.points - true, axis=-1).max() < most


def test_lines_fill_what_is_unknown():
    path = np.array([[np.nan] * 2, [1.0, 10], [np.nan] * 2, [3.0, 30]])
    np.testing.assert_allclose(paths.filled(path), [[1, 10], [1, 10], [2, 20], [3, 30]])


def test_two_networks_make_one_truth(views):
    """YOLO's points lie elsewhere; with half of the weight each, the truth is YOLO's definition."""
    rng = np.random.default_rng(2)
    landmarks = person(40)
    coco = landmarks[:, [LANDMARK33.index(n) for n in COCO17]].copy()
    up = segments.joint_frames(landmarks)
    for j, name in enumerate(COCO17):
        coco[:, j] += 0.03 * up[name][:, 2]

    def seen(points, sightings):
        exact = np.stack([v.project(points) for v in views])
        px = exact[:, None] + rng.normal(0, 1.0, (4, sightings, *exact.shape[1:]))
        return px, np.ones(px.shape[:-1])

    yolo, ours = seen(coco, 2), seen(landmarks, 5)
    yolo[0][0, :, 10:20, 13] -= 200.0
    found = second_truth.find_second(views, yolo, ours, FPS)
    assert found.truth.good.mean() > 0.97
    for part in ("knee", "shoulder", "nose"):
        np.testing.assert_allclose(found.between[part], [0, 0, 0.03], atol=1e-3)
    np.testing.assert_allclose(found.apart["hip"].mean_m, [0, 0, 0.03], atol=2e-3)
    assert 1e3 * np.linalg.norm(found.both.points - coco, axis=-1).max() < 8.0
    ours = (ours[0][..., :17, :], ours[1][..., :17])
    px, weight = second_truth.together(yolo, ours)
    assert px.shape[:2] == (4, 7)
    assert weight[:, :2].sum() == pytest.approx(weight[:, 2:].sum())


def test_bones_that_stretch_are_told():
    rng = np.random.default_rng(3)
    still = np.zeros((500, 17, 3))
    still[:] = np.arange(17)[:, None] * [0.0, 0.0, 0.2]
    same = {s.bone: s for s in spread.spreads(still)}
    assert same["left thigh"].median_mm == pytest.approx(400.0)
    assert max(s.sd_mm for s in same.values()) < 1e-6
    moved = still.copy()
    moved[:, COCO17.index("left_knee"), 2] += rng.normal(0, 0.01, 500)
    moved[3, COCO17.index("right_knee")] = np.nan
    found = {s.bone: s for s in spread.spreads(moved)}
    assert found["left thigh"].sd_mm == pytest.approx(10.0, abs=1.0)
    assert found["left thigh"].mad_mm == pytest.approx(10.0, abs=1.0)
    assert found["left thigh"].sd_percent == pytest.approx(2.5, abs=0.3)
    assert (found["right thigh"].num, found["left thigh"].num) == (499, 500)
    longer = still.copy()
    longer[:, COCO17.index("left_ankle"), 2] += 0.04
    assert spread.asymmetry(spread.spreads(longer))["shank"] == pytest.approx(100 * 0.04 / 0.42)

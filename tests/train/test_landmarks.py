"""The made-up landmark network: its errors are those asked for."""

import math
from dataclasses import fields, replace

import pytest
import torch

from eftvideo.bodies import load_body
from eftvideo.errors import ConfigError
from eftvideo.geometry.skeletons import LANDMARK33, mirror_index
from eftvideo.train.synthetic import examples, landmarks, scenes, sightings
from eftvideo.train.synthetic.landmark_noise import HIPS, LIMBS, PARENTS, LandmarkNoise
from eftvideo.train.synthetic.motions import MotionLibrary
from tests.pose_library import write_library

_NONE = (0.0,) * 9
CLEAN = LandmarkNoise(
    **{n: _NONE for n in ("own", "own_m", "depth_m", "visible_spread")},
    **dict.fromkeys(
        (
            *("size", "flat_spread", "swap", "swap_legs", "merged", "gross", "other", "refused"),
            *("refused_spell", "never", "presence_spread", "tail", "window_tail", "doubted"),
        ),
        0.0,
    ),
    coupled=0.0,
    sized=1.0,
    flat=1.0,
    lean_deg=(0.0, 0.0, 0.0),
    lean_spread_deg=(0.0, 0.0, 0.0),
    hidden_factor=1.0,
    hidden_factor_m=1.0,
)
STILL = torch.tensor([[-0.1, -1 / 30, 0.0, 0.1]])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def sight(num, times=4, seed=1, slope=0.0):
    """People of a metre and a half, five metres off, who stand still."""
    shape = torch.rand(num, 1, 33, 3, generator=generator(seed)) * 1.5 - 0.75
    shape = shape - shape[:, :, HIPS].mean(dim=2, keepdim=True)
    points = (shape + torch.tensor([5.0 * slope, 0.0, 5.0])).expand(-1, times, -1, -1)
    pixels = 1000.0 * points[..., :2] / points[..., 2:] + 1000.0
    return landmarks.Sight(
        points,
        pixels,
        torch.zeros(num, times, 33, dtype=torch.bool),
        torch.tensor([850.0, 850.0, 1150.0, 1150.0]).expand(num, times, 4),
        torch.full((num,), 1000.0),
        torch.full((num, 2), 2000.0),
        torch.ones(num),
    )


def look(seen, noise, num, seed=0):
    return landmarks.look(seen, STILL.expand(num, -1), noise, generator(seed))


def test_without_errors_it_reports_the_truth():
    seen = sight(20)
    told = look(seen, CLEAN, 20)
    assert told.shape == (20, 4, 33, 7)
    torch.testing.assert_close(told[..., :2], seen.pixels, atol=1e-3, rtol=0.0)
    torch.testing.assert_close(told[..., 2:4].amin(), torch.tensor(1.0), atol=0.1, rtol=0.0)
    middle = seen.points[:, :, HIPS].mean(dim=2, keepdim=True)
    torch.testing.assert_close(told[..., 4:], seen.points - middle, atol=1e-5, rtol=0.0)


def test_metres_are_in_the_axes_of_a_camera_that_looks_at_the_person():
    told = look(sight(20, slope=0.5), CLEAN, 20)[..., 4:]
    points = sight(20, slope=0.5).points
    middle = points[:, :, HIPS].mean(dim=2, keepdim=True)
    angle = math.atan(0.5)
    ahead = torch.tensor([math.sin(angle), 0.0, math.cos(angle)])
    torch.testing.assert_close(told[..., 2], (points - middle) @ ahead, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(told.norm(dim=-1), (points - middle).norm(dim=-1), atol=1e-4, rtol=0)


def test_errors_have_the_size_asked_for_and_run_down_the_limbs():
    num = 3000
    noise = replace(CLEAN, own=(0.01,) * 9, own_m=(0.02,) * 9, carry=(0.5,) * 9)
    error = look(sight(num), noise, num) - look(sight(num), CLEAN, num)
    flat = error[..., :2] / 300.0
    wrist, elbow, shoulder = (LANDMARK33.index(f"left_{p}") for p in ("wrist", "elbow", "shoulder"))
    assert flat[:, :, shoulder].std().item() == pytest.approx(0.01, rel=0.05)
    assert flat[:, :, elbow].std().item() == pytest.approx(0.01 * 1.25**0.5, rel=0.05)
    own = flat[:, :, wrist] - 0.5 * flat[:, :, elbow]
    assert own.std().item() == pytest.approx(0.01, rel=0.05)
    assert error[:, :, shoulder, 4:6].std().item() == pytest.approx(0.02 * 1.5**0.5, rel=0.06)
    assert error[:, :, shoulder, 6].abs().max().item() < 1e-4, "no depth was asked for"


def test_part_of_an_error_stays_and_part_is_new():
    num = 3000
    noise = replace(CLEAN, own=(0.01,) * 9, carry=_NONE, stays=0.5, new=0.4, time_s=0.1)
    error = (look(sight(num), noise, num) - look(sight(num), CLEAN, num))[..., :2] / 300.0
    first, second = error[:, 1], error[:, 2]
    together = (first * second).mean() / error.square().mean()
    assert together.item() == pytest.approx(0.5 + 0.5 * 0.6 * math.exp(-1 / 3), abs=0.02)


def test_errors_in_metres_follow_those_in_the_picture():
    num = 500
    noise = replace(CLEAN, own=(0.01,) * 9, carry=_NONE, coupled=0.9)
    error = look(sight(num), noise, num) - look(sight(num), CLEAN, num)
    flat = error[..., :2] - error[:, :, HIPS, :2].mean(dim=2, keepdim=True)
    torch.testing.assert_close(error[..., 4:6], 0.9 * flat * 5.0 / 1000.0, atol=1e-5, rtol=0.0)


def test_metres_are_of_a_mean_body_and_pressed_flat():
    seen = replace(sight(30), size=torch.full((30,), 1.2))
    told = look(seen, replace(CLEAN, sized=0.25, flat=0.7), 30)[..., 4:]
    plain = look(seen, CLEAN, 30)[..., 4:]
    torch.testing.assert_close(told, plain * 1.2**-0.75 * torch.tensor([1.0, 1.0, 0.7]))


@pytest.mark.parametrize(
    ("name", "moves"),
    [("swap", torch.ones(33, dtype=torch.bool)), ("swap_legs", LIMBS[2] | LIMBS[3])],
)
def test_sides_are_taken_for_each_other_for_a_while(name, moves):
    seen = sight(60)
    told = look(seen, replace(CLEAN, **{name: 1.0}), 60)
    plain = look(seen, CLEAN, 60)
    twin = torch.where(moves, torch.tensor(mirror_index(LANDMARK33)), torch.arange(33))
    swapped = torch.isclose(told, plain[:, :, twin], atol=1e-3).flatten(2).all(-1)
    as_they_are = torch.isclose(told, plain, atol=1e-3).flatten(2).all(-1)
    assert (swapped | as_they_are).all()
    assert swapped.any() and as_they_are.any()


def test_merged_limbs_lie_on_their_twins():
    seen = sight(200)
    told = look(seen, replace(CLEAN, merged=1.0), 200)[..., :2]
    moved = (told - seen.pixels).norm(dim=-1) > 1.0
    assert {tuple(row.tolist()) for row in moved.flatten(0, 1) if row.any()} == {
        tuple(limb.tolist()) for limb in LIMBS[:4]
    }
    twins = seen.pixels[:, :, mirror_index(LANDMARK33)]
    torch.testing.assert_close(told[moved], twins[moved], atol=1e-3, rtol=0.0)


def test_wrong_limbs_are_wrong_in_2d_and_in_metres_and_look_hidden():
    noise = replace(CLEAN, gross=1.0)
    seen = sight(300)
    told, plain = look(seen, noise, 300), look(seen, CLEAN, 300)
    wrong = (told - plain)[..., :2].norm(dim=-1) > 1.0
    solid = (told - plain)[..., 4:].norm(dim=-1) > 0.01
    assert 0.02 < wrong.float().mean() < 0.15
    assert (wrong & solid).sum() > 0.8 * wrong.sum()
    assert told[..., 2][wrong].mean() < plain[..., 2][wrong].mean() - 0.1


def test_visibility_falls_where_something_hides_and_presence_outside():
    seen = sight(20)
    hidden = torch.zeros_like(seen.hidden)
    wrist, ankle = LANDMARK33.index("left_wrist"), LANDMARK33.index("right_ankle")
    hidden[:, :, wrist] = True
    pixels = seen.pixels.clone()
    pixels[:, :, ankle] = -500.0
    told = look(replace(seen, hidden=hidden, pixels=pixels), CLEAN, 20)
    assert told[:, :, wrist, 2].max() < 0.1 and told[:, :, wrist, 3].min() > 0.99
    assert told[:, :, ankle, 3].max() < 0.9


def test_what_was_refused_is_zero():
    noise = replace(CLEAN, refused=0.3)
    gone = (look(sight(500), noise, 500) == 0).flatten(2).all(-1)
    assert gone.float().mean().item() == pytest.approx(0.3, abs=0.04)
    never = (look(sight(500), replace(CLEAN, never=0.25), 500) == 0).flatten(1).all(-1)
    assert never.float().mean().item() == pytest.approx(0.25, abs=0.06)


def test_somebody_else_stands_near_the_box():
    told = look(sight(100), replace(CLEAN, other=1.0), 100)
    plain = look(sight(100), CLEAN, 100)
    other = ~torch.isclose(told, plain, atol=1e-3).flatten(2).all(-1)
    assert 0.2 < other.float().mean() < 0.9
    from_another = torch.roll(plain, 50, dims=0)[..., 4:]
    torch.testing.assert_close(told[other][..., 4:], from_another[other])


def test_every_constant_is_used():
    """Changing any of them changes what is reported."""
    seen = sight(400)
    seen = replace(seen, size=torch.full((400,), 1.1))
    seen.hidden[:, :, 5::4] = True
    seen.pixels[:, :, 3::7] -= 3000.0
    plain = look(seen, LandmarkNoise(), 400)
    for f in fields(LandmarkNoise):
        value = getattr(LandmarkNoise(), f.name)
        more = tuple(0.5 + v for v in value) if isinstance(value, tuple) else 0.5 + 0.5 * value
        assert not torch.equal(look(seen, replace(LandmarkNoise(), **{f.name: more}), 400), plain)


def test_parents_are_the_joints_above():
    names = {LANDMARK33[i]: LANDMARK33[p] for i, p in enumerate(PARENTS)}
    assert names["left_foot_index"] == names["left_heel"] == "left_ankle"
    assert names["right_thumb"] == "right_wrist" and names["right_wrist"] == "right_elbow"
    assert names["mouth_left"] == "nose" and names["left_hip"] == "left_hip"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    path = write_library(tmp_path_factory.mktemp("poses") / "poses.npz")
    library, body = MotionLibrary(path, held_out=False), load_body()
    args = (library, body, 64, examples.Sampling((-0.1, 0.0, 0.1)), scenes.SceneConfig())
    return args, examples.make_examples(*args, examples.ErrorConfig(), generator(5))


def test_examples_have_landmarks_where_the_keypoints_are(drawn):
    args, (crops, truth) = drawn
    assert crops.landmarks.shape == (64, 3, 33, 7)
    there = (crops.landmarks[:, 0, :, 3].amax(-1) > 0) & (truth.weight > 0)
    assert 0.7 < there.float().mean() < 1.0
    both = (crops.landmarks[there, 0, 11:13, :2] - crops.keypoints[there, 5:7, :2]).norm(dim=-1)
    assert both.median() < 0.15, "shoulders, in half crops"
    missing = crops.landmarks[:, 0, :, 3].amax(-1) == 0
    assert (crops.landmarks[missing, 0] == 0).all()
    rows = sightings.landmark_rows(args[1].keypoint_names)
    true = truth.points[:, 24:][:, rows]
    true = true - true[:, HIPS].mean(dim=1, keepdim=True)
    off = (crops.landmarks[there, 0, :, 4:] - true[there]).norm(dim=-1)
    assert off.median() < 0.25


def test_nobody_asks_the_network_where_there_is_none(drawn):
    args, _ = drawn
    crops, _ = examples.make_examples(*args, examples.ErrorConfig(network=None), generator(5))
    assert crops.landmarks is None


def test_witnesses_are_silenced_one_at_a_time(drawn):
    args, _ = drawn
    sampling = replace(args[3], blind=(0.3, 0.2, 0.1))
    crops, _ = examples.make_examples(
        *args[:2], 800, sampling, args[4], examples.ErrorConfig(), generator(6)
    )
    looked = crops.landmarks.abs().amax(dim=(1, 2, 3)) > 0
    silent = {
        "keypoints": (crops.keypoints == 0).flatten(1).all(1)
        & (crops.context == 0).flatten(1).all(1),
        "places": (crops.landmarks[..., :4] == 0).flatten(1).all(1) & looked,
        "metres": (crops.landmarks[..., 4:] == 0).flatten(1).all(1) & looked,
    }
    shares = [float(s[looked].float().mean()) for s in silent.values()]
    assert shares == pytest.approx([0.3, 0.2, 0.1], abs=0.05)
    assert (sum(s.int() for s in silent.values()) <= 1).all()
    assert not silent["keypoints"][~looked].any()


def test_a_body_without_the_points_is_refused():
    with pytest.raises(ConfigError, match="left_heel"):
        sightings.landmark_rows(("nose", "landmark_nose"))

"""Synthetic people: the truth is exact, the errors are those asked for."""

import math
from dataclasses import replace

import pytest
import torch

from eftvideo.bodies import load_body
from eftvideo.errors import ConfigError
from eftvideo.geometry import camera
from eftvideo.geometry.rotations import rotation_angle
from eftvideo.geometry.skeletons import COCO17, SMPL24, mirror_index
from eftvideo.train.synthetic import examples, observer, postures, scenes
from eftvideo.train.synthetic.motions import Motion, MotionLibrary, is_held_out, mirror
from eftvideo.train.synthetic.turns import OVER, PEAK_DEG_S, add_turns
from eftvideo.types import SmplParams
from tests.pose_library import write_library

OFFSETS = (-0.2, -0.1, 0.0, 0.1, 0.2)
CLEAN = observer.NoiseConfig(
    bias=(0.0,) * 7,
    jitter=(0.0,) * 7,
    outlier=(0.0,) * 7,
    swap=0.0,
    merged=0.0,
    occluder=0.0,
    dropped_frame=0.0,
    box=0.0,
)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_library(tmp_path_factory.mktemp("poses") / "poses.npz")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_held_out_trials_are_whole_and_apart(path):
    train = MotionLibrary(path, held_out=False, held_out_percent=30)
    test = MotionLibrary(path, held_out=True, held_out_percent=30)
    assert not set(train.clip_names) & set(test.clip_names)
    assert len(train.clip_names) + len(test.clip_names) == 30
    assert test.clip_names
    assert is_held_out("05_20#1", 5) == is_held_out("05_20#3", 5)


def test_windows_stay_in_their_clip(path):
    library = MotionLibrary(path, held_out=False, held_out_percent=0)
    offsets = torch.tensor([[-1000.0, 0.0, 1000.0]]).expand(8, 3)
    motion, inside = library.sample(8, offsets, generator())
    assert inside.tolist() == [[False, True, False]] * 8
    assert motion.rotations.shape == (8, 3, 24, 3, 3)


def test_missing_library_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        MotionLibrary(tmp_path / "nowhere.npz", held_out=False)


def test_mirrored_poses_are_mirror_images(body):
    g = generator()
    from eftvideo.geometry.rotations import axis_angle_to_matrix

    motion = Motion(
        axis_angle_to_matrix(0.4 * torch.randn(2, 1, 24, 3, generator=g)), torch.zeros(2, 1, 3)
    )
    flipped = mirror(motion, torch.tensor([True, False]))

    def joints(m):
        r = m.rotations[:, 0]
        return body.joints_and_keypoints(SmplParams(r[:, 0], r[:, 1:], torch.zeros(2, 10)))[0]

    a, b = joints(motion), joints(flipped)
    reflected = a[0][mirror_index(SMPL24)] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(b[0], reflected, atol=2e-3)
    assert torch.equal(a[1], b[1])


def test_made_up_postures_are_what_they_are_called(body):
    still = Motion(torch.eye(3).expand(64, 3, 24, 3, 3).clone(), torch.zeros(64, 3, 3))
    made = postures.make_up(still, torch.ones(64, dtype=torch.bool), generator(), spread_rad=0.0)
    rotations = made.rotations[:, 1]
    joints, _ = body.joints_and_keypoints(
        SmplParams(rotations[:, 0], rotations[:, 1:], torch.zeros(64, 10))
    )
    spine = joints[:, SMPL24.index("neck")] - joints[:, 0]
    up = spine[:, 1] / spine.norm(dim=-1)
    assert (up < -0.9).any(), "a handstand"
    assert (up.abs() < 0.35).any(), "somebody lies or crawls"
    assert (up > 0.95).any(), "somebody kneels or sits upright"
    untouched = postures.make_up(still, torch.zeros(64, dtype=torch.bool), generator())
    assert torch.equal(untouched.rotations, still.rotations)


def test_clean_observation_is_the_projection(body, path):
    library = MotionLibrary(path, held_out=False)
    motion, _ = library.sample(16, torch.zeros(16, 3), generator())
    scene = scenes.draw_scenes(motion, scenes.SceneConfig(person_size=(0.3, 0.5)), generator())
    joints, keypoints = examples.posed_points(body, scene)
    times = torch.tensor([[-0.1, 0.0, 0.1]]).expand(16, 3)
    seen, truth = examples.observe_scenes(scene, joints, keypoints, times, CLEAN, generator())
    inside = ((truth > 0) & (truth < scene.image_size_px[:, None, None])).all(-1)
    assert torch.allclose(seen.keypoints[..., :2][inside], truth[inside], atol=1e-3)
    again = camera.project(keypoints[:, 1, :17], scene.focal_length_px, scene.image_size_px)
    assert torch.allclose(truth[:, 1], again, atol=1e-3)
    assert torch.allclose(joints[:, :, 0], scene.pelvis, atol=1e-5)


def test_jitter_has_the_size_asked_for():
    still = torch.full((4000, 2, 17, 2), 500.0)
    box = torch.tensor([[300.0, 300.0], [700.0, 700.0]]).expand(4000, 2, 2, 2)
    noise = replace(CLEAN, jitter=(0.01,) * 7, tail=0.0, window_tail=0.0)
    noise = replace(noise, jitter_new=0.5, jitter_time_s=0.15)
    size = torch.full((4000, 2), 1000.0)
    times = torch.tensor([[0.0, 1 / 30]]).expand(4000, 2)
    hidden = torch.zeros(4000, 2, 17, dtype=torch.bool)
    seen = observer.observe(still, box, hidden, size, times, noise, generator())
    error = (seen.keypoints[..., :2] - still) / 408.0
    assert error.std().item() == pytest.approx(0.01, rel=0.03)
    step = error[:, 1] - error[:, 0]
    correlation = 1 - (step.var() / (2 * error.var())).item()
    assert correlation == pytest.approx(0.4, abs=0.03)


def test_swapped_sides_are_the_other_sides_points():
    points = torch.randn(50, 1, 17, 2, generator=generator()) * 50 + 500
    noise = replace(CLEAN, swap=1.0)
    times, size = torch.zeros(50, 1), torch.full((50, 2), 1000.0)
    hidden = torch.zeros(50, 1, 17, dtype=torch.bool)
    seen = observer.observe(points, points, hidden, size, times, noise, generator())
    swapped = points[:, :, mirror_index(COCO17)]
    is_swapped = torch.isclose(seen.keypoints[..., :2], swapped).all(-1).all(-1)
    is_plain = torch.isclose(seen.keypoints[..., :2], points).all(-1).all(-1)
    assert (is_swapped | is_plain).all()
    assert is_swapped.any()


def test_merged_limbs_lie_on_their_twins():
    keypoints = torch.rand(200, 3, 17, 2, generator=generator()) * 200 + 100
    time_s = torch.linspace(0.0, 0.2, 3).expand(200, 3)
    size = torch.full((200, 2), 1000.0)
    extent, hidden = keypoints, torch.zeros(200, 3, 17, dtype=torch.bool)
    noise = replace(CLEAN, merged=1.0)
    seen = observer.observe(keypoints, extent, hidden, size, time_s, noise, generator()).keypoints
    moved = (seen[..., :2] - keypoints).norm(dim=-1) > 15.0
    limbs = [{7, 9}, {8, 10}, {13, 15}, {14, 16}]
    found = [set(row.nonzero().flatten().tolist()) for row in moved.flatten(0, 1)]
    assert all(f <= limb or not f for f in found for limb in limbs if f & limb)
    assert {frozenset(f) for f in found} >= {frozenset(limb) for limb in limbs}
    index = torch.tensor(mirror_index(COCO17))
    on_twin = (seen[..., :2] - keypoints[:, :, index]).norm(dim=-1)[moved]
    assert on_twin.median() < 5.0, "1 % of a box of 200 px"


def test_close_ups_show_any_part_of_somebody(path):
    library = MotionLibrary(path, held_out=False, held_out_percent=0)
    motion, _ = library.sample(400, torch.zeros(400, 1), generator())
    drawn = scenes.draw_scenes(motion, scenes.SceneConfig(), generator(), close_up=1.0)
    height = drawn.focal_length_px * 1.7 / drawn.pelvis[:, 0, 2]
    picture = drawn.image_size_px[:, 1]
    assert (height > 0.95 * drawn.image_size_px.amin(dim=1)).float().mean() > 0.9
    pelvis = camera.project(drawn.pelvis, drawn.focal_length_px, drawn.image_size_px)[:, 0, 1]
    below, above = (pelvis > picture).float().mean(), (pelvis < 0).float().mean()
    assert 0.05 < below < 0.4 and 0.05 < above < 0.4, "head and shoulders; legs alone"


def test_the_body_hides_its_far_side():
    joints = torch.zeros(1, 24, 3)
    joints[..., 2] = 4.0
    joints[0, SMPL24.index("neck"), 1] = -0.5
    keypoints = torch.zeros(1, 17, 3)
    keypoints[0, 9] = torch.tensor([0.0, -0.1, 4.4])
    keypoints[0, 10] = torch.tensor([0.0, -0.1, 3.6])
    keypoints[0, 11] = torch.tensor([1.0, -0.1, 4.4])
    hidden = observer.self_hidden(joints, keypoints)
    assert hidden[0, 9]
    assert not hidden[0, 10]
    assert not hidden[0, 11]


def test_steep_cameras_have_any_pitch_between_their_limits():
    cfg = scenes.SceneConfig(pitch_std_deg=0.0, roll_std_deg=0.0, steep=0.5)
    view = scenes.world_to_camera(cfg, 2000, generator())
    pitch = torch.rad2deg(torch.asin(-view[:, 2, 1]))
    plain = (pitch - cfg.pitch_mean_deg).abs() < 0.01
    assert plain.float().mean().item() == pytest.approx(0.5, abs=0.05)
    low, high = cfg.steep_deg
    assert low <= pitch.min() < low + 2.0 and high - 2.0 < pitch.max() <= high
    assert pitch[~plain].mean().item() == pytest.approx((low + high) / 2, abs=2.0)


def test_examples_are_reproducible_and_whole(body, path):
    library = MotionLibrary(path, held_out=False)
    args = (library, body, 12, examples.Sampling(OFFSETS), scenes.SceneConfig())
    crops, truth = examples.make_examples(*args, examples.ErrorConfig(), generator(5))
    again, _ = examples.make_examples(*args, examples.ErrorConfig(), generator(5))
    assert torch.equal(crops.landmarks, again.landmarks)
    assert torch.equal(crops.keypoints, again.keypoints)
    assert crops.context.shape == (12, 4, 17, 3)
    assert torch.isfinite(crops.keypoints).all()
    assert truth.points.shape[1] >= 24 + 17
    assert set(truth.weight.tolist()) <= {0.0, 1.0}


def test_fast_turns_turn_a_share_of_people_about_their_pelvis():
    times = (torch.arange(61) / 30.0 - 1.0).expand(400, -1)
    still = Motion(torch.eye(3).expand(400, 61, 24, 3, 3), torch.zeros(400, 61, 3))
    turned = add_turns(still, times, 0.5, generator())
    root = turned.rotations[:, :, 0]
    angle = rotation_angle(root[:, 1:], root[:, :-1]).amax(1) * 30.0 * 180.0 / math.pi
    is_turning = angle > 1.0
    assert is_turning.float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert angle.max().item() < 1.05 * PEAK_DEG_S[1]
    assert angle[is_turning].median().item() > PEAK_DEG_S[0]
    upright = (root[:, :, 1, 1] > 0.999).all(1)
    over = (~upright).float().mean() / is_turning.float().mean()
    assert over.item() == pytest.approx(OVER, abs=0.08)
    assert torch.equal(turned.pelvis, still.pelvis)
    assert torch.equal(turned.rotations[:, :, 1:], still.rotations[:, :, 1:])
    assert torch.equal(turned.rotations[~is_turning], still.rotations[~is_turning])


def test_windows_that_end_on_one_side_keep_the_other_and_the_frame_itself():
    time_s = (torch.arange(-15, 16) / 30.0).expand(2000, -1)
    whole = examples._within(time_s, examples.Sampling(OFFSETS), generator(3))
    assert whole.all(), "nothing ends where nothing is asked for"
    kept = examples._within(time_s, examples.Sampling(OFFSETS, one_sided=1.0), generator(3))
    before, after = kept[:, :15], kept[:, 16:]
    assert kept[:, 15].all()
    assert (before.all(dim=1) | after.all(dim=1)).all()
    assert (before[:, 1:] >= before[:, :-1]).all() and (after[:, :-1] >= after[:, 1:]).all()
    for side in (before, after):
        assert 0.4 < float((~side).any(dim=1).float().mean()) < 0.6
        assert 0.2 < float((~side).float().mean()) < 0.3


def test_doubt_hides_gross_errors_and_few_others():
    num, g = 500, generator(4)
    truth = 100.0 + 100.0 * torch.rand(num, 3, 17, 2, generator=g)
    gross = torch.rand(num, 3, 17, generator=g) < 0.1
    off = torch.where(gross, 30.0, 2.0)[..., None] * torch.tensor([1.0, 0.0])
    keypoints = torch.cat([truth + off, torch.ones(num, 3, 17, 1)], dim=-1)
    xyxy = torch.tensor([100.0, 100.0, 200.0, 200.0]).expand(num, 3, 4)
    seen = observer.Observation(
        keypoints, xyxy, torch.ones(num, 3, dtype=torch.bool), torch.zeros(num, 3, 4)
    )
    hidden = {}
    for share in (0.0, 1.0):
        sampling = examples.Sampling(OFFSETS, doubted=share)
        left = examples._doubt(seen, truth, sampling, g).keypoints[..., 2] > 0
        hidden[share] = [float((~left)[kind].float().mean()) for kind in (gross, ~gross)]
    assert hidden[0.0] == [0.0, 0.0]
    assert hidden[1.0][0] == pytest.approx(examples.HIDDEN_GROSS, abs=0.05)
    assert hidden[1.0][1] == pytest.approx(examples.HIDDEN_OTHER, abs=0.005)

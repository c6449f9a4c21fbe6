"""The lifter and the landmark network's points: what it takes of them, mirror, growth, old file."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from eftvideo.errors import ConfigError
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, SMPL24, mirror_index
from eftvideo.regressors._lifter_evidence import MIN_SCORE, merged
from eftvideo.regressors._lifter_mirror import NUM_PLACE, PER_FRAME, PER_LOOK
from eftvideo.regressors.lifter import LifterConfig, Model
from tests.regressors.test_lifter import SMALL, grow_lifter, some_crops
from tests.regressors.test_lifter import mirrored as mirrored_keypoints

BLIND = replace(SMALL, landmarks=False)


def with_landmarks(num=3, context=2, seed=0):
    """People of whom both witnesses know something at all times."""
    g = torch.Generator().manual_seed(seed + 1)
    shape = (num, 1 + context, 33)
    landmarks = torch.cat(
        [
            torch.rand(*shape, 2, generator=g) * 2 - 1,
            torch.rand(*shape, 2, generator=g) * 0.5 + 0.5,
            torch.randn(*shape, 3, generator=g) * 0.4,
        ],
        dim=-1,
    )
    return replace(some_crops(num, context, seed), landmarks=landmarks)


def network(cfg=SMALL, seed=0):
    torch.manual_seed(seed)
    model = Model(cfg).eval().requires_grad_(False)
    model.head.weight.normal_(std=0.1)
    return model


def looks(model, crops):
    """(N, F, 232) the part of what `encode` gives that tells of landmarks, as seen."""
    num = 1 + len(model.context_offsets_s)
    encoded = model.encode(crops)[:, 0, 2 * num * PER_FRAME : -NUM_PLACE]
    return encoded.unflatten(1, (num, PER_LOOK))


def test_each_number_has_its_place():
    model, crops = network(replace(SMALL, canonical=False)), with_landmarks()
    look = looks(model, crops)
    seen = crops.landmarks
    flat, solid = look[..., :132].unflatten(-1, (33, 4)), look[..., 132:231].unflatten(-1, (33, 3))
    torch.testing.assert_close(flat[..., :2], seen[..., :2])
    torch.testing.assert_close(flat[..., 2], seen[..., 2] * seen[..., 3])
    torch.testing.assert_close(flat[..., 3], seen[..., 3])
    torch.testing.assert_close(solid, seen[..., 4:])
    assert (look[..., -1] == 1.0).all()


def test_places_are_rays_and_metres_are_taken_as_they_are():
    model, crops = network(), with_landmarks()
    as_keypoints = replace(
        crops,
        keypoints=torch.cat([crops.landmarks[:, 0, :17, :2], torch.ones(3, 17, 1)], dim=-1),
    )
    places = looks(model, crops)[:, 0, :132].unflatten(-1, (33, 4))[:, :17, :2]
    rays = model.encode(replace(as_keypoints, landmarks=None))[:, 0, :51].unflatten(-1, (17, 3))[
        ..., :2
    ]
    torch.testing.assert_close(places, rays)
    assert not torch.allclose(places, crops.landmarks[:, 0, :17, :2], atol=1e-3)
    solid = looks(model, crops)[..., 132:231].unflatten(-1, (33, 3))
    torch.testing.assert_close(solid, crops.landmarks[..., 4:])


def test_no_landmarks_are_zeros_and_say_so():
    model, crops = network(), with_landmarks()
    assert (looks(model, replace(crops, landmarks=None)) == 0).all()
    landmarks = crops.landmarks.clone()
    landmarks[0, 1] = 0.0
    look = looks(model, replace(crops, landmarks=landmarks))
    assert (look[0, 1] == 0).all() and (look[0, 0, -1], look[1, 1, -1]) == (1.0, 1.0)
    empty = replace(crops, landmarks=torch.zeros_like(landmarks))
    torch.testing.assert_close(
        model(model.encode(empty)), model(model.encode(replace(crops, landmarks=None)))
    )


def test_landmarks_outside_the_picture_have_no_place():
    model, crops = network(), with_landmarks()
    landmarks = crops.landmarks.clone()
    landmarks[:, :, 7, 3] = 0.1
    moved = landmarks.clone()
    moved[:, :, 7, :2] += 0.5
    a, b = (model.encode(replace(crops, landmarks=v)) for v in (landmarks, moved))
    assert torch.equal(a, b)
    moved[:, :, 7, 4] += 0.5
    assert not torch.equal(a, model.encode(replace(crops, landmarks=moved)))


def mirrored(crops):
    """The same people in the mirrored picture."""
    landmarks = crops.landmarks[:, :, mirror_index(LANDMARK33)].clone()
    landmarks[..., 0] *= -1.0
    landmarks[..., 4] *= -1.0
    return replace(mirrored_keypoints(crops), landmarks=landmarks)


@pytest.mark.parametrize("canonical", [True, False])
def test_mirrored_people_get_the_mirrored_answer(canonical):
    model, crops = network(replace(SMALL, canonical=canonical), seed=3), with_landmarks()
    answers = []
    for c in (crops, mirrored(crops)):
        answers.append(model.decode(model(model.encode(c)), c).params)
    reflect = torch.tensor([-1.0, 1.0, 1.0])
    pose, other = (torch.cat([a.global_orient[:, None], a.body_pose], dim=1) for a in answers)
    back = reflect[:, None] * other[:, mirror_index(SMPL24)] * reflect
    torch.testing.assert_close(back, pose, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(answers[1].betas, answers[0].betas, atol=1e-5, rtol=0.0)
    one = replace(crops, landmarks=None)
    assert not torch.allclose(model(model.encode(one)), model(model.encode(crops)), atol=1e-3)


def test_the_mirror_of_the_mirror_is_what_was_seen():
    model, crops = network(), with_landmarks()
    encoded = model.encode(crops)
    again = encoded[:, 1, model.mirror_input] * model.mirror_input_sign
    torch.testing.assert_close(again, encoded[:, 0])
    torch.testing.assert_close(model.encode(mirrored(crops))[:, 0], encoded[:, 1])


def test_a_grown_network_answers_as_the_blind_one_at_what_both_witnesses_say():
    small = network(BLIND)
    large_cfg = replace(SMALL, num_blocks=3, context_offsets_s=(-0.3, -0.1, 0.1, 0.3))
    large = grow_lifter.grow(small, large_cfg)
    crops = with_landmarks(context=4)
    frames = torch.cat([crops.keypoints[:, None], crops.context], dim=1)
    both = merged(frames, crops.landmarks)
    known = replace(crops, keypoints=both[:, 0], context=both[:, 2:4], landmarks=None)
    torch.testing.assert_close(large(large.encode(crops)), small(small.encode(known)))
    nobody_looked = replace(crops, landmarks=None)
    known = replace(nobody_looked, context=crops.context[:, 1:3])
    torch.testing.assert_close(large(large.encode(nobody_looked)), small(small.encode(known)))
    assert (large.stem.weight[:, 5 * PER_FRAME : -NUM_PLACE] == 0).all()


def test_the_better_witness_counts_where_they_differ():
    """Both where they agree; the landmark alone far from it; whoever is there alone."""
    keypoints, landmarks = torch.zeros(1, 1, 17, 3), torch.zeros(1, 1, 33, 7)
    keypoints[..., 2] = 0.9
    landmarks[..., 2:4] = 0.9
    keypoints[..., 0] = 0.1
    near = merged(keypoints, landmarks)[0, 0]
    assert ((near[:, 0] > 0.0) & (near[:, 0] < 0.05)).all()
    keypoints[..., 0] = 1.0
    far = merged(keypoints, landmarks)
    assert (far[..., 0].abs() < 1e-6).all() and (far[..., 2] >= 0.9).all()
    torch.testing.assert_close(merged(keypoints, 0.0 * landmarks), keypoints)
    unseen = keypoints * torch.tensor([1.0, 1.0, 0.1])
    assert (merged(unseen, landmarks)[..., 0] == 0.0).all()


def test_the_detectors_own_keypoints_are_told_as_what_they_are_off():
    model, crops = network(replace(SMALL, canonical=False)), with_landmarks()
    encoded, num = model.encode(crops)[:, 0], 1 + len(model.context_offsets_s)
    parts = encoded[:, : 2 * num * PER_FRAME].unflatten(1, (2, num, PER_FRAME))
    both, off = (parts[:, i, 0, :51].unflatten(-1, (17, 3)) for i in range(2))
    seen = crops.keypoints[..., 2:] >= MIN_SCORE
    own = torch.where(seen, (both + off)[..., :2], 0.0)
    torch.testing.assert_close(own, torch.where(seen, crops.keypoints[..., :2], 0.0))


def test_a_network_that_knows_landmarks_grows_with_them():
    small = network()
    large = grow_lifter.grow(small, replace(SMALL, context_offsets_s=(-0.3, -0.1, 0.1, 0.3)))
    crops = with_landmarks(context=4)
    known = replace(crops, context=crops.context[:, 1:3], landmarks=crops.landmarks[:, [0, 2, 3]])
    torch.testing.assert_close(large(large.encode(crops)), small(small.encode(known)))
    with pytest.raises(ConfigError, match="cannot grow"):
        grow_lifter.grow(small, BLIND)


def test_files_from_before_the_landmarks_are_blind_and_answer_as_they_did(tmp_path):
    old = network(BLIND)
    metadata = old.metadata()
    metadata["config"] = metadata["config"].replace(', "landmarks": false', "")
    assert "landmarks" not in metadata["config"]
    save_file(old.state_dict(), tmp_path / "old.safetensors", metadata=metadata)
    again = Model.from_weights(tmp_path / "old.safetensors")
    crops = with_landmarks()
    assert again.cfg == BLIND
    assert again.encode(crops).shape == (3, 2, 3 * PER_FRAME + NUM_PLACE)
    torch.testing.assert_close(again(again.encode(crops)), old(old.encode(crops)))
    unseen = replace(crops, landmarks=None)
    torch.testing.assert_close(again(again.encode(unseen)), again(again.encode(crops)))


def test_tuning_the_head_alone_sees_landmarks_once():
    model, crops = network(), with_landmarks()
    before_head = model.encode(crops, "head")
    assert before_head.shape == (3, 2, 1, SMALL.width)
    torch.testing.assert_close(model(before_head), model(model.encode(crops)))


def test_a_look_has_seven_numbers_of_each_point_and_a_flag():
    assert 3 * len(COCO17) + 1 == PER_FRAME
    assert 7 * len(LANDMARK33) + 1 == PER_LOOK
    assert LifterConfig().landmarks

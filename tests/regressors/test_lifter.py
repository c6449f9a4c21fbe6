"""The default regressor: its geometry, its file, its context."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from eftvideo.errors import CheckpointMismatchError, ConfigError, WeightsCorruptError
from eftvideo.geometry import camera
from eftvideo.geometry.skeletons import COCO17, SMPL24, mirror_index
from eftvideo.regressors.lifter import PELVIS_REST_M, LifterConfig, Model
from eftvideo.types import Crops

TOOLS = str(Path(__file__).parents[2] / "tools")
sys.path.insert(0, TOOLS)
try:
    import grow_lifter
finally:
    sys.path.remove(TOOLS)

SMALL = LifterConfig(width=32, hidden=48, num_blocks=1, context_offsets_s=(-0.1, 0.1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    small = Model(SMALL).eval().requires_grad_(False)
    torch.nn.init.normal_(small.head.weight, std=0.05)
    return small


def some_crops(num=3, context=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    return Crops(
        torch.cat([torch.rand(num, 17, 2, generator=g) * 2 - 1, torch.full((num, 17, 1), 0.9)], 2),
        torch.tensor([[640.0, 360.0]]) + torch.randn(num, 2, generator=g) * 100,
        torch.rand(num, generator=g) * 200 + 100,
        torch.full((num,), 1200.0),
        torch.tensor([[1280.0, 720.0]]).expand(num, 2),
        torch.cat(
            [
                torch.rand(num, context, 17, 2, generator=g) * 2 - 1,
                torch.full((num, context, 17, 1), 0.9),
            ],
            3,
        ),
    )


def test_answer_has_shapes_and_rotations(model):
    crops = some_crops()
    answer = model.decode(model(model.encode(crops)), crops)
    matrices = torch.cat([answer.params.global_orient[:, None], answer.params.body_pose], dim=1)
    assert torch.allclose(matrices @ matrices.mT, torch.eye(3).expand_as(matrices), atol=1e-5)
    assert torch.allclose(torch.det(matrices), torch.ones(3, 24), atol=1e-5)


def test_untrained_answer_stands_upright_facing_the_camera():
    crops = replace(some_crops(), center_px=torch.full((3, 2), 0.0) + torch.tensor([640.0, 360.0]))
    model = Model(SMALL)
    torch.nn.init.zeros_(model.head.weight)
    answer = model.decode(model(model.encode(crops)), crops)
    up = answer.params.global_orient @ torch.tensor([0.0, 1.0, 0.0])
    assert torch.allclose(up, torch.tensor([0.0, -1.0, 0.0]).expand(3, 3), atol=1e-5)


def test_pelvis_lies_on_the_crops_axis_if_the_offsets_are_zero():
    crops = some_crops()
    model = Model(SMALL)
    torch.nn.init.zeros_(model.head.weight)
    answer = model.decode(model(model.encode(crops)), crops)
    pelvis = model.pelvis(answer, crops)
    px = camera.project(pelvis[:, None], crops.focal_length_px, crops.image_size_px)[:, 0]
    assert torch.allclose(px, crops.center_px, atol=0.05)
    assert PELVIS_REST_M[0] == 0.0


def test_same_rays_same_features_wherever_the_crop_is(model):
    """Turning the camera about its centre changes only the features that say where the crop is."""
    g = torch.Generator().manual_seed(3)
    points = torch.randn(1, 17, 3, generator=g) * 0.5 + torch.tensor([0.0, 0.0, 5.0])
    size, focal = torch.tensor([[1280.0, 720.0]]), torch.tensor([1000.0])

    def features(turn_rad):
        from eftvideo.geometry.rotations import about_axis

        turned = points @ about_axis(1, torch.tensor(turn_rad)).mT
        middle = torch.tensor([[[0.0, 0.0, 5.0]]]) @ about_axis(1, torch.tensor(turn_rad)).mT
        center = camera.project(middle, focal, size)[:, 0]
        px = camera.project(turned, focal, size)
        stretch = 1.0 / (middle[0, 0, 2] / middle[0, 0].norm())
        side = 300.0 * stretch.view(1)
        xy = (px - center[:, None]) / (side / 2)[:, None, None]
        crops = Crops(torch.cat([xy, torch.ones(1, 17, 1)], 2), center, side, focal, size)
        return model.encode(crops)[:, 0, :51]

    assert torch.allclose(features(0.0), features(0.35), atol=2e-2)
    assert torch.allclose(features(0.0), features(-0.2), atol=2e-2)


def test_hidden_keypoints_do_not_matter(model):
    crops = some_crops()
    keypoints = crops.keypoints.clone()
    keypoints[:, 5, 2] = 0.1
    moved = keypoints.clone()
    moved[:, 5, :2] += 0.7
    a, b = (model.encode(replace(crops, keypoints=k)) for k in (keypoints, moved))
    assert torch.equal(a, b)
    assert not torch.equal(a, model.encode(crops))


def test_no_context_equals_empty_context(model):
    crops = some_crops()
    empty = replace(crops, context=torch.zeros(3, 2, 17, 3))
    assert torch.equal(model.encode(replace(crops, context=None)), model.encode(empty))
    assert not torch.equal(model.encode(crops), model.encode(empty))


def test_weights_file_round_trip(model, tmp_path):
    path = tmp_path / "lifter.safetensors"
    save_file(model.state_dict(), path, metadata=model.metadata())
    again = Model.from_weights(path)
    crops = some_crops()
    assert again.cfg == SMALL
    assert torch.equal(model(model.encode(crops)), again(again.encode(crops)))


def test_missing_and_unexpected_keys_are_named(model, tmp_path):
    tensors = dict(model.state_dict())
    tensors["head.wrong"] = tensors.pop("head.bias")
    path = tmp_path / "bad.safetensors"
    save_file(tensors, path, metadata=model.metadata())
    with pytest.raises(CheckpointMismatchError, match=r"head\.bias.*head\.wrong"):
        Model.from_weights(path)


def test_other_networks_and_other_files_are_refused(model, tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign, metadata={"config": json.dumps({})})
    with pytest.raises(CheckpointMismatchError, match="not a lifter"):
        Model.from_weights(foreign)
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(WeightsCorruptError):
        Model.from_weights(text)


def test_a_grown_network_answers_as_the_small_one_does(model):
    large_cfg = replace(SMALL, num_blocks=3, context_offsets_s=(-0.3, -0.1, 0.1, 0.3))
    large = grow_lifter.grow(model, large_cfg)
    crops = some_crops(context=4)
    assert crops.context is not None
    known = replace(crops, context=crops.context[:, 1:3])
    torch.testing.assert_close(large(large.encode(crops)), model(model.encode(known)))
    large.blocks[2].down.weight.data.normal_(std=0.1)
    assert not torch.allclose(large(large.encode(crops)), model(model.encode(known)), atol=1e-3)


@pytest.mark.parametrize(
    "change", [{"width": 64}, {"num_blocks": 0}, {"context_offsets_s": (-0.3, 0.1)}]
)
def test_a_network_cannot_grow_into_one_that_lacks_something(model, change):
    with pytest.raises(ConfigError, match="cannot grow"):
        grow_lifter.grow(model, replace(SMALL, **change))


def test_what_goes_into_the_head_is_computed_once(model):
    crops = some_crops()
    before_head = model.encode(crops, "head")
    assert before_head.shape == (3, 2, 1, SMALL.width)
    torch.testing.assert_close(model(before_head), model(model.encode(crops)))
    own = {"head.bias": torch.randn(3, model.head.bias.shape[0])}
    own["head.weight"] = torch.randn(3, *model.head.weight.shape)
    torch.testing.assert_close(
        model.forward_each(own, before_head), model.forward_each(own, model.encode(crops))
    )


def mirrored(crops):
    """The same people in the mirrored picture."""

    def turned(keypoints):
        keypoints = keypoints[..., mirror_index(COCO17), :].clone()
        keypoints[..., 0] *= -1.0
        return keypoints

    center = crops.center_px.clone()
    center[:, 0] = crops.image_size_px[:, 0] - center[:, 0]
    return replace(
        crops,
        keypoints=turned(crops.keypoints),
        context=turned(crops.context),
        center_px=center,
    )


@pytest.mark.parametrize("canonical", [True, False])
def test_mirrored_people_get_the_mirrored_answer(canonical):
    torch.manual_seed(3)
    model = Model(replace(SMALL, canonical=canonical)).eval()
    model.head.weight.data.normal_(std=0.1)
    crops = some_crops()
    answer = model.decode(model(model.encode(crops)), crops)
    other_crops = mirrored(crops)
    other = model.decode(model(model.encode(other_crops)), other_crops)
    reflect = torch.tensor([-1.0, 1.0, 1.0])
    pose = torch.cat([other.params.global_orient[:, None], other.params.body_pose], dim=1)
    back = reflect[:, None] * pose[:, mirror_index(SMPL24)] * reflect
    torch.testing.assert_close(back[:, 0], answer.params.global_orient, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(back[:, 1:], answer.params.body_pose, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(other.params.betas, answer.params.betas, atol=1e-5, rtol=0.0)
    pelvis, other_pelvis = model.pelvis(answer, crops), model.pelvis(other, other_crops)
    torch.testing.assert_close(other_pelvis * reflect, pelvis, atol=1e-4, rtol=1e-4)


def test_one_side_alone_is_not_mirrored_and_files_without_the_word_mean_one(tmp_path):
    torch.manual_seed(3)
    one = Model(replace(SMALL, both_sides=False)).eval()
    one.head.weight.data.normal_(std=0.1)
    both = Model(SMALL).eval()
    both.load_state_dict(one.state_dict())
    crops = some_crops()
    answer = one(one.encode(crops))
    assert not torch.allclose(answer, both(both.encode(crops)), atol=1e-2)
    torch.testing.assert_close(answer, both.train()(both.encode(crops)))
    metadata = one.metadata()
    metadata["config"] = metadata["config"].replace(', "both_sides": false', "")
    assert "both_sides" not in metadata["config"]
    save_file(one.state_dict(), tmp_path / "old.safetensors", metadata=metadata)
    again = Model.from_weights(tmp_path / "old.safetensors")
    torch.testing.assert_close(again(again.encode(crops)), answer)

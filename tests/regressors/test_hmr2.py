"""HMR 2.0: the transformer, the head, its 6D reading, what is tuned, EFT through it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hmr2_files import (
    PUBLISHED,
    SIDE,
    SMALL,
    key_shapes,
    random_tensors,
    some_crops,
    write_checkpoint,
)
from torch import nn
from torch.nn import functional as F
from torchvision.models.vision_transformer import EncoderBlock

from eftvideo.errors import CheckpointMismatchError, UnsafeFileError
from eftvideo.geometry import camera
from eftvideo.geometry.crops import crop_people
from eftvideo.geometry.resample import cut_out
from eftvideo.regressors._hmr2_head import HeadConfig, SmplHead, six_d_rows_to_matrix
from eftvideo.regressors._vit import Vit
from eftvideo.regressors.hmr2 import Model


@pytest.fixture(scope="module")
def model():
    small = Model(SMALL)
    small.load_state_dict(random_tensors())
    return small.eval().requires_grad_(False)


def test_published_names_and_shapes_are_those_of_the_network():
    with torch.device("meta"):
        full = Model()
    assert {k: tuple(v.shape) for k, v in full.state_dict().items()} == key_shapes(PUBLISHED)
    assert full.crop_size_px == 256


def test_checkpoint_is_read(tmp_path, monkeypatch):
    tensors = random_tensors(seed=3)
    path = write_checkpoint(tmp_path / "hmr2.ckpt", tensors, monkeypatch)
    model = Model.from_weights(path, SMALL)
    assert {k for k, v in model.state_dict().items() if torch.equal(v, tensors[k])} == set(tensors)
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    crops = some_crops()
    assert torch.isfinite(model(model.encode(crops))).all()


def test_changed_key_is_named(tmp_path, monkeypatch):
    tensors = random_tensors()
    tensors["backbone.final_norm.weight"] = tensors.pop("backbone.last_norm.weight")
    path = write_checkpoint(tmp_path / "hmr2.ckpt", tensors, monkeypatch)
    with pytest.raises(CheckpointMismatchError) as e:
        Model.from_weights(path, SMALL)
    assert "backbone.last_norm.weight" in str(e.value)
    assert "backbone.final_norm.weight" in str(e.value)
    assert "\n" not in str(e.value)


def test_other_shape_is_named(tmp_path, monkeypatch):
    tensors = random_tensors()
    tensors["smpl_head.deccam.weight"] = torch.zeros(3, 25)
    path = write_checkpoint(tmp_path / "hmr2.ckpt", tensors, monkeypatch)
    with pytest.raises(CheckpointMismatchError, match=r"smpl_head.deccam.weight \(3, 25\)"):
        Model.from_weights(path, SMALL)


class Attack:
    def __reduce__(self):
        return (Path.touch, (Path("attacked"),))


def test_checkpoint_with_code_in_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": random_tensors(), "hyper_parameters": Attack()}, "hmr2.ckpt")
    with pytest.raises(UnsafeFileError, match="asks for"):
        Model.from_weights(Path("hmr2.ckpt"), SMALL)
    assert not Path("attacked").exists()


def reference_vit(vit: Vit, image):
    """By torchvision's blocks (torch's own attention module), patches cut by hand."""
    state, cfg = vit.state_dict(), vit.cfg
    padded = F.pad(image, (2, 2, 2, 2))
    kernel = state["patch_embed.proj.weight"].flatten(1)
    x = torch.stack(
        [
            padded[:, :, 16 * i : 16 * i + 16, 16 * j : 16 * j + 16].flatten(1) @ kernel.T
            for i in range(cfg.height_px // 16)
            for j in range(cfg.width_px // 16)
        ],
        dim=1,
    )
    x = x + state["patch_embed.proj.bias"]
    x = x + state["pos_embed"][:, 1:] + state["pos_embed"][:, :1]
    names = {
        "ln_1": "norm1", "self_attention.in_proj_": "attn.qkv.",
        "self_attention.out_proj": "attn.proj", "ln_2": "norm2", "mlp.0": "mlp.fc1",
        "mlp.3": "mlp.fc2",
    }  # fmt: skip
    for i in range(cfg.depth):
        block = EncoderBlock(cfg.num_heads, cfg.width, 4 * cfg.width, 0.0, 0.0).eval()
        mapped = {
            key: state[
                f"blocks.{i}." + next(key.replace(a, b) for a, b in names.items() if a in key)
            ]
            for key in block.state_dict()
        }
        block.load_state_dict(mapped)
        x = block(x)
    return F.layer_norm(x, (cfg.width,), state["last_norm.weight"], state["last_norm.bias"], 1e-6)


def test_transformer_equals_torchvisions_blocks(model):
    image = torch.randn(2, 3, SMALL.backbone.height_px, SMALL.backbone.width_px)
    with torch.no_grad():
        expected = reference_vit(model.backbone, image)
        assert torch.allclose(model.backbone(image, {}), expected, atol=1e-5)
        parts = model.backbone.run(model.backbone.embed(image, {}), {}, 0, 1)
        assert torch.allclose(model.backbone.run(parts, {}, 1), expected, atol=1e-5)
    assert expected.std() > 0.1


def reference_head(head: SmplHead, cfg: HeadConfig, context):
    """All queries, keys and values by torch's own attention, from the parameters by name."""
    p = {k.removeprefix("transformer."): v for k, v in head.state_dict().items()}

    def attend(query, key, value):
        split = [t.unflatten(2, (cfg.num_heads, -1)).transpose(1, 2) for t in (query, key, value)]
        return F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)

    zero = torch.zeros(len(context), 1, 1)
    x = F.linear(zero, p["to_token_embedding.weight"], p["to_token_embedding.bias"])
    x = x + p["pos_embedding"]
    for i in range(cfg.depth):
        for j in range(3):
            name = f"transformer.layers.{i}.{j}."
            y = F.layer_norm(x, (cfg.width,), p[name + "norm.weight"], p[name + "norm.bias"])
            if j == 2:
                y = F.gelu(F.linear(y, p[name + "fn.net.0.weight"], p[name + "fn.net.0.bias"]))
                x = x + F.linear(y, p[name + "fn.net.3.weight"], p[name + "fn.net.3.bias"])
                continue
            if j == 0:
                y = attend(*F.linear(y, p[name + "fn.to_qkv.weight"]).chunk(3, dim=2))
            else:
                key_value = F.linear(context, p[name + "fn.to_kv.weight"]).chunk(2, dim=2)
                y = attend(F.linear(y, p[name + "fn.to_q.weight"]), *key_value)
            x = x + F.linear(y, p[name + "fn.to_out.0.weight"], p[name + "fn.to_out.0.bias"])
    x = x[:, 0]
    parts = [("decpose", "init_body_pose"), ("decshape", "init_betas"), ("deccam", "init_cam")]
    return torch.cat([F.linear(x, p[f"{a}.weight"], p[f"{a}.bias"]) + p[b] for a, b in parts], 1)


def test_head_equals_plain_attention(model):
    context = torch.randn(3, SMALL.backbone.num_patches, SMALL.backbone.width) * 2
    answer = model.smpl_head(context, {})
    assert torch.allclose(answer, reference_head(model.smpl_head, SMALL.head, context), atol=1e-5)
    other = model.smpl_head(context.flip(0), {})
    assert (answer - other).abs().max() > 1e-3  # it does look at the tokens


def test_head_equals_plain_attention_at_full_size():
    torch.manual_seed(0)
    cfg = HeadConfig()
    head, context = SmplHead(cfg, 1280), torch.randn(1, 192, 1280)
    with torch.no_grad():
        assert torch.allclose(head(context, {}), reference_head(head, cfg, context), atol=1e-5)


def test_six_numbers_are_read_as_two_rows():
    # a1 = (0, 2, 0) -> (0, 1, 0); a2 = (-3, 5, 0) -> (-1, 0, 0); a3 = a1 x a2 = (0, 0, 1).
    quarter_turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    read = six_d_rows_to_matrix(torch.tensor([0.0, 2.0, 0.0, -3.0, 5.0, 0.0]))
    assert torch.allclose(read, quarter_turn, atol=1e-6)
    # Half a turn about x, the usual root: columns (1, 0, 0) and (0, -1, 0).
    half_turn = six_d_rows_to_matrix(torch.tensor([1.0, 0.0, 0.0, 0.0, -1.0, 0.0]))
    assert torch.allclose(half_turn, torch.diag(torch.tensor([1.0, -1.0, -1.0])), atol=1e-6)


def test_untrained_answer_stands_upright(body):
    torch.manual_seed(0)
    small = Model(SMALL)
    for layer in (small.smpl_head.decpose, small.smpl_head.decshape, small.smpl_head.deccam):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    crops = some_crops(1)
    answer = small.decode(small(small.encode(crops)), crops)
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    assert torch.allclose(answer.params.global_orient[0], upright, atol=1e-6)
    assert torch.allclose(answer.params.body_pose, torch.eye(3).expand(1, 23, 3, 3), atol=1e-6)


def test_camera_is_that_of_the_crop_seen_from_5000_px(model):
    # 4D-Humans: t = (tx, ty, 2 * 5000 / (256 s)), u = 5000 / 256 * 2 * (X + t)_xy / (X + t)_z in
    # crop coordinates. In the full frame the same point must fall onto the same crop coordinates.
    crops = replace(some_crops(1), focal_length_px=torch.tensor([5000.0 / 256.0 * 300.0]))
    crops = replace(crops, size_px=torch.tensor([300.0]), center_px=torch.tensor([[640.0, 360.0]]))
    raw = model(model.encode(crops))
    raw[:, -3:] = torch.tensor([0.8, 0.1, -0.2])
    answer = model.decode(raw, crops)
    point = torch.tensor([[[0.3, -0.5, 0.2]]])
    moved = point + torch.tensor([0.1, -0.2, 2 * 5000.0 / (256.0 * 0.8)])
    in_crop = 2 * 5000.0 / 256.0 * moved[..., :2] / moved[..., 2:]
    transl = camera.pred_cam_to_transl(answer.pred_cam, *crops.view)
    full = camera.project(point + transl[:, None], crops.focal_length_px, crops.image_size_px)
    assert torch.allclose((full - crops.center_px) / 150.0, in_crop, atol=1e-5)


def test_answer_is_turned_with_the_ray_to_the_crop(model):
    middle, side = some_crops(1), some_crops(1, center=(1100.0, 360.0))
    answers = [model.decode(model(model.encode(c)), c).params for c in (middle, side)]
    turn = camera.crop_view_rotation(side.center_px, side.image_size_px, side.focal_length_px)
    assert torch.allclose(turn @ answers[1].global_orient, answers[0].global_orient, atol=1e-5)
    assert torch.equal(answers[0].body_pose, answers[1].body_pose)


def test_from_a_picture_to_a_body(model, body):
    """A person of 240 x 90 px beside the middle; the box as the detector gives it."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (720, 1280, 3), np.uint8)
    box = torch.tensor([[900.0, 200.0, 990.0, 440.0]])
    crops = crop_people(
        box, torch.rand(1, 17, 3), torch.tensor([1468.0]), torch.tensor([[1280.0, 720.0]]),
        model.crop,
    )  # fmt: skip
    pixels = cut_out(picture, crops.center_px, crops.size_px, model.crop_size_px)
    crops = replace(crops, image=pixels)
    answer = model.decode(model(model.encode(crops)), crops)
    _, keypoints = body.joints_and_keypoints(answer.params)
    transl = camera.pred_cam_to_transl(answer.pred_cam, *crops.view)
    px = camera.project(keypoints + transl[:, None], crops.focal_length_px, crops.image_size_px)
    middle = px.mean(dim=1)[0]
    assert 850 < middle[0] < 1040 and 150 < middle[1] < 490
    assert 60 < px[0, :, 1].max() - px[0, :, 1].min() < 400


def test_only_the_middle_columns_are_looked_at(model):
    crops = some_crops()
    margin = (SIDE - SMALL.backbone.width_px) // 2
    assert crops.image is not None
    changed, inside = crops.image.clone(), crops.image.clone()
    changed[..., :margin] = 0
    changed[..., SIDE - margin :] = 0
    inside[..., margin] = 0
    same, other = (model(model.encode(replace(crops, image=i))) for i in (changed, inside))
    assert torch.equal(model(model.encode(crops)), same)
    assert not torch.equal(same, other)


def test_pixels_are_normalised_as_trained(model):
    grey = torch.full((1, 3, SIDE, SIDE), 255, dtype=torch.uint8)
    red, green, blue = model.normalised(grey)[0, :, 0, 0].tolist()
    assert red == pytest.approx((1 - 0.485) / 0.229, abs=1e-5)
    assert green == pytest.approx((1 - 0.456) / 0.224, abs=1e-5)
    assert blue == pytest.approx((1 - 0.406) / 0.225, abs=1e-5)

"""HMR: published checkpoints load, the network is theirs, its answer is turned right."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
import torch
import torchvision
from hmr_files import published_shapes, random_tensors, write_checkpoint
from safetensors.torch import save_file
from torch.func import functional_call

from eftvideo.errors import CheckpointMismatchError, ConfigError, UnsafeFileError
from eftvideo.fit import losses
from eftvideo.geometry import camera
from eftvideo.regressors.hmr import HmrConfig, Model
from eftvideo.types import Crops

SMALL = HmrConfig(depth=18, crop_size_px=64, width=16, hidden=128)


@pytest.fixture(scope="module")
def published():
    return random_tensors()


@pytest.fixture(scope="module")
def spin(published, tmp_path_factory):
    path = write_checkpoint(tmp_path_factory.mktemp("w") / "model_checkpoint.pt", published, "spin")
    return Model.from_weights(path)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return Model(SMALL).eval()


def crops_of(num=2, side=64, center=(400.0, 300.0), focal=1000.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Crops(
        keypoints=torch.rand(num, 17, 3, generator=generator),
        center_px=torch.tensor([center]).expand(num, 2),
        size_px=torch.full((num,), 200.0),
        focal_length_px=torch.full((num,), focal),
        image_size_px=torch.tensor([[800.0, 600.0]]).expand(num, 2),
        image=torch.randint(0, 256, (num, 3, side, side), dtype=torch.uint8, generator=generator),
    )


@pytest.mark.parametrize("kind", ["eft", "frankmocap"])
def test_published_files_load(published, tmp_path, kind):
    model = Model.from_weights(write_checkpoint(tmp_path / "hmr-eft.pt", published, kind))
    for name, value in model.state_dict().items():
        assert torch.equal(value, published[name]), name
    assert model.cfg.camera == "eft" and not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_spin_file_loads_with_its_camera(spin, published):
    assert spin.cfg.camera == "spin" and spin.cfg.body == "smpl"
    assert all(torch.equal(v, published[n]) for n, v in spin.state_dict().items())
    assert sum(p.numel() for p in spin.parameters()) == 26_977_501


def test_camera_can_be_said(published, tmp_path):
    path = write_checkpoint(tmp_path / "any.pt", published, "spin")
    assert Model.from_weights(path).cfg.camera == "eft"
    assert Model.from_weights(path, "spin").cfg.camera == "spin"


@pytest.mark.parametrize("key", ["layer3.5.conv2.weight", "decshape.bias", "init_pose"])
def test_a_changed_key_is_named(published, tmp_path, key):
    wrong = dict(published)
    wrong[key + "_"] = wrong.pop(key)
    path = write_checkpoint(tmp_path / "a.pt", wrong, "frankmocap")
    with pytest.raises(CheckpointMismatchError) as e:
        Model.from_weights(path)
    assert f"missing: {key};" in str(e.value) and f"unexpected: {key}_" in str(e.value)


class Hostile:
    """Runs a command when it is unpickled in the ordinary way."""

    def __reduce__(self):
        return os.mkdir, ("never",)


def test_code_in_a_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"w": torch.ones(1)}, "epoch": Hostile()}, tmp_path / "a.pt")
    with pytest.raises(UnsafeFileError, match=r"asks for \w+\.mkdir"):
        Model.from_weights(tmp_path / "a.pt")
    assert not (tmp_path / "never").exists()


def test_trunk_is_torchvisions(spin, published):
    reference = torchvision.models.resnet50()
    own = {name for name in published_shapes() if name.startswith(("conv1", "bn1", "layer"))}
    left = reference.load_state_dict({n: published[n] for n in own}, strict=False)
    assert set(left.missing_keys) == {"fc.weight", "fc.bias"} and not left.unexpected_keys
    reference.fc = torch.nn.Identity()  # type: ignore[assignment]
    crops = crops_of(2, 224)
    with torch.no_grad():
        want = reference.eval()(spin.normalised(crops.image))
        have = spin.encode(crops)
    assert have.shape == (2, 2048)
    assert (have - want).abs().max() < 1e-5 * want.abs().max()


def test_head_is_three_additive_steps(spin, published):
    x = torch.rand(2, 2048)
    state = torch.cat([published[n] for n in ("init_pose", "init_shape", "init_cam")], 1)
    state = state.repeat(2, 1)
    for _ in range(3):
        y = torch.cat([x, state], 1) @ published["fc1.weight"].T + published["fc1.bias"]
        y = y @ published["fc2.weight"].T + published["fc2.bias"]
        steps = [
            y @ published[f"{n}.weight"].T + published[f"{n}.bias"]
            for n in ("decpose", "decshape", "deccam")
        ]
        state = state + torch.cat(steps, 1)
    torch.testing.assert_close(spin(x), state, rtol=1e-4, atol=1e-4)


def test_pixels_are_normalised_as_imagenet(small):
    image = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    want = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    torch.testing.assert_close(small.normalised(image).flatten(), torch.tensor(want))


def raw_answer(six_d=None, cam=(0.9, 0.0, 0.0)):
    pose = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(24, 1)
    pose[0] = torch.tensor([1.0, 0, 0, -1, 0, 0])
    if six_d is not None:
        pose[4] = torch.tensor(six_d)
    return torch.cat([pose.flatten(), torch.zeros(10), torch.tensor(cam)])[None]


@pytest.mark.parametrize(
    ("six_d", "matrix"),
    [
        ([1.0, 0, 0, 1, 0, 0], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ([0.0, -1, 1, 0, 0, 0], [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),  # 90 degrees about z
        ([2.0, 1, 0, 3, 0, 0], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),  # Gram-Schmidt
        ([0.0, 0, 0, 2, 5, 0], [[0, 0, -1], [0, 1, 0], [1, 0, 0]]),  # a1 = z, a2 = y
    ],
)
def test_six_numbers_are_columns_one_in_two(small, six_d, matrix):
    answer = small.decode(raw_answer(six_d), crops_of(1))
    torch.testing.assert_close(answer.params.body_pose[0, 3], torch.tensor(matrix).float())


def test_mean_root_stands_upright_before_the_camera(small):
    answer = small.decode(raw_answer(), crops_of(1))
    torch.testing.assert_close(
        answer.params.global_orient[0], torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    )


POINT = (0.3, -0.5, 0.2)


@pytest.mark.parametrize(
    ("convention", "cam", "seen"),
    [
        ("spin", (0.8, 0.1, -0.2), (0.8 * (0.3 + 0.1), 0.8 * (-0.5 - 0.2))),
        ("eft", (0.8, 0.1, -0.2), (0.8 * 0.3 + 0.1, 0.8 * -0.5 - 0.2)),
    ],
)
def test_both_cameras_show_a_point_where_they_say(convention, cam, seen):
    model = Model(replace(SMALL, camera=convention)).eval()
    # So long a lens that the full frame's camera is all but orthographic.
    crops = crops_of(1, focal=1e5)
    answer = model.decode(raw_answer(cam=cam), crops)
    transl = camera.pred_cam_to_transl(answer.pred_cam, *crops.view)
    point = torch.tensor(POINT) + transl
    found = losses.project_to_crop(point[:, None], crops)[0, 0]
    torch.testing.assert_close(found, torch.tensor(seen), atol=2e-3, rtol=0)


def test_off_centre_people_are_turned_to_be_seen_alike(small):
    crops = crops_of(1, center=(700.0, 120.0))
    answer = small.decode(raw_answer(), crops)
    ray = torch.tensor([(700.0 - 400.0) / 1000.0, (120.0 - 300.0) / 1000.0, 1.0])
    forward = answer.params.global_orient[0] @ torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(forward, -ray / ray.norm())


@pytest.mark.parametrize("tune", ["all", "layer4+head", "head"])
def test_own_weights_are_each_rows_own(small, tune):
    crops = crops_of(3)
    encoded = small.encode(crops, tune)
    base = dict(small.named_parameters())
    names = small.tunable(tune)
    noise = torch.Generator().manual_seed(1)
    own = {
        n: base[n].detach() + 0.01 * torch.randn(3, *base[n].shape, generator=noise) for n in names
    }
    with torch.no_grad():
        together = small.forward_each(own, encoded)
        for i in range(3):
            alone = functional_call(small, {n: v[i] for n, v in own.items()}, encoded[i : i + 1])
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(small(encoded), small(small.encode(crops)))
    assert not torch.allclose(together, small(encoded))


def test_what_is_tuned(small):
    every = {n for n, _ in small.named_parameters()}
    norms = {n for n in every if ".bn" in n or n.startswith("bn1") or "downsample.1" in n}
    assert set(small.tunable("all")) == every - norms
    late = set(small.tunable("layer4+head"))
    assert {n for n in late if n.startswith("layer")} == {
        n for n in every - norms if n.startswith("layer4")
    }
    assert {n.split(".")[0] for n in small.tunable("head")} == {
        "fc1",
        "fc2",
        "decpose",
        "decshape",
        "deccam",
    }
    with pytest.raises(ConfigError, match="one of all, layer4"):
        small.tunable("norm+bias")


def test_own_file_comes_back(small, tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file(small.state_dict(), path, small.metadata())
    again = Model.from_weights(path)
    assert again.cfg == SMALL
    crops = crops_of(2)
    torch.testing.assert_close(again(again.encode(crops)), small(small.encode(crops)))
    wrong = {n: v for n, v in small.state_dict().items() if n != "fc2.bias"}
    save_file(wrong, path, small.metadata())
    with pytest.raises(CheckpointMismatchError, match=r"missing: fc2\.bias"):
        Model.from_weights(path)
    save_file(wrong, path, small.metadata() | {"architecture": "eftvideo.lifter"})
    with pytest.raises(CheckpointMismatchError, match="not an HMR checkpoint"):
        Model.from_weights(path)
    assert json.loads(small.metadata()["config"])["depth"] == 18


def test_impossible_networks_are_refused():
    with pytest.raises(ConfigError, match="no HMR network"):
        HmrConfig(depth=51)

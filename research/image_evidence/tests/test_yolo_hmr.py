"""HMR on the detector's network: the trunk is theirs, EFT tunes what follows, files come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.func import functional_call
from typer.testing import CliRunner

from eftvideo.cli.app import app
from eftvideo.errors import CheckpointMismatchError, ConfigError
from eftvideo.fit.answer import answer
from eftvideo.regressors import hmr
from eftvideo.results.result_file import load_result
from eftvideo.types import FITTED
from research.image_evidence import train_image_regressor, trunk_features
from research.image_evidence.yolo_hmr import Model, YoloHmrConfig
from research.image_evidence.yolo_trunk import NUM_KEYPOINTS, WIDTHS
from tests.eft_people import fit_cold
from tests.pixel_people import UNTRAINED_EFT, two_people, untrained

SMALL = YoloHmrConfig(
    crop_size_px=128, per_keypoint=4, per_cell=2, width=32, hidden=32, num_blocks=1, head=128
)
CFG = UNTRAINED_EFT


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = Model(SMALL).eval().requires_grad_(False)
    trunk_features.fill_trunk(made.trunk)
    return made


@pytest.fixture(scope="module")
def crops(finished):
    return two_people(finished, 128)


@pytest.fixture(scope="module")
def own_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(model.state_dict(), path, model.metadata())
    return path


def test_trunk_is_the_detectors(model, crops):
    network = trunk_features.detector_network()
    seen = []
    hook = network[-1].register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))
    image = crops.image.float() / 255.0
    kept = {}
    with torch.no_grad():
        x = image
        for i, layer in enumerate(network):
            before = x if layer.f == -1 else [x if j == -1 else kept[j] for j in layer.f]
            kept[i] = x = layer(before)
        maps = model.trunk(image)
        scores, told = model.trunk.cells(maps)
    hook.remove()
    assert [m.shape[1] for m in maps] == list(WIDTHS)
    for own, theirs in zip(maps, seen, strict=True):
        torch.testing.assert_close(own, theirs, atol=1e-4, rtol=0)
    answer = x[0][:, :, -scores.shape[1] :].mT  # the finest map's cells come first
    torch.testing.assert_close(scores.sigmoid(), answer[..., 4], atol=1e-4, rtol=0)
    theirs = answer[..., 5:].unflatten(2, (NUM_KEYPOINTS, 3))
    torch.testing.assert_close(told[..., :2], theirs[..., :2] / 64.0 - 1.0, atol=1e-4, rtol=0)
    torch.testing.assert_close(told[..., 2].sigmoid(), theirs[..., 2], atol=1e-4, rtol=0)


def test_the_person_in_the_middle_is_looked_at(model, crops):
    """Keypoints that the trunk says of a crop are those that were detected in the whole frame."""
    said = model.look(crops.image)[:, : 3 * NUM_KEYPOINTS].unflatten(1, (NUM_KEYPOINTS, 3))
    sure = crops.keypoints[..., 2] > 0.6
    far = (said[..., :2] - crops.keypoints[..., :2]).norm(dim=-1)[sure]
    assert sure.sum() > 20 and far.median() < 0.05 and (said[..., 2][sure] > 0.3).all()


@pytest.mark.parametrize("tune", ["head", "neck+head"])
def test_error_falls_below_the_threshold_and_a_batch_is_one_by_one(model, body, crops, tune):
    cfg = replace(CFG, tune=tune)
    setup = untrained(model, body, cfg)
    before = {n: v.clone() for n, v in model.state_dict().items()}
    own = answer(crops, setup)
    both = fit_cold(setup, crops)
    assert (own.loss_px > 15.0).all() and (both.status == FITTED).all()
    assert (both.loss_px <= cfg.threshold_px).all() and (both.num_steps < cfg.num_steps).all()
    for i in range(2):
        alone = fit_cold(setup, crops.select(torch.tensor([i])))
        assert alone.loss_px.item() == pytest.approx(both.loss_px[i].item(), abs=0.05)
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


@pytest.mark.parametrize("tune", ["head", "neck+head"])
def test_own_weights_are_each_rows_own(model, crops, tune):
    encoded = model.encode(crops, tune)
    base = dict(model.named_parameters())
    noise = torch.Generator().manual_seed(1)
    own = {
        n: base[n] + 0.05 * torch.randn(2, *base[n].shape, generator=noise)
        for n in model.tunable(tune)
    }
    together = model.forward_each(own, encoded)
    for i in range(2):
        alone = functional_call(model, {n: v[i] for n, v in own.items()}, encoded[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model(encoded), model(model.encode(crops)))
    assert not torch.allclose(together, model(encoded))


def test_the_trunk_runs_once(model, body, crops, monkeypatch):
    calls = []
    plain = model.trunk.forward
    monkeypatch.setattr(model.trunk, "forward", lambda image: calls.append(1) or plain(image))
    fit_cold(untrained(model, body, replace(CFG, num_steps=3)), crops)
    assert len(calls) == 1
    assert not any(name.startswith("trunk") for name in model.tunable("neck+head"))
    with pytest.raises(ConfigError, match="tune must be one of head, neck"):
        model.tunable("all")


def test_own_file_comes_back(model, own_file, crops, tmp_path):
    again = Model.from_weights(own_file)
    assert isinstance(again, Model) and again.cfg == SMALL and not again.training
    torch.testing.assert_close(again(again.encode(crops)), model(model.encode(crops)))
    wrong = {n: v for n, v in model.state_dict().items() if n != "stem.bias"}
    save_file(wrong, tmp_path / "a.safetensors", model.metadata())
    with pytest.raises(CheckpointMismatchError, match=r"missing: stem\.bias"):
        Model.from_weights(tmp_path / "a.safetensors")
    save_file(wrong, tmp_path / "b.safetensors", {"architecture": "eftvideo.hmr"})
    with pytest.raises(CheckpointMismatchError, match=r"not for HMR on YOLO11n-pose .*\.hmr'"):
        Model.from_weights(tmp_path / "b.safetensors")
    with pytest.raises(CheckpointMismatchError, match="not an HMR checkpoint"):
        hmr.Model.from_weights(own_file)
    with pytest.raises(ConfigError, match="no HMR network"):
        YoloHmrConfig(crop_size_px=100)


def test_command_line(tiny_clip, tmp_path, own_file):
    words = ["run", str(tiny_clip), "--no-overlay", "-q", "--end", "0.15"]
    words += ["--set", "fit.eft.num_steps=2"]
    words += ["--regressor", Model.__module__, "--weights", str(own_file), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    result = load_result(tmp_path / f"{tiny_clip.stem}.npz")
    assert len(result.frame) >= 6 and np.isfinite(result.transl).all()
    assert result.config["fit"]["eft"]["tune"] == "head"
    assert result.config["fit"]["eft"]["learning_rate"] == Model.rates["head"]


def test_people_without_pictures_are_pictures_of_which_nothing_stands_out(model, crops):
    """Features that are everywhere the mean ones say nothing; keypoints do."""
    told = 3 * NUM_KEYPOINTS
    nothing = torch.cat([model.mean.repeat(NUM_KEYPOINTS), model.mean[-WIDTHS[-1] :].repeat(16)])
    evidence = model.encode(crops, "neck+head")
    plain = torch.cat([crops.keypoints.flatten(1), nothing.expand(2, -1), evidence[:, -3:]], dim=1)
    assert told + len(nothing) + 3 == evidence.shape[1]
    blind = train_image_regressor.blind_features(model, crops)
    torch.testing.assert_close(blind, model.neck(plain, {}))
    assert not torch.allclose(blind[0], blind[1])

"""EFT through a network that sees pixels, on crops of the example clip: all of it, or its end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hmr_files import random_tensors, write_checkpoint
from safetensors.torch import save_file
from typer.testing import CliRunner

from eftvideo.bodies import load_body
from eftvideo.cli.app import app
from eftvideo.config import PUBLISHED_EFT, CropConfig, EftConfig, RunConfig
from eftvideo.errors import ConfigError
from eftvideo.fit.answer import answer
from eftvideo.fit.eft import memory
from eftvideo.fit.eft.tuned_weights import Weights
from eftvideo.regressors import _load as networks
from eftvideo.regressors._pose_only import PoseOnly
from eftvideo.regressors.hmr import HmrConfig, Model
from eftvideo.regressors.lifter import Model as Lifter
from eftvideo.results.result_file import load_result
from eftvideo.types import FITTED
from eftvideo.weights.locate import resolve
from tests.eft_people import fit_cold, setup_of
from tests.pixel_people import UNTRAINED_EFT, two_people, untrained

SMALL = HmrConfig(depth=18, crop_size_px=64, body="neutral", width=16, hidden=128)
RATES = {"all": 1e-3, "layer4+head": 1e-3, "head": 1e-3}
CFG = replace(UNTRAINED_EFT, tune="head", learning_rate=5e-4)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Model(SMALL).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def crops(finished):
    return two_people(finished, 64)


@pytest.mark.parametrize("tune", RATES)
def test_error_falls_below_the_threshold_and_a_batch_is_one_by_one(model, body, crops, tune):
    cfg = replace(CFG, tune=tune, learning_rate=RATES[tune])
    before = {n: v.clone() for n, v in model.state_dict().items()}
    setup = untrained(model, body, cfg)
    own = answer(crops, setup)
    both = fit_cold(setup, crops)
    assert (own.loss_px > 15.0).all() and (both.status == FITTED).all()
    assert (both.loss_px <= cfg.threshold_px).all() and (both.num_steps < cfg.num_steps).all()
    for i in range(2):
        alone = fit_cold(setup, crops.select(torch.tensor([i])))
        assert alone.loss_px.item() == pytest.approx(both.loss_px[i].item(), abs=0.05)
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_what_is_frozen_runs_once(model, body, crops, monkeypatch):
    seen: dict[str, int] = {}
    for name in ("until_layer3", "from_layer4"):
        plain = getattr(model, name)

        def counted(x, own, name=name, plain=plain):
            seen[name] = seen.get(name, 0) + 1
            return plain(x, own)

        monkeypatch.setattr(model, name, counted)
    # The own answer, five steps, a last look, and once to measure what the backward pass keeps.
    for tune, wanted in (("head", (1, 1)), ("layer4+head", (1, 8)), ("all", (8, 8))):
        seen.clear()
        cfg = replace(CFG, tune=tune, learning_rate=1e-5, num_steps=5, threshold_px=0.0)
        fit_cold(untrained(model, body, cfg), crops)
        assert (seen["until_layer3"], seen["from_layer4"]) == wanted, tune


def test_batch_norm_and_dropout_stay_as_they_are(model, body, crops):
    encoded = model.encode(crops, "all")
    weights = Weights(model, "all")
    theta = weights.base.repeat(2, 1)
    assert torch.equal(weights.forward(theta, encoded), weights.forward(theta, encoded))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(not m.training and not m.num_batches_tracked for m in norms)


def test_the_regressor_says_what_is_tuned_by_default(model, body):
    lifter = Lifter.from_weights(resolve(Lifter.spec))

    def eft(cfg, network=model):
        return setup_of(network, body, cfg).cfg.fit.eft

    assert eft(EftConfig(), lifter).tune == "head"
    assert eft(EftConfig()).tune == "head"
    assert eft(EftConfig(tune="all")).learning_rate == model.rates["all"]
    assert eft(PUBLISHED_EFT) == PUBLISHED_EFT
    assert eft(replace(PUBLISHED_EFT, learning_rate=1e-4)).learning_rate == 1e-4
    for network in (lifter, model):
        assert all(network.tunable(which) for which in network.rates)
    with pytest.raises(ConfigError, match="tune must be one of all"):
        eft(EftConfig(tune="norm+bias"))


def test_the_regressor_says_how_crops_lie_unless_somebody_else_does(body):
    network, own = Model(SMALL), CropConfig(box_scale=1.5)
    network.crop = CropConfig(width_factor=2.0)
    assert setup_of(network, body).cfg.fit.crop == network.crop
    assert setup_of(network, body, crop=own).cfg.fit.crop == own


MEASURE = """
import sys, threading, time, torch
from eftvideo.fit.eft import memory
from eftvideo.fit.eft.tuned_weights import Weights
from eftvideo.fit.optimizer import Adam
from eftvideo.regressors.hmr import HmrConfig, Model
torch.set_num_threads(1)
model = Model(HmrConfig(depth=18, crop_size_px=64, width=32)).eval().requires_grad_(False)
weights, num = Weights(model, sys.argv[1]), int(sys.argv[2])
pixels = torch.zeros(num, 3, 64, 64, dtype=torch.uint8)
class Crops: image = pixels
encoded = model.encode(Crops, sys.argv[1])
each = memory.bytes_per_person(weights, encoded[:1])
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before, most = resident(), [0]
def watch():
    while True:
        most[0] = max(most[0], resident())
        time.sleep(0.001)
threading.Thread(target=watch, daemon=True).start()
theta = weights.base.repeat(num, 1)
zeros = torch.zeros(num, dtype=torch.int64)
adam = Adam(torch.zeros_like(theta), torch.zeros_like(theta), zeros)
best = theta.clone()
rows = torch.arange(num)
def step():
    leaves = weights.parts(theta[rows])
    gradients = torch.autograd.grad(weights.forward(leaves, encoded).square().sum(), leaves)
    adam.step(theta, gradients, rows, 1e-4, 0.0, weights.base)
for _ in range(2):
    step()
    best[rows] = theta[rows]
print(num * each, most[0] - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is resident")
@pytest.mark.parametrize(("tune", "num"), [("head", 12), ("all", 6)])
def test_memory_is_as_predicted(tune, num):
    env = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    words = [sys.executable, "-c", MEASURE, tune, str(num)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
    predicted, measured = map(int, done.stdout.split())
    assert 0.8 * predicted < measured < 1.35 * predicted, (predicted, measured)


def test_people_are_tuned_in_chunks_that_fit(model, body, crops, monkeypatch, caplog):
    cfg = replace(CFG, tune="head", num_steps=3)
    weights = Weights(model, "head")
    each = memory.bytes_per_person(weights, model.encode(crops, "head")[:1])
    assert each > 6 * 4 * weights.base.numel()
    together = fit_cold(untrained(model, body, cfg), crops)
    monkeypatch.setattr(memory, "free_bytes", lambda device: int(1.9 * each))
    with caplog.at_level("INFO", "eftvideo"):
        chunks = fit_cold(untrained(model, body, cfg), crops)
    assert "1 of 2 people are tuned at once" in caplog.text
    assert torch.allclose(together.loss_px, chunks.loss_px, atol=1e-2)


def test_smpl_betas_are_not_taken_for_ours(tmp_path, body, crops, caplog, monkeypatch):
    monkeypatch.setenv("EFTVIDEO_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = write_checkpoint(tmp_path / "hmr-eft.pt", random_tensors(), "eft")
    regressor = networks.load_regressor(RunConfig(regressor="hmr"), "cpu", body)
    assert isinstance(regressor, PoseOnly) and "shapes come from the keypoints" in caplog.text
    assert networks.regressor_file(RunConfig(regressor="hmr")) == path
    named = RunConfig(regressor="hmr", regressor_weights="hmr-eft", weights_camera="spin")
    assert networks.regressor_file(named) == path
    assert networks.load_regressor(named, "cpu", body).inner.cfg.camera == "spin"  # type: ignore
    with pytest.raises(ConfigError, match="no camera 'smplx': choose one of spin, eft"):
        networks.load_regressor(replace(named, weights_camera="smplx"), "cpu", body)
    with pytest.raises(ConfigError, match="leave the setting out"):
        networks.load_regressor(RunConfig(weights_camera="spin"), "cpu", body)


def test_shape_of_a_pose_only_network_is_found_by_the_fit(model, body, crops):
    smpl = Model(replace(SMALL, body="smpl")).eval().requires_grad_(False)
    smpl.load_state_dict(model.state_dict())
    lifter = Lifter.from_weights(resolve(Lifter.spec))
    regressor = PoseOnly(smpl, lifter).eval()
    setup = untrained(regressor, body, replace(CFG, learning_rate=None), max_loss_px=1e3)
    own = answer(crops, setup)
    plain = answer(crops, untrained(model, body))
    assert (own.prediction.params.betas == 0).all()
    assert torch.equal(own.prediction.params.body_pose, plain.prediction.params.body_pose)
    fit = fit_cold(setup, crops)
    assert (fit.loss_px < own.loss_px).all()
    assert (fit.prediction.params.betas.abs().amax(1) > 0.01).any()
    assert regressor.shape_source is lifter


def test_command_line(tiny_clip, tmp_path, model):
    path = tmp_path / "small.safetensors"
    save_file(model.state_dict(), path, model.metadata())
    words = ["run", str(tiny_clip), "--no-overlay", "-q", "--end", "0.15"]
    words += ["--set", "fit.eft.num_steps=2"]
    words += ["--regressor", "hmr", "--weights", str(path), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, [*words, "--set", "fit.eft.tune=head"])
    assert done.exit_code == 0, done.output
    result = load_result(tmp_path / f"{tiny_clip.stem}.npz")
    assert len(result.frame) >= 6 and np.isfinite(result.transl).all()
    assert result.config["fit"]["eft"]["tune"] == "head"
    assert result.config["fit"]["eft"]["learning_rate"] == model.rates["head"]
    assert result.config["fit"]["crop"]["box_scale"] == CropConfig().box_scale
    done = CliRunner().invoke(app, [*words, "--preset", "published"])
    assert done.exit_code == 0, done.output
    config = load_result(tmp_path / f"{tiny_clip.stem}.npz").config
    assert config["fit"]["eft"]["tune"] == "all"
    assert config["fit"]["eft"]["learning_rate"] == 5e-6
    assert config["fit"]["warm_start"] is False
    failed = CliRunner().invoke(app, [*words, "--set", "fit.eft.tune=norm+bias"])
    assert failed.exit_code == 2 and "tune must be one of all" in failed.output


@pytest.mark.parametrize("method", ["regress", "smplify"])
def test_other_methods_see_pixels_too(tiny_clip, tmp_path, model, method):
    path = tmp_path / "small.safetensors"
    save_file(model.state_dict(), path, model.metadata())
    words = ["run", str(tiny_clip), "--no-overlay", "-q", "--end", "0.15", "--method", method]
    words += ["--regressor", "hmr", "--weights", str(path), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert len(load_result(tmp_path / f"{tiny_clip.stem}.npz").frame) >= 6

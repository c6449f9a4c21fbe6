"""HMR 2.0 tuned: what is frozen, weights of each row, the command line, EFT through it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hmr2_files import SMALL, random_tensors, some_crops, write_checkpoint
from typer.testing import CliRunner

from eftvideo.cli.app import app
from eftvideo.config import AcceptConfig, EftConfig
from eftvideo.errors import ConfigError
from eftvideo.fit.answer import answer
from eftvideo.geometry import camera
from eftvideo.regressors.hmr2 import Model
from eftvideo.results.result_file import load_result
from tests.eft_people import fit_cold, setup_of

TUNE = tuple(Model.rates)


@pytest.fixture(scope="module")
def model():
    small = Model(SMALL)
    small.load_state_dict(random_tensors())
    return small.eval().requires_grad_(False)


@pytest.mark.parametrize("tune", TUNE)
def test_frozen_part_is_computed_before(model, tune):
    crops = some_crops()
    whole = model(crops.image)
    assert torch.allclose(model(model.encode(crops)), whole, atol=1e-5)
    encoded = model.encode(crops, tune)
    assert torch.allclose(model(encoded), whole, atol=1e-5)
    names = set(model.tunable(tune))
    trained = Model(SMALL)
    trained.load_state_dict(model.state_dict())
    trained(encoded).square().sum().backward()
    reached = {n for n, p in trained.named_parameters() if p.grad is not None}
    assert names and names <= reached


@pytest.mark.parametrize("tune", TUNE)
def test_each_row_has_its_own_weights(model, tune):
    """Against as many networks, each with one row's weights, one after the other."""
    crops, names = some_crops(), model.tunable(tune)
    encoded, state = model.encode(crops, tune), model.state_dict()
    g = torch.Generator().manual_seed(1)
    noise = {n: 0.02 * torch.randn(3, *state[n].shape, generator=g) for n in names}
    own = {n: (state[n] + noise[n]).requires_grad_() for n in names}
    each = model.forward_each(own, encoded)
    each.square().sum().backward()
    for i in range(3):
        alone = Model(SMALL)
        alone.load_state_dict(state | {n: v[i].detach() for n, v in own.items()})
        answer = alone(encoded[i : i + 1])
        answer.square().sum().backward()
        assert torch.allclose(each[i], answer[0], atol=1e-4)
        for n, p in alone.named_parameters():
            if n in own:
                mine, plain = own[n].grad, p.grad
                assert mine is not None and plain is not None
                assert torch.allclose(mine[i], plain, atol=2e-3), n
    assert (each[0] - model(encoded)[0]).abs().max() > 1e-3


def test_command_line(tiny_clip, tmp_path, monkeypatch):
    """From pixels of a clip to a result, with a small network in the place of the published one."""
    monkeypatch.setattr("eftvideo.regressors.hmr2.Hmr2Config", lambda: SMALL)
    path = write_checkpoint(tmp_path / "small.ckpt", random_tensors(), monkeypatch)
    words = ["run", str(tiny_clip), "-o", str(tmp_path), "--no-overlay", "-q", "--end", "0.1"]
    words += ["--regressor", "hmr2", "--weights", str(path), "--set", "fit.eft.num_steps=2"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    result = load_result(tmp_path / f"{tiny_clip.stem}.npz")
    assert len(result.frame) >= 4 and np.isfinite(result.transl).all()
    # The network's crops: the box, widened for its upright part.
    assert result.config["fit"]["crop"]["width_factor"] == pytest.approx(4 / 3)
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(path.read_bytes()[:-2000])
    words[words.index(str(path))] = str(damaged)
    failed = CliRunner().invoke(app, words)
    assert failed.exit_code == 2 and "damaged.ckpt" in failed.output
    assert failed.output.count("\n") == 1


def test_unknown_tune_names_the_choices(model):
    for call in (lambda: model.tunable("layer4+head"), lambda: model.encode(some_crops(), "x")):
        with pytest.raises(ConfigError, match="readout, head, blocks"):
            call()


@pytest.mark.parametrize(("tune", "rate"), [("norm+bias", 5e-3), ("head", 2e-3), ("all", 2e-3)])
def test_eft_lowers_the_error_and_a_batch_is_one_by_one(model, body, tune, rate):
    crops = some_crops(2)
    # These people stand otherwise than the network says, by some degrees in every joint.
    raw = model(model.encode(crops))
    noise = 0.15 * torch.randn(raw.shape, generator=torch.Generator().manual_seed(2))
    wanted = model.decode(raw + noise, crops)
    _, target = body.joints_and_keypoints(wanted.params)
    transl = camera.pred_cam_to_transl(wanted.pred_cam, *crops.view)
    px = camera.project(target + transl[:, None], crops.focal_length_px, crops.image_size_px)
    xy = (px - crops.center_px[:, None]) / (crops.size_px / 2)[:, None, None]
    crops = replace(crops, keypoints=torch.cat([xy, torch.ones(2, 17, 1)], dim=2))
    cfg = EftConfig(
        tune=tune, learning_rate=rate, num_steps=25, threshold_px=0.1, stall_steps=25,
        warm_stall_steps=25, stay_weight=0.0, robust_px=12.0,
    )  # fmt: skip
    accept = AcceptConfig(max_pose_change_rad=3.2, max_abs_beta=50.0)
    setup = setup_of(model, body, cfg, accept=accept)
    own, both = answer(crops, setup), fit_cold(setup, crops)
    assert (own.loss_px > 8.0).all() and (both.loss_px < 0.4 * own.loss_px).all()
    for i in range(2):
        part = crops.select(torch.tensor([i]))
        alone = fit_cold(setup, part)
        assert torch.allclose(alone.loss_px, both.loss_px[i : i + 1], atol=0.05)

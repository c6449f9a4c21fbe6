"""Training: the loss falls, an interrupted run goes on, the file loads."""

from dataclasses import replace

import pytest
import torch

from eftvideo.errors import ConfigError
from eftvideo.regressors.lifter import LifterConfig, Model
from eftvideo.train import lifter as train
from tests.pose_library import write_library

SMALL = LifterConfig(width=64, hidden=64, num_blocks=1, context_offsets_s=(-0.1, 0.1))


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    poses = write_library(folder / "poses.npz", num_clips=60)
    return train.TrainConfig(
        poses=poses,
        out=folder / "run",
        num_steps=24,
        batch_size=32,
        eval_every=12,
        save_every=12,
        lifter=SMALL,
        num_workers=1,
    )


def curve(cfg):
    return (cfg.out / "curve.csv").read_text().splitlines()


def test_training_writes_weights_that_load_and_resumes(cfg):
    half = replace(cfg, num_steps=12)
    train.train_lifter(half)
    first = torch.load(cfg.out / "checkpoint.pt", weights_only=True)
    path = train.train_lifter(cfg)
    second = torch.load(cfg.out / "checkpoint.pt", weights_only=True)
    assert (first["step"], second["step"]) == (12, 24)
    assert [row.split(",")[0] for row in curve(cfg)] == ["step", "12", "24"]
    assert Model.from_weights(path).cfg == SMALL


def test_loss_falls(cfg):
    from eftvideo.bodies import load_body

    body, model = load_body(), Model(SMALL)
    batch = next(iter(train.Examples(cfg, 0)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    values = [train._step(model, body, batch, optimizer, cfg)["points"] for _ in range(40)]
    assert values[-1] < 0.6 * values[0]


def test_a_perfect_answer_has_no_loss(cfg):
    from eftvideo.bodies import load_body
    from eftvideo.geometry.camera import transl_to_pred_cam
    from eftvideo.regressors.lifter import PELVIS_REST_M
    from eftvideo.types import Prediction, SmplParams

    crops, truth = next(iter(train.Examples(cfg, 0)))
    transl = truth.pelvis - torch.tensor(PELVIS_REST_M)
    cam = transl_to_pred_cam(
        transl, crops.center_px, crops.size_px, crops.image_size_px, crops.focal_length_px
    )
    rotations = truth.rotations
    answer = Prediction(SmplParams(rotations[:, 0], rotations[:, 1:], truth.betas), cam)
    terms = train.losses(Model(SMALL), load_body(), answer, crops, truth)
    assert all(v.item() < 3e-3 for v in terms.values()), terms


def test_no_library_is_a_clear_error(cfg, tmp_path):
    with pytest.raises(ConfigError, match="--poses"):
        train.train_lifter(replace(cfg, poses=tmp_path / "none.npz", out=tmp_path / "o"))


def test_training_can_start_from_weights(cfg, tmp_path):
    first = train.train_lifter(replace(cfg, num_steps=12))
    start = Model.from_weights(first).state_dict()
    path = train.train_lifter(
        replace(cfg, out=tmp_path, num_steps=1, learning_rate=0.0, init=first)
    )
    for name, value in Model.from_weights(path).state_dict().items():
        assert torch.equal(value, start[name]), name
    with pytest.raises(ConfigError, match="another network"):
        train.train_lifter(replace(cfg, out=tmp_path / "x", lifter=LifterConfig(), init=first))

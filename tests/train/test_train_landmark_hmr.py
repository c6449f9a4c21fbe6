"""Training of `landmark_hmr`: files of looks, regions by lot, the loss falls, it goes on."""

from dataclasses import replace

import pytest
import torch

from eftvideo.errors import ConfigError
from eftvideo.regressors._upright import Regions
from eftvideo.regressors.landmark_hmr import LandmarkHmrConfig, Model
from eftvideo.train import landmark_hmr as train
from eftvideo.train.looked import People, read_people
from tests.pose_library import write_library

SMALL = LandmarkHmrConfig(width=48, hidden=48, num_blocks=1, head=32)


@pytest.fixture(scope="module")
def cfg(tmp_path_factory, body):
    folder = tmp_path_factory.mktemp("hmr")
    poses = write_library(folder / "poses.npz", num_clips=60)
    made_up = train.MadeUp(poses, body)
    for name in ("train_0000", "train_0001", "test_0000"):
        g = torch.Generator().manual_seed(len(name) + int(name[-1]))
        told, people = made_up.draw(16, g)
        features = torch.nn.functional.pad(told, (0, 1152 - told.shape[1])).half()
        replace(people, features=features).write(folder / f"{name}.npz")
    return train.TrainConfig(
        poses, folder, folder / "run", num_steps=8, batch_size=16, num_made_up=8, network=SMALL
    )


def test_shards_are_read_as_they_were_written(cfg, body):
    everybody = read_people(cfg.looks, "train_*.npz")
    assert len(everybody) == 32 and everybody.features.dtype == torch.float16
    some = everybody.select(torch.tensor([3, 20]))
    some.write(cfg.looks / "again_0000.npz")
    again = read_people(cfg.looks, "again_*.npz")
    assert torch.equal(again.features, some.features)
    assert torch.equal(again.truth.points, some.truth.points)
    assert torch.equal(again.crops.size_px, some.regions.side_px)
    assert People.cat([again, everybody]).truth.betas.shape == (34, 10)
    with pytest.raises(ConfigError, match="other_"):
        read_people(cfg.looks, "other_*.npz")


def test_regions_by_lot_stay_near():
    num = 4000
    plain = Regions(torch.zeros(num, 2), torch.full((num,), 100.0), torch.zeros(num))
    varied = train.varied(plain, torch.Generator().manual_seed(0))
    assert 2.5 < float(varied.center_px.std()) < 3.5
    assert float((varied.side_px / 100.0).log().std()) == pytest.approx(train.GROWN, rel=0.1)
    far = (varied.angle_rad.abs() > 4 * train.TURNED_RAD).float().mean()
    assert 0.02 < float(far) < train.FAR_SHARE


def test_a_perfect_answer_has_no_error(cfg, body):
    people = read_people(cfg.looks, "test_*.npz")
    model = Model(SMALL)
    crops, truth = people.crops, people.truth
    raw = torch.zeros(len(people), 157)
    view = people.regions.roll @ train_view(people)
    turns = torch.cat([(view @ truth.rotations[:, 0])[:, None], truth.rotations[:, 1:]], dim=1)
    raw[:, :144] = turns[..., :2].flatten(1)
    raw[:, 144:154] = truth.betas
    seen = (view @ truth.pelvis[..., None])[..., 0]
    per_metre = 2.0 * people.focal_length_px / (view[:, 2, 2] * people.regions.side_px)
    raw[:, 154:] = torch.cat([-(seen[:, 2:] / per_metre[:, None]).log(), seen[:, :2]], dim=1)
    answer = model.placed(raw, people.regions, crops)
    assert torch.allclose(answer.params.body_pose, truth.rotations[:, 1:], atol=1e-4)
    terms = train.losses(model, body, answer, crops, truth)
    assert all(float(v) < 2e-3 for v in terms.values()), terms


def train_view(people):
    """(N, 3, 3) turns of cameras that look straight at the regions."""
    from eftvideo.geometry.camera import crop_view_rotation

    at = people.regions.center_px, people.image_size_px, people.focal_length_px
    return crop_view_rotation(*at)


def test_training_stops_goes_on_and_writes_weights_that_load(cfg):
    whole = train.Trainer(replace(cfg, out=cfg.out / "whole")).run()
    half = train.Trainer(cfg)
    for _ in range(4):
        half._step()
        half.step += 1
    half._save()
    path = train.Trainer(cfg).run()
    one, other = (Model.from_weights(p) for p in (whole, path))
    assert one.cfg == SMALL
    for name, value in one.own_state().items():
        assert torch.allclose(value, other.own_state()[name], atol=2e-3), name


def test_the_loss_falls(cfg):
    trainer = train.Trainer(replace(cfg, out=cfg.out / "falls", learning_rate=5e-3, num_steps=200))
    losses = []
    for _ in range(40):
        losses.append(trainer._step())
        trainer.step += 1
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_without_looks_one_is_told_how_to_make_them(cfg, tmp_path):
    with pytest.raises(ConfigError, match="draw_looks"):
        train.Trainer(replace(cfg, looks=tmp_path, out=tmp_path / "run"))

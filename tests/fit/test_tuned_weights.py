"""Weights of each person's own, and Adam over the rows."""

import pytest
import torch

from eftvideo.config import EftConfig
from eftvideo.errors import ConfigError
from eftvideo.fit.eft.tuned_weights import Weights
from eftvideo.fit.optimizer import Adam
from eftvideo.regressors._protocol import RegressorModule

CFG = EftConfig(threshold_px=0.5, stall_steps=50, warm_stall_steps=50)


def test_adam_is_torchs_adam_row_by_row():
    g = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(2, 5, generator=g), torch.randn(4, 2, 5, generator=g)
    leaf = start.clone().requires_grad_()
    reference = torch.optim.Adam([leaf], lr=0.1)
    ours = start.clone()
    adam = Adam(torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64))
    rows = torch.arange(2)
    for gradient in gradients:
        leaf.grad = gradient.clone()
        reference.step()
        adam.step(ours, gradient, rows, 0.1, 0.0, start)
    assert torch.allclose(ours, leaf.detach(), atol=1e-5)
    before = ours.clone()
    adam.step(ours, gradients[0], rows, 0.0, 0.25, torch.zeros(5))
    assert torch.allclose(ours, 0.75 * before)


def test_adam_of_all_rows_moves_those_that_move():
    g = torch.Generator().manual_seed(0)
    theta, base = torch.randn(4, 6, generator=g), torch.randn(6, generator=g)
    one, other = (
        Adam(torch.zeros(4, 6), torch.zeros(4, 6), torch.zeros(4, dtype=torch.int64))
        for _ in range(2)
    )
    by_rows, in_place = theta.clone(), theta.clone()
    for moving in ([0, 1, 3], [0, 3], [0, 1, 3]):
        gradient = torch.randn(4, 6, generator=g)
        rows = torch.tensor(moving)
        one.step(by_rows, gradient[rows], rows, 0.1, 0.2, base)
        mask = torch.zeros(4, dtype=torch.bool)
        mask[rows] = True
        other.step_all(in_place, gradient.split([4, 2], dim=1), mask, 0.1, 0.2, base)
    torch.testing.assert_close(in_place, by_rows)
    assert torch.equal(in_place[2], theta[2])
    assert one.count.tolist() == other.count.tolist() == [3, 2, 0, 3]
    torch.testing.assert_close(other.first, one.first)
    torch.testing.assert_close(other.second, one.second)


@pytest.mark.parametrize("which", ["all", "norm+bias", "late", "last", "head"])
def test_stacked_weights_run_each_persons_own_network(regressor, which):
    weights = Weights(regressor, which)
    g = torch.Generator().manual_seed(0)
    encoded = torch.randn(3, 2, regressor.stem.in_features, generator=g)
    theta = weights.base.repeat(3, 1)
    assert torch.allclose(weights.forward(theta, encoded), regressor.forward(encoded), atol=1e-4)
    theta[1] += 0.05
    moved = weights.forward(theta, encoded)
    plain = regressor.forward(encoded)
    assert torch.allclose(moved[[0, 2]], plain[[0, 2]], atol=1e-4)
    assert not torch.allclose(moved[1], plain[1], atol=1e-2)


def test_general_way_equals_the_lifters_own(regressor, monkeypatch):
    """vmap over functional_call, which every other network uses, gives the same numbers."""
    weights = Weights(regressor, "all")
    g = torch.Generator().manual_seed(0)
    encoded = torch.randn(3, 2, regressor.stem.in_features, generator=g)
    theta = weights.base.repeat(3, 1)
    theta += 0.01 * torch.randn(theta.shape, generator=g)
    quick = weights.forward(theta, encoded)
    monkeypatch.setattr(type(regressor), "forward_each", RegressorModule.forward_each)
    assert torch.allclose(weights.forward(theta, encoded), quick, atol=1e-4)


def test_unknown_tune_names_the_choices(regressor):
    with pytest.raises(ConfigError, match=r"norm\+bias"):
        regressor.tunable("everything")

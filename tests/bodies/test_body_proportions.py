"""Limbs, trunk and girdles of the shipped body: means and spread as surveys of people find them."""

from __future__ import annotations

import numpy as np
import pytest

from eftvideo.bodies import load_body
from tools.body import npz
from tools.body.proportions import MEAN, SPREAD, measure


@pytest.fixture(scope="module")
def people():
    """Lengths (N,) and statures (N,) of 500 betas by lot; of the mean body first."""
    arrays = npz.read(load_body().path)
    regressor, template = (arrays[k].astype(float) for k in ("J_regressor", "v_template"))
    directions = arrays["shapedirs"].astype(float)
    betas = np.random.default_rng(0).normal(size=(500, 10))
    betas[0] = 0.0
    joints = regressor @ template + np.einsum(
        "jck,nk->njc", np.einsum("jv,vck->jck", regressor, directions), betas
    )
    heights = np.ptp(template[:, 1] + np.einsum("vk,nk->nv", directions[:, 1], betas), axis=1)
    return measure(joints), heights


@pytest.mark.parametrize("name", MEAN)
def test_mean_shares_of_the_stature(people, name):
    lengths, heights = people
    share = lengths[name][0] / heights[0]
    assert share == pytest.approx(np.mean(MEAN[name]), rel=0.02)


@pytest.mark.parametrize("name", SPREAD)
def test_lengths_vary_on_their_own(people, name):
    """What is left at a given stature is as large as in surveys."""
    lengths, heights = people
    line = np.polyfit(heights, lengths[name], 1)
    left = (lengths[name] - np.polyval(line, heights)).std() / lengths[name].mean()
    least = 0.034 if name == "trunk" else SPREAD[name]  # legs leave the trunk more
    assert 0.8 * least < left < 1.25 * least


def test_betas_are_ordered_by_what_is_seen():
    directions = npz.read(load_body().path)["shapedirs"].astype(float)
    seen = np.sqrt((directions**2).sum(1).mean(0))
    assert (np.diff(seen) < 0).all()
    assert seen[1] > 0.2 * seen[0]

"""Context that contradicts the frame is hidden; other context is left alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from eftvideo.config import EftConfig
from eftvideo.fit import context as doubt
from eftvideo.fit.context import own_answers
from eftvideo.fit.eft import fit as eft
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.types import FitResult, Prediction, SmplParams
from tests.test_eft import people

OFFSETS_S = (-0.5, -0.05, 0.05, 0.5)
CFG = EftConfig()


def times_of(row):
    """The times at which there is context."""
    return {o for o, s in zip(OFFSETS_S, row, strict=True) if s}


@pytest.fixture
def regressor_that_errs(monkeypatch):
    """Makes one whose error is that of the first entry whose times are all in the context."""

    def make(*errors_px, turn_rad=0.0):
        def regress(regressor, body, crops, cfg, encoded):
            seen = (crops.context[..., 2] > 0).any(-1)
            out = []
            for row in seen.tolist():
                out.append(next(px for need, px in errors_px if need <= times_of(row)))
            px, steps = torch.tensor(out), torch.zeros(len(out), dtype=torch.int64)
            all_times = torch.tensor(
                [len(times_of(row)) == len(OFFSETS_S) for row in seen.tolist()]
            )
            axis = torch.tensor([0.0, turn_rad, 0.0]) * ~all_times[:, None]
            still = SmplParams(
                axis_angle_to_matrix(axis),
                torch.eye(3).expand(len(out), 23, 3, 3),
                torch.zeros(len(out), 10),
            )
            return FitResult(Prediction(still, torch.zeros(len(out), 3)), px, px, steps, steps)

        monkeypatch.setattr(doubt.eft, "regress", regress)
        return SimpleNamespace(
            context_offsets_s=OFFSETS_S, encode=lambda crops, tune: crops.context.clone()
        )

    return make


def crops_with_context(regressor, body, num=2):
    crops, _ = people(regressor, body, num)
    return replace(crops, context=torch.full((num, len(OFFSETS_S), 17, 3), 0.9))


@pytest.mark.parametrize(
    ("errors", "kept"),
    [
        pytest.param([({0.5}, 40.0), (set(), 4.0)], [0.0, 0.9, 0.9, 0.0], id="far"),
        pytest.param([({0.05}, 40.0), (set(), 4.0)], [0.0] * 4, id="near too"),
        pytest.param([({0.5}, 40.0), (set(), 30.0)], [0.9] * 4, id="no better without"),
        pytest.param([({0.5}, 9.0), (set(), 1.0)], [0.9] * 4, id="not bad"),
    ],
)
def test_what_is_hidden(regressor, body, regressor_that_errs, errors, kept):
    crops = crops_with_context(regressor, body)
    out, encoded, answers = own_answers(regressor_that_errs(*errors), body, crops, CFG)
    assert torch.equal(encoded, out.context)
    last = next(px for need, px in errors if need <= times_of(kept))
    assert answers.loss_px.tolist() == [last] * len(crops)
    assert out.context is not None
    for row in out.context:
        assert row[:, 0, 0].tolist() == pytest.approx(kept)
    assert crops.context is not None and (crops.context == 0.9).all()


@pytest.mark.parametrize(
    ("turn_rad", "px", "kept"),
    [
        pytest.param(1.5, 9.0, 0.0, id="somewhat turned"),
        pytest.param(3.0, 9.0, 0.9, id="turned round, somewhat better"),
        pytest.param(3.0, 4.0, 0.0, id="turned round, far better"),
    ],
)
def test_nobody_is_turned_round_for_little(
    regressor, body, regressor_that_errs, turn_rad, px, kept
):
    crops = crops_with_context(regressor, body)
    errs = regressor_that_errs(({0.05}, 18.0), (set(), px), turn_rad=turn_rad)
    out, _, _ = own_answers(errs, body, crops, CFG)
    assert out.context is not None
    assert out.context[:, 1, 0, 0].tolist() == pytest.approx([kept] * 2)


def test_the_context_of_people_cut_off_by_the_picture_is_kept(regressor, body, regressor_that_errs):
    crops = crops_with_context(regressor, body)
    keypoints = crops.keypoints.clone()
    keypoints[0, : 17 - doubt.MIN_SEEN + 1, 2] = 0.1
    errs = regressor_that_errs(({0.5}, 40.0), (set(), 4.0))
    out, _, _ = own_answers(errs, body, replace(crops, keypoints=keypoints), CFG)
    assert out.context is not None
    assert (out.context[0] == 0.9).all() and not (out.context[1] == 0.9).all()


def test_without_context_there_is_nothing_to_hide(regressor, body):
    crops, _ = people(regressor, body, 1)
    same, _, answers = own_answers(regressor, body, crops, CFG)
    assert same is crops
    assert torch.equal(answers.loss_px, eft.regress(regressor, body, crops, CFG).loss_px)


def test_somebody_else_in_the_context_does_not_spoil_the_answer(regressor, body):
    """The real regressor: other people, much larger, in the far context."""
    crops, _ = people(regressor, body, 4)
    num = len(regressor.context_offsets_s)
    far = torch.tensor([abs(o) > 0.1 for o in regressor.context_offsets_s])
    context = crops.keypoints[:, None].repeat(1, num, 1, 1)
    context[:, far, :, :2] = context[:, far].flip(2)[..., :2] * 2.5 + 0.8
    wrong = replace(crops, context=context)
    before = eft.regress(regressor, body, wrong, CFG).loss_px
    mended, _, answers = own_answers(regressor, body, wrong, CFG, "head")
    after = eft.regress(regressor, body, mended, CFG).loss_px
    torch.testing.assert_close(answers.loss_px, after)
    assert (before > doubt.DOUBT_PX).any()
    bad = before > doubt.DOUBT_PX
    assert (after[bad] < doubt.BETTER * before[bad]).all()
    torch.testing.assert_close(after[~bad], before[~bad])

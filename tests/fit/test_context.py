"""Context that contradicts the frame is hidden; other context is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from eftvideo.config import EftConfig
from eftvideo.config.fit import ChunkConfig, ContextConfig
from eftvideo.fit import context
from eftvideo.fit.answer import answer
from eftvideo.fit.batch import Batch
from eftvideo.fit.context import initial_answers
from eftvideo.geometry.rotations import axis_angle_to_matrix
from eftvideo.types import FitResult, Prediction, SmplParams
from tests.eft_people import people, setup_of
from tests.setups import no_network

OFFSETS_S = (-0.5, -0.05, 0.05, 0.5)
CFG = ContextConfig()


def times_of(row):
    """The times at which there is context."""
    return {o for o, s in zip(OFFSETS_S, row, strict=True) if s}


@pytest.fixture
def regressor_that_errs(monkeypatch):
    """Makes one whose error is that of the first entry whose times are all in the context."""

    def make(*errors_px, turn_rad=0.0):
        def told(crops, setup, encoded):
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

        monkeypatch.setattr(context, "answer", told)
        return no_network(
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
    setup = setup_of(regressor_that_errs(*errors), body)
    out, encoded, answers = initial_answers(crops, setup)
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
    out, _, _ = initial_answers(crops, setup_of(errs, body))
    assert out.context is not None
    assert out.context[:, 1, 0, 0].tolist() == pytest.approx([kept] * 2)


def test_the_context_of_people_cut_off_by_the_picture_is_kept(regressor, body, regressor_that_errs):
    crops = crops_with_context(regressor, body)
    keypoints = crops.keypoints.clone()
    keypoints[0, : 17 - CFG.min_seen + 1, 2] = 0.1
    errs = regressor_that_errs(({0.5}, 40.0), (set(), 4.0))
    out, _, _ = initial_answers(replace(crops, keypoints=keypoints), setup_of(errs, body))
    assert out.context is not None
    assert (out.context[0] == 0.9).all() and not (out.context[1] == 0.9).all()


def test_without_context_there_is_nothing_to_hide(regressor, body):
    crops, _ = people(regressor, body, 1)
    setup = setup_of(regressor, body)
    same, _, answers = initial_answers(crops, setup)
    assert same is crops
    assert torch.equal(answers.loss_px, answer(crops, setup).loss_px)


@pytest.fixture
def wrong(regressor, body):
    """Crops with other people, much larger, in the far context."""
    crops, _ = people(regressor, body, 4)
    num = len(regressor.context_offsets_s)
    far = torch.tensor([abs(o) > 0.1 for o in regressor.context_offsets_s])
    around = crops.keypoints[:, None].repeat(1, num, 1, 1)
    around[:, far, :, :2] = around[:, far].flip(2)[..., :2] * 2.5 + 0.8
    return replace(crops, context=around)


def test_somebody_else_in_the_context_does_not_spoil_the_answer(regressor, body, wrong):
    """The real regressor."""
    setup = setup_of(regressor, body, EftConfig(tune="head"))
    before = answer(wrong, setup).loss_px
    mended, _, answers = initial_answers(wrong, setup)
    after = answer(mended, setup).loss_px
    torch.testing.assert_close(answers.loss_px, after)
    assert (before > CFG.doubt_px).any()
    bad = before > CFG.doubt_px
    assert (after[bad] < CFG.better * before[bad]).all()
    torch.testing.assert_close(after[~bad], before[~bad])


def test_context_is_believed_where_it_is_said(regressor, body, wrong):
    setup = setup_of(regressor, body, context=ContextConfig(enabled=False))
    same, encoded, answers = initial_answers(wrong, setup)
    assert same is wrong
    torch.testing.assert_close(encoded, regressor.encode(wrong, "head"))
    torch.testing.assert_close(answers.loss_px, answer(wrong, setup).loss_px)
    assert (answers.loss_px > CFG.doubt_px).any()


def test_a_batch_holds_what_is_believed_and_no_pixels(regressor, body, wrong):
    setup = setup_of(regressor, body)
    image = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    batch = Batch.of(replace(wrong, image=image), setup)
    mended, encoded, answers = initial_answers(wrong, setup)
    assert len(batch) == 4 and batch.crops.image is None
    assert batch.crops.context is not None and mended.context is not None
    assert torch.equal(batch.crops.context, mended.context)
    assert not torch.equal(batch.crops.context, wrong.context)
    assert torch.equal(batch.encoded, encoded)
    assert torch.equal(batch.initial.loss_px, answers.loss_px)
    assert batch.streams.rows == ((0,), (1,), (2,), (3,))


def test_many_rows_are_asked_a_few_at_a_time(regressor, body, wrong):
    """As many answers as rows, in their order."""
    setup = setup_of(regressor, body, chunks=ChunkConfig(rows_asked=3))
    few, many = (initial_answers(wrong, s)[2] for s in (setup, setup_of(regressor, body)))
    torch.testing.assert_close(few.loss_px, many.loss_px, atol=1e-4, rtol=1e-4)

"""Kinds and ranges of fields, and their documentation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import pytest
from config_toy import Eft, Toy

from eftvideo.config import RunConfig
from eftvideo.config.docs import describe, docs_of
from eftvideo.config.dotted import leaves
from eftvideo.config.values import Range, kind_of


@pytest.mark.parametrize(
    "hint",
    [
        *(dict, complex, list[int], int | str, int | str | None),
        *(tuple[int, str], tuple[int | None, ...], Annotated[str, Range(0)]),
    ],
)
def test_other_types_are_a_mistake_of_the_class(hint):
    with pytest.raises(TypeError):
        kind_of(hint)


@pytest.mark.parametrize(
    ("limits", "words", "inside", "outside"),
    [
        (Range(0, 1), "from 0 to 1", (0, 0.5, 1), (-1e-9, 1.1)),
        (Range(2), "of 2 or more", (2, 3), (1.9,)),
        (Range(at_most=2), "of at most 2", (2, -9), (2.1,)),
        (Range(above=0), "above 0", (1e-9,), (0, -1)),
        (Range(below=0.5), "below 0.5", (0,), (0.5,)),
        (Range(above=0, at_most=1), "above 0 and at most 1", (1,), (0, 2)),
        (Range(0, below=1), "of 0 or more and below 1", (0,), (1,)),
        (Range(above=0, below=1), "above 0 and below 1", (0.5,), (0, 1)),
    ],
)
def test_ranges(limits, words, inside, outside):
    assert str(limits) == words
    assert all(value in limits for value in inside)
    assert not any(value in limits for value in outside)


def test_description():
    rows = describe(Toy())
    assert [r.name for r in rows] == list(leaves(Toy()))
    by_name = {r.name: tuple(r) for r in rows}
    assert [r.name for r in rows][:6] == [
        *("start_s", "end_s", "name", "stride", "opacity", "fit.eft.num_steps")
    ]
    expected = [
        ("fit.eft.num_steps", "a whole number of 1 or more", "30", "Steps at most."),
        (
            "fit.eft.rate",
            "a number above 0, or none",
            "0.5",
            "The rate; None: the regressor's own.",
        ),
        ("fit.method", "one of eft, smplify, regress", "eft", "Which way."),
        ("fit.enabled", "true or false", "true", ""),
        ("smooth.windows_s", "a list of numbers above 0", "0.1,0.25", ""),
        ("smooth.ids", "a list of whole numbers, or none", "none", ""),
    ]
    for row in expected:
        assert by_name[row[0]] == row


def test_description_of_runs():
    rows = {r.name: r for r in describe(RunConfig())}
    assert rows["fit.eft.num_steps"].doc.startswith("Adam steps at most per person and frame")
    assert [name for name, row in rows.items() if not row.doc] == [], "say what they mean"
    assert {"detect.second_look.whom", "fit.method", "fit.smplify.init", "draw.mode"} <= rows.keys()
    assert all("\n" not in text for row in rows.values() for text in row)


def test_docs_are_inherited_and_may_be_missing():
    @dataclass(frozen=True)
    class More(Eft):
        tune: str | None = None
        """Told anew."""

    assert docs_of(More).summary == "Fine-tuning."
    assert docs_of(More).fields["tune"] == "Told anew."
    assert docs_of(More).fields["num_steps"] == "Steps at most."
    bare = dataclasses.make_dataclass("Bare", [("x", int, 1)], frozen=True)
    assert docs_of(bare) == ("", {})

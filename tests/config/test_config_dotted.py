"""Settings by dotted name: laws on a toy tree and on RunConfig, every refusal."""

from __future__ import annotations

import math
from typing import Any

import pytest
from config_toy import OLD, TREES, Eft, Fit, Smooth, Span, Toy

from eftvideo.config import PUBLISHED_EFT, RunConfig
from eftvideo.config.docs import describe
from eftvideo.config.dotted import check, differences, leaves, nearest, set_values
from eftvideo.config.values import likeness, text_of
from eftvideo.errors import ConfigError


def value_of(cfg: object, name: str) -> Any:
    for part in name.split("."):
        cfg = getattr(cfg, part)
    return cfg


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fit.eft.num_steps=20", 20),
        (" fit.eft.num_steps = 20 ", 20),
        ("stride=-3", -3),
        ("start_s=3", 3.0),
        ("start_s=1e-3", 1e-3),
        ("end_s=2.5", 2.5),
        ("end_s=none", None),
        ("end_s=NULL", None),
        ("fit.limit=inf", math.inf),
        ("fit.limit=7", 7.0),
        ("fit.enabled=no", False),
        ("fit.enabled=Off", False),
        ("fit.enabled=FALSE", False),
        ("fit.enabled=0", False),
        ("fit.enabled=yes", True),
        ("fit.enabled=on", True),
        ("fit.enabled=true", True),
        ("fit.enabled=1", True),
        ("fit.method=smplify", "smplify"),
        ("fit.levels=4", 4),
        ("name=a=b c", "a=b c"),
        ("name=none", "none"),
        ("name=", ""),
        ("fit.eft.tune=head", "head"),
        ("fit.eft.rate=none", None),
        ("fit.eft.gate=1", 1.0),
        ("opacity=1", 1.0),
        ("smooth.windows_s=1,0.5 , 2", (1.0, 0.5, 2.0)),
        ("smooth.windows_s=", ()),
        ("smooth.views=top,front", ("top", "front")),
        ("smooth.span=-1,2", (-1.0, 2.0)),
        ("smooth.ids=1", (1,)),
        ("smooth.ids=", ()),
        ("smooth.ids=none", None),
    ],
)
def test_values_are_read_by_their_annotations(setting, value):
    cfg = set_values(Toy(), [setting])
    name = setting.split("=")[0].strip()
    got = value_of(cfg, name)
    assert (got, type(got)) == (value, type(value))
    assert differences(cfg, Toy()) == ({} if value == value_of(Toy(), name) else {name: value})
    check(cfg)


def test_the_last_setting_holds_and_the_original_stays():
    toy = Toy()
    cfg = set_values(toy, ["stride=2", "fit.eft.num_steps=5", "stride=3", "fit.enabled=off"])
    assert toy == Toy()
    assert differences(cfg, toy) == {"stride": 3, "fit.eft.num_steps": 5, "fit.enabled": False}
    assert set_values(toy, []) is toy


def test_settings_of_one_group_come_in_together():
    """A dataclass that checks two fields against each other sees both new ones."""

    assert set_values(Span(), ["low=5", "high=6"]) == Span(5, 6)
    with pytest.raises(ConfigError, match="low must not be above high"):
        set_values(Span(), ["low=5"])


REFUSED = [
    # no value, no name
    ("fit.eft.num_steps", "expected NAME=VALUE, such as fit.eft.num_steps=30, but got"),
    ("num_step", "expected NAME=VALUE, such as fit.eft.num_steps=30, but got 'num_step'"),
    ("smooth", "expected NAME=VALUE, such as smooth.strength=1.0, but got 'smooth'"),
    ("=3", "expected NAME=VALUE, such as start_s=0.0, but got '=3'"),
    ("", "expected NAME=VALUE, such as start_s=0.0, but got ''"),
    # names
    ("num_step=3", "there is no setting 'num_step': did you mean fit.eft.num_steps?"),
    ("num_steps=3", "there is no setting 'num_steps': did you mean fit.eft.num_steps?"),
    ("eft.num_steps=3", "did you mean fit.eft.num_steps?"),
    ("eft.num_step=3", "did you mean fit.eft.num_steps?"),
    ("fit.eft.num-steps=3", "did you mean fit.eft.num_steps?"),
    ("FIT.EFT.NUM_STEPS=3", "did you mean fit.eft.num_steps?"),
    ("other.num_steps=3", "did you mean fit.eft.num_steps?"),
    ("fit.eft.num_steps.x=3", "did you mean fit.eft.num_steps?"),
    ("made=3", "there is no setting 'made'"),
    ("fit.eft.lr=3", "no setting 'fit.eft.lr': those in fit.eft are num_steps, tune, rate, gate"),
    ("zzz=3", "there is no setting 'zzz': names begin with one of start_s, end_s, name, stride"),
    ("a\nb=3", r"there is no setting 'a\nb': names begin with"),
    ("fit.eft=3", "fit.eft is a group, not a setting: set one of its fields, such as fit.eft.num_"),
    # values
    ("fit.eft.num_steps=many", "fit.eft.num_steps must be a whole number of 1 or more, but got 'm"),
    ("fit.eft.num_steps=2.5", "a whole number of 1 or more, but got '2.5'"),
    ("fit.eft.num_steps=", "a whole number of 1 or more, but got ''"),
    ("fit.eft.num_steps=none", "a whole number of 1 or more, but got 'none'"),
    ("fit.eft.num_steps=0", "a whole number of 1 or more, but got '0'"),
    ("stride=yes", "stride must be a whole number, but got 'yes'"),
    ("start_s=soon", "start_s must be a number, but got 'soon'"),
    ("start_s=nan", "start_s must be a finite number, but got 'nan'"),
    ("start_s=inf", "start_s must be a finite number, but got 'inf'"),
    ("start_s=1e999", "start_s must be a finite number, but got '1e999'"),
    ("end_s=nan", "end_s must be a finite number, or none, but got 'nan'"),
    ("fit.limit=nan", "fit.limit must be a number, but got 'nan'"),
    ("fit.enabled=maybe", "fit.enabled must be true or false, but got 'maybe'"),
    ("fit.method=smplfy", "fit.method must be one of smplify, eft, regress, but got 'smplfy'"),
    ("fit.method=regres", "fit.method must be one of regress, "),
    ("fit.levels=3", "fit.levels must be one of 1, 2, 4, but got '3'"),
    ("opacity=1.5", "opacity must be a number from 0 to 1, but got '1.5'"),
    ("opacity=-0.1", "opacity must be a number from 0 to 1, but got '-0.1'"),
    ("fit.eft.rate=0", "fit.eft.rate must be a number above 0, or none, but got '0'"),
    ("fit.eft.gate=3", "fit.eft.gate must be a number of 1 or more and below 3, but got '3'"),
    (
        "smooth.windows_s=1;2",
        "must be a list of numbers above 0, but got '1;2': put commas between",
    ),
    ("smooth.windows_s=1,,2", "a list of numbers above 0, but got '1,,2'"),
    ("smooth.windows_s=1,0", "a list of numbers above 0, but got '1,0'"),
    ("smooth.views=top,sid", "must be a list out of side, front, top, but got 'top,sid'"),
    ("smooth.span=1", "smooth.span must be a list of 2 numbers, but got '1'"),
    ("smooth.ids=a", "smooth.ids must be a list of whole numbers, or none, but got 'a'"),
    ("stride=" + "x" * 500, "xxx..."),
    # names of old
    ("steps=3", "steps is now fit.eft.num_steps: use that name"),
    ("fit.smooth.strength=2", "fit.smooth.strength is now smooth.strength: use that name"),
    ("stay_weight=2", "stay_weight is now fit.eft.gate: use that name"),
    ("fit=3", "fit is now fit.method: use that name"),
]


@pytest.mark.parametrize(("setting", "words"), REFUSED)
def test_what_is_wrong_is_refused_in_one_line(setting, words):
    with pytest.raises(ConfigError) as e:
        set_values(Toy(), ["stride=2", setting], OLD)
    assert words in str(e.value)
    assert "\n" not in str(e.value)
    assert len(str(e.value)) < 200


def test_a_group_is_named_as_one_where_it_has_no_old_meaning():
    with pytest.raises(ConfigError, match=r"fit is a group.*such as fit\.eft\.num_steps, fit\.eft"):
        set_values(Toy(), ["fit=3"])


def test_names_that_several_groups_have_are_all_suggested():
    names = ["eft.min_score", "smplify.min_score", "eft.num_steps"]
    assert nearest("min_score", names) == names[:2]
    assert nearest("smplify.min_scor", names)[0] == "smplify.min_score"


def test_the_last_part_alone_finds_a_name():
    assert nearest("something.quite.else.rate", leaves(Toy())) == ["fit.eft.rate"]


def test_capitals_and_dashes_do_not_count():
    assert likeness("per-track", "Per_Track") == 1.0


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        (Toy(opacity=2.0), "opacity must be a number from 0 to 1, but got 2.0"),
        (Toy(stride=1.0), "stride must be a whole number, but got 1.0"),  # type: ignore[arg-type]
        (Toy(stride=True), "stride must be a whole number, but got true"),
        (Toy(name=3), "name must be text, but got 3"),  # type: ignore[arg-type]
        (Toy(end_s="none"), "end_s must be a number, or none, but got 'none': give None"),  # type: ignore[arg-type]
        (Toy(start_s=None), "start_s must be a number, but got none"),  # type: ignore[arg-type]
        (Toy(start_s=math.nan), "start_s must be a finite number, but got nan"),
        (Toy(start_s=10**400), "start_s must be a number, but got 1000"),
        (Toy(fit=3), "fit must be of class Fit, but got 3"),  # type: ignore[arg-type]
        (Toy(fit=Fit(eft=None)), "fit.eft must be of class Eft, but got none"),  # type: ignore[arg-type]
        (Toy(fit=Fit(method="x")), "fit.method must be one of"),  # type: ignore[arg-type]
        (Toy(fit=Fit(levels=True)), "fit.levels must be one of"),  # type: ignore[arg-type]
        (Toy(fit=Fit(enabled=1)), "fit.enabled must be true or false, but got 1"),  # type: ignore[arg-type]
        (
            Toy(fit=Fit(Eft(tune="Null"))),
            "fit.eft.tune must be text, or none, but got 'Null': give",
        ),
        (Toy(smooth=Smooth(windows_s=[1.0])), "list of numbers above 0, but got [1.0]"),  # type: ignore[arg-type]
        (Toy(smooth=Smooth(windows_s=(1.0, -1.0))), "numbers above 0, but got [1.0, -1.0]"),
        (Toy(smooth=Smooth(span=(1.0,))), "a list of 2 numbers, but got [1.0]"),  # type: ignore[arg-type]
    ],
)
def test_a_tree_made_in_python_is_checked_too(cfg, words):
    with pytest.raises(ConfigError) as e:
        check(cfg)
    assert words in str(e.value)


def test_sound_trees_pass():
    check(Toy(start_s=3, fit=Fit(limit=2), smooth=Smooth(ids=(1, 2), span=(0, 1))))
    check(RunConfig())
    check(RunConfig(eft=PUBLISHED_EFT))


@pytest.mark.parametrize("cfg", TREES)
def test_every_name_can_be_set_to_its_own_value(cfg):
    described = describe(cfg)
    assert len({d.name for d in described}) == len(described)
    settings = [f"{d.name}={d.default}" for d in described if d.default.strip() == d.default]
    assert set_values(cfg, settings) == cfg
    for setting in settings:
        assert set_values(cfg, [setting]) == cfg


@pytest.mark.parametrize("cfg", TREES)
def test_differences_make_one_of_the_other(cfg):
    base = type(cfg)()
    assert differences(cfg, cfg) == {}
    settings = [f"{name}={text_of(value)}" for name, value in differences(cfg, base).items()]
    if "\n" not in "".join(settings):
        assert set_values(base, settings) == cfg


def test_differences_of_two_classes_are_a_mistake():
    with pytest.raises(TypeError, match="cannot compare a Toy with a RunConfig"):
        differences(Toy(), RunConfig())  # type: ignore[misc]

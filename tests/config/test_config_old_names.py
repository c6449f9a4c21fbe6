"""Names of earlier versions: of the fields of `RunConfig`, and in the results they wrote."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest

from eftvideo.config import (
    AcceptConfig,
    ClipConfig,
    CropConfig,
    DrawConfig,
    EftConfig,
    FitConfig,
    KeypointConfig,
    RenderConfig,
    RunConfig,
    ShapeConfig,
    SmoothConfig,
    SmplifyConfig,
)
from eftvideo.config.dotted import groups_of, leaves, set_values
from eftvideo.config.old_names import OLD_NAMES, part_of
from eftvideo.errors import ConfigError

KNOWN = leaves(RunConfig())
FIRST = {
    "crop": {"box_scale": 1.3, "min_size_px": 8.0},
    "eft": {"num_steps": 12, "tune": None, "min_score": 0.4, "max_loss_px": 20.0, "carry": 0.5},
    "smplify": {"init": "mean", "min_score": 0.3},
    "clip": {"start_s": 1.0, "end_s": None, "stride": 2},
    "render": {"enabled": True, "draw": "both", "opacity": 0.5, "crf": 23, "preset": "slow"},
    "smooth": {"enabled": True, "strength": 2.0, "fill_gaps": False, "bandwidths_s": [0.1, 0.2]},
    "method": "smplify",
    "shape": "per-frame",
    "warm_start": False,
    "lanes": 16,
    "device": "cpu",
}
"""What `Result.config` held in version 0.1, in part."""


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_every_old_name_leads_to_a_present_one(old, new):
    assert new in {*KNOWN, *groups_of(KNOWN)}
    group = old.rpartition(".")[0]
    # A name that is a field today cannot mean another; that of a group may be one.
    assert old not in KNOWN and (not group or old != new)


@pytest.mark.parametrize("old", [name for name in OLD_NAMES if "." in name])
def test_a_setting_under_its_old_name_is_told_the_new_one(old):
    with pytest.raises(ConfigError) as e:
        set_values(RunConfig(), [f"{old}=1"], OLD_NAMES)
    assert OLD_NAMES[old] in str(e.value)


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param({"method": "regress"}, ["fit.method=regress"], id="method"),
        pytest.param({"warm_start": False}, ["fit.warm_start=no"], id="warm_start"),
        pytest.param({"shape": "per-frame"}, ["fit.shape.enabled=no"], id="per-frame"),
        pytest.param({"shape": "per-track"}, [], id="per-track"),
        pytest.param({"crop": CropConfig(box_scale=1.5)}, ["fit.crop.box_scale=1.5"], id="crop"),
        pytest.param({"eft": EftConfig(num_steps=5)}, ["fit.eft.num_steps=5"], id="eft"),
        pytest.param(
            {"smplify": SmplifyConfig(init="mean")}, ["fit.smplify.init=mean"], id="smplify"
        ),
        pytest.param({"smooth": SmoothConfig(False)}, ["refine.smooth.enabled=no"], id="smooth"),
        pytest.param(
            {"render": RenderConfig(mode="both", crf=20)}, ["draw.mode=both", "draw.crf=20"],
            id="render",
        ),
        pytest.param({"piece_frames": 9}, ["fit.chunks.num_frames=9"], id="piece_frames"),
        pytest.param({"run_in_frames": 0}, ["fit.chunks.warm_up_frames=0"], id="run_in_frames"),
        pytest.param(
            {
                "eft": EftConfig(num_steps=5),
                "method": "smplify",
                "shape": "per-frame",
                "smooth": SmoothConfig(strength=0.5),
                "render": DrawConfig(enabled=False),
                "device": "cpu",
                "clip": ClipConfig(stride=3),
            },
            [
                "fit.eft.num_steps=5",
                "fit.method=smplify",
                "fit.shape.enabled=no",
                "refine.smooth.strength=0.5",
                "draw.enabled=no",
                "device=cpu",
                "clip.stride=3",
            ],
            id="together",
        ),
    ],
)  # fmt: skip
def test_a_configuration_can_be_made_with_old_names(given, want):
    assert RunConfig(**given) == set_values(RunConfig(), want)


def test_every_field_of_the_first_version_can_be_given_but_the_lanes():
    """Lanes were a matter of speed alone, and of the loop that is gone."""
    single = [name for name in OLD_NAMES if "." not in name]
    assert {*FIRST} - {"lanes", "clip", "device"} <= {*single}
    with pytest.raises(TypeError, match="lanes"):
        RunConfig(lanes=4)


def test_old_names_go_with_new_ones_and_with_replace():
    cfg = RunConfig(fit=FitConfig(warm_start=False), eft=EftConfig(num_steps=5))
    assert cfg.fit == FitConfig(warm_start=False, eft=EftConfig(num_steps=5))
    again = dataclasses.replace(cfg, method="regress", render=DrawConfig(crf=1))
    assert again.fit == dataclasses.replace(cfg.fit, method="regress") and again.draw.crf == 1
    assert cfg.fit.method == "eft" and RunConfig().draw.crf != 1


@pytest.mark.parametrize("old", [n for n in OLD_NAMES if "." not in n and n != "shape"])
def test_a_configuration_answers_to_old_names(old):
    cfg = RunConfig(fit=FitConfig(eft=EftConfig(num_steps=5)), draw=DrawConfig(crf=3))
    want = cfg
    for name in OLD_NAMES[old].split("."):
        want = getattr(want, name)
    assert getattr(cfg, old) is want
    again = dataclasses.replace(cfg, eft=dataclasses.replace(cfg.eft, tune="all"))
    assert again.fit.eft == EftConfig(num_steps=5, tune="all")


@pytest.mark.parametrize("shape", ["per-track", "per-frame"])
def test_the_shape_answers_in_its_old_words(shape):
    cfg = RunConfig(shape=shape)
    assert cfg.shape == shape and dataclasses.replace(cfg, shape=cfg.shape) == cfg


def test_a_configuration_can_be_copied_and_has_no_other_names():
    cfg = RunConfig(method="regress")
    for twin in (copy.copy(cfg), copy.deepcopy(cfg), pickle.loads(pickle.dumps(cfg))):
        assert twin == cfg and twin.method == "regress"
    with pytest.raises(AttributeError, match="'RunConfig' object has no attribute 'lanes'"):
        _ = cfg.lanes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "regres"}, "fit.method must be one of regress"),
        ({"shape": "per-person"}, "fit.shape.enabled must be true or false"),
        ({"eft": 5}, "fit.eft must be of class EftConfig"),
        ({"eft": EftConfig(num_steps=-1)}, "fit.eft.num_steps must be"),
        ({"piece_frames": 0}, "fit.chunks.num_frames must be"),
    ],
)
def test_wrong_values_are_refused_under_old_names_too(given, message):
    with pytest.raises(ConfigError, match=message):
        RunConfig(**given)


def test_names_that_never_were_are_pythons_own_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'efd'"):
        RunConfig(efd=EftConfig())


def test_parts_of_the_configuration_of_an_old_result():
    config = json.loads(json.dumps(FIRST))
    assert part_of(config, "clip", ClipConfig) == ClipConfig(1.0, None, 2)
    assert part_of(config, "draw", DrawConfig) == DrawConfig(True, "both", 0.5, 23, "slow")
    assert part_of(config, "fit.eft", EftConfig) == EftConfig(num_steps=12, carry=0.5)
    assert part_of(config, "fit.crop", CropConfig) == CropConfig(1.3)
    assert part_of(config, "fit.smplify", SmplifyConfig) == SmplifyConfig(init="mean")
    assert part_of(config, "fit.accept", AcceptConfig) == AcceptConfig(max_loss_px=20.0)
    assert part_of(config, "fit.shape", ShapeConfig) == ShapeConfig(enabled=False)
    assert part_of(config, "keypoints", KeypointConfig) == KeypointConfig(min_score=0.4)
    smooth = SmoothConfig(strength=2.0, bandwidths_s=(0.1, 0.2))
    assert part_of(config, "refine.smooth", SmoothConfig) == smooth
    fit = part_of(config, "fit", FitConfig)
    assert fit == FitConfig("smplify", warm_start=False)


def test_parts_of_the_configuration_of_a_new_result():
    cfg = RunConfig(
        clip=ClipConfig(0.5, 2.0),
        fit=FitConfig(eft=EftConfig(tune="head"), shape=ShapeConfig(False)),
        draw=DrawConfig(mode="skeleton"),
    )
    config = cfg.to_dict()
    assert part_of(config, "clip", ClipConfig) == cfg.clip
    assert part_of(config, "draw", DrawConfig) == cfg.draw
    assert part_of(config, "fit.eft", EftConfig) == cfg.fit.eft
    assert part_of(config, "fit.shape", ShapeConfig) == cfg.fit.shape
    assert part_of({}, "draw", DrawConfig) == DrawConfig()

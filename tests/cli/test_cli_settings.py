"""Settings on the command line: which of several holds, the list of all, options that went."""

from __future__ import annotations

import os
import re

import pytest
from cli_case import fails, run_nothing, runner

from eftvideo.cli.app import app
from eftvideo.cli.old_options import OLD_OPTIONS
from eftvideo.cli.options import FIELDS
from eftvideo.cli.settings import settled
from eftvideo.config import PUBLISHED_EFT, RunConfig
from eftvideo.config.dotted import differences, set_values
from eftvideo.config.presets import PRESETS

pytestmark = pytest.mark.usefixtures("wide")

OLD = {
    "--tracker botsort": "--set detect.tracker=botsort",
    "--second-look all": "--set detect.second_look.whom=all",
    "--second-look off": ("--set detect.second_look.enabled=no --set detect.recover.enabled=no"),
    "--steps 5": "--set fit.eft.num_steps=5",
    "--no-warm-start": "--set fit.warm_start=no",
    "--smplify-prior": "--set fit.smplify.prior=yes",
    "--no-smplify-prior": "--set fit.smplify.prior=no",
    "--smplify-init mean": "--set fit.smplify.init=mean",
    "--shape per-track": "--set fit.shape.enabled=yes",
    "--shape per-frame": "--set fit.shape.enabled=no",
    "--smooth 0.5": "--set refine.smooth.strength=0.5",
    "--no-smooth": "--set refine.smooth.enabled=no",
    "--fill-gaps": "--set refine.gaps.enabled=yes",
    "--no-fill-gaps": "--set refine.gaps.enabled=no",
    "--weights-camera spin": "--set weights_camera=spin",
    "--tune norm+bias": "--set fit.eft.tune=norm+bias",
    "--recipe published": "--preset published",
    "--recipe ours": "--preset default",
}


@pytest.fixture
def seen(monkeypatch):
    """What `eftvideo run` would do."""
    return run_nothing(monkeypatch)


def cfg_of(seen, *words):
    done = runner.invoke(app, ["run", "a.mp4", *map(str, words)])
    assert done.exit_code == 0, done.output
    return seen["cfg"]


def test_every_old_option_is_here():
    assert {old.split()[0] for old in OLD} == set(OLD_OPTIONS)


@pytest.mark.parametrize("old", OLD)
def test_an_old_option_names_the_new_way(old, seen):
    name = old.split()[0]
    line = f"error: {name} is now {OLD[old]}"
    assert fails("a.mp4", *old.split()) == line
    assert fails(*old.split(), "a.mp4", "-q") == line
    if " " in old:
        assert fails("a.mp4", "=".join(old.split())) == line
    assert not seen
    cfg_of(seen, *OLD[old].split())  # and the new way is one


def test_old_options_are_told_all_at_once():
    line = fails("a.mp4", "--steps", "5", "--nonsense", "--no-smooth", "--tune=all")
    assert line == (
        "error: --steps is now --set fit.eft.num_steps=5; --no-smooth is now "
        f"{OLD['--no-smooth']}; --tune is now --set fit.eft.tune=all"
    )


@pytest.mark.parametrize(
    ("words", "new"),
    [
        (["--steps"], "fit.eft.num_steps=VALUE"),
        (["--steps", "--no-overlay"], "fit.eft.num_steps=VALUE"),
        (["--steps", "-1"], "fit.eft.num_steps=-1"),
        (["--steps="], "fit.eft.num_steps=''"),
        (["--tune", "a b\nc"], "fit.eft.tune='a b c'"),
        (["-o", "--smooth", "--steps", "5"], "fit.eft.num_steps=5"),
        (["--steps", "5", "--", "--smooth"], "fit.eft.num_steps=5"),
    ],
)
def test_values_of_old_options(words, new):
    line = fails("a.mp4", *words)
    assert line.endswith(f"is now --set {new}") and line.count(" is now ") == 1


def test_what_looks_like_an_old_option_may_be_a_value(seen):
    cfg_of(seen, "-o", "--smooth")
    assert str(seen["out"]) == "--smooth"
    assert runner.invoke(app, ["run", "--", "--steps"]).exit_code == 0
    assert [str(clip) for clip in seen["clips"]] == ["--steps"]


def test_later_ways_overrule_earlier_ones(seen, tmp_path):
    file = tmp_path / "mine.toml"
    fast = set_values(RunConfig(), PRESETS["fast"])
    assert cfg_of(seen, "--preset", "fast") == fast != RunConfig()
    file.write_text(
        '[fit]\nmethod = "smplify"\n[fit.eft]\nnum_steps = 7\n[clip]\nstride = 4\n'
        "[draw]\nenabled = false\n"
    )
    both = ["--preset", "fast", "--config", file]
    cfg = cfg_of(seen, *both)
    assert differences(cfg, fast) == {
        "fit.method": "smplify",
        "fit.eft.num_steps": 7,
        "clip.stride": 4,
        "draw.enabled": False,
    }
    cfg = cfg_of(seen, *both, "--method", "regress", "--stride", "2")
    assert (cfg.fit.method, cfg.clip.stride, cfg.fit.eft.num_steps) == ("regress", 2, 7)
    cfg = cfg_of(seen, "--set", "clip.stride=3", *both, "--stride", "2", "--method", "regress")
    assert (cfg.clip.stride, cfg.fit.method) == (3, "regress")
    words = ["--set", "clip.stride=3", "--set", "fit.method=eft", "--set", "clip.stride=5"]
    cfg = cfg_of(seen, *words, *both)
    assert (cfg.clip.stride, cfg.fit.method) == (5, "eft")


@pytest.mark.parametrize("option", FIELDS)
def test_an_option_that_is_not_given_changes_nothing(option, seen, tmp_path):
    """Whatever a file says stays, and each option goes where it should."""
    values = {
        "device": '"cpu"',
        "clip.start_s": "1.5",
        "clip.end_s": "2.5",
        "clip.stride": "3",
        "track.max_people": "2",
        "track.track_ids": "[4, 5]",
        "detect.model": '"other"',
        "detect.landmarks.network": '"full"',
        "fit.method": '"smplify"',
        "regressor": '"hmr"',
        "regressor_weights": '"w.pt"',
        "body": '"smpl"',
        "focal_length_px": "900.0",
        "fov_deg": "50.0",
        "draw.enabled": "false",
        "draw.mode": '"both"',
        "draw.behind": "true",
        "draw.report": "true",
    }
    assert set(values) == set(FIELDS.values())
    file = tmp_path / "one.toml"
    file.write_text(f"{FIELDS[option]} = {values[FIELDS[option]]}\n")
    from_file = cfg_of(seen, "--config", file)
    assert list(differences(from_file, RunConfig())) == [FIELDS[option]]
    text = re.sub(r'[]["]', "", values[FIELDS[option]]).replace(", ", ",")
    words = [option] if option in ("--no-overlay", "--report") else [option, text]
    assert cfg_of(seen, *words) == from_file


def test_an_option_can_take_back_what_a_file_says(seen, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('body = "smpl"\nfov_deg = 50.0\n[clip]\nend_s = 3.0\n')
    cfg = cfg_of(seen, "--config", file, "--end", "none", "--focal-px", "800")
    assert (cfg.clip.end_s, cfg.focal_length_px, cfg.fov_deg) == (None, 800.0, None)
    file.write_text("focal_length_px = 700.0\n")
    cfg = cfg_of(seen, "--config", file, "--fov-deg", "60")
    assert (cfg.focal_length_px, cfg.fov_deg) == (None, 60.0)
    line = fails("a.mp4", "--config", file, "--set", "fov_deg=60")
    assert "focal_length_px and fov_deg are both set: set one of them to none" in line


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name, seen):
    cfg = cfg_of(seen, "--preset", name)
    assert cfg == set_values(RunConfig(), PRESETS[name])
    names = [setting.partition("=")[0] for setting in PRESETS[name]]
    assert set(differences(cfg, RunConfig())) <= set(names) and len(set(names)) == len(names)
    assert (cfg == RunConfig()) == (name == "default")


def test_published_preset_is_eft_as_published():
    cfg = settled("published", None, {}, [])
    names = {n.rpartition(".")[2] for n in differences(cfg.fit.eft, PUBLISHED_EFT)}
    assert not names and not cfg.fit.warm_start
    assert (cfg.keypoints.hip_weight, cfg.keypoints.ankle_weight) == (0, 0)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--preset", "bets"], "--preset must be one of best, default, published, fast, but got"),
        (["--config", "no.toml"], "no.toml is not there: give the path of a TOML file"),
        (["--set", "fit.eft.num_step=3"], "did you mean fit.eft.num_steps?"),
        (["--set", "eft.num_steps=3"], "eft.num_steps is now fit.eft.num_steps: use that name"),
        (["--set", "fit.eft"], "expected NAME=VALUE, such as fit.eft.num_steps=30, but got"),
        (["--set", "fit.eft=3"], "fit.eft is a group, not a setting: set one of its fields"),
        (["--set", "fit.eft.num_steps=x"], "must be a whole number of 0 or more, but got 'x'"),
        (["--set", "fit.eft.momentum=1"], "must be a number of 0 or more and below 1, but got '1'"),
        (
            ["--set", "clip.stride=1", "--set", "clip.stride=0"],
            "clip.stride must be a whole number",
        ),
        (["--set"], "option '--set' requires an argument"),
    ],
)
def test_wrong_settings(words, line, seen):
    assert line in fails("a.mp4", *words)
    done = runner.invoke(app, ["config", *words])
    assert done.exit_code == 2 and line in done.stderr and not done.stdout
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert not seen


def test_wrong_files(tmp_path):
    file = tmp_path / "mine.toml"
    for text, words in (
        ("fit.eft.num_steps = -1", "fit.eft.num_steps must be a whole number of 0 or more, but"),
        ("[eft]\nnum_steps = 3", "eft.num_steps is now fit.eft.num_steps: use that name"),
        ("stride = ", "is not TOML, mend it: "),
    ):
        file.write_text(text)
        line = fails("a.mp4", "--config", file)
        assert line.startswith(f"error: {file}") and words in line


@pytest.mark.skipif(os.name == "nt", reason="shells")
def test_help_lists_the_options_that_stay():
    text = runner.invoke(app, ["run", "--help"]).output
    stay = {"--out", "--quiet", "--verbose", "--preset", "--config", "--set", "--help", *FIELDS}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text.partition("Arguments")[2])) == stay

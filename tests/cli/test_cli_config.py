"""`eftvideo config`: every setting, with what it means, as a file that reads back."""

from __future__ import annotations

import re

import pytest
from cli_case import runner

from eftvideo.cli.app import app
from eftvideo.cli.config import matching
from eftvideo.cli.settings import settled
from eftvideo.config import RunConfig
from eftvideo.config.docs import describe
from eftvideo.config.dotted import differences, leaves, set_values
from eftvideo.config.files import read_toml
from eftvideo.errors import ConfigError

pytestmark = pytest.mark.usefixtures("wide")


def config(*words):
    done = runner.invoke(app, ["config", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def printed_names(text):
    return re.findall(r"^([\w.]+)=", text, re.MULTILINE)


def test_all_settings_come_back(tmp_path):
    """What `config` prints, `--config` reads: the defaults, and whatever was changed."""
    file = tmp_path / "all.toml"
    some = ("fit.eft.tune=all", "fit.accept.max_pose_change_rad=none", "track.track_ids=1,2")
    for words in ([], ["--preset", "best"], [w for s in some for w in ("--set", s)]):
        text = config(*words)
        file.write_text(text)
        cfg = settled(None, file, {}, [])
        assert (cfg == RunConfig()) == (not words)
        assert cfg == read_toml(file, RunConfig())
        assert config("--config", file) == text
    assert differences(cfg, RunConfig()) == differences(set_values(RunConfig(), some), RunConfig())


def test_all_settings_are_printed_with_what_they_mean():
    text = config()
    words = " ".join(text.replace("#", " ").split())
    for row in describe(RunConfig()):
        assert re.search(rf"^(# )?{row.name.split('.')[-1]} = ", text, re.MULTILINE), row.name
        assert row.doc in words, row.name


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("fit.eft.num_steps", ["fit.eft.num_steps"]),
        ("num_steps", ["fit.eft.num_steps"]),
        ("NUM-STEPS", ["fit.eft.num_steps"]),
        ("fit.eft", ["fit.eft."]),
        ("eft", ["fit.eft."]),
        ("smooth", ["refine.smooth."]),
        ("left_right", ["track.left_right."]),
        ("left", ["track.left_right."]),
        ("device", ["device"]),
        ("gap", ["detect.max_gap_s", "fit.max_warm_gap_s", "refine.gaps."]),
    ],
)
def test_settings_by_name(name, starts):
    found = printed_names(config(name))
    assert found == [n for n in leaves(RunConfig()) if any(n.startswith(s) for s in starts)]
    assert found == matching(name, RunConfig())


def test_one_setting_with_its_documentation():
    text = config("fit.eft.num_steps")
    assert text.splitlines()[:3] == [
        "# fit.eft: Exemplar fine-tuning (EFT, Joo et al. 2021) of one frame, for each",
        "# person.",
        "fit.eft.num_steps=30",
    ]
    assert "Adam steps at most per person and frame" in text
    assert text.endswith("A whole number of 0 or more.\n")
    changed = config("fit.eft.num_steps", "--preset", "fast")
    assert "fit.eft.num_steps=10  (default: 30)\n" in changed
    assert max(map(len, config("fit").splitlines())) <= 80


def test_every_setting_is_found_and_can_be_set_as_printed():
    for row in describe(RunConfig()):
        (line,) = re.findall(rf"^{re.escape(row.name)}=.*$", config(row.name), re.MULTILINE)
        assert set_values(RunConfig(), [line]) == RunConfig()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fit.eft.num_step", "did you mean fit.eft.num_steps?"),
        ("eft.min_score", "eft.min_score is now keypoints.min_score"),
        ("render", "render is now draw"),
        ("zzz", "there is no setting 'zzz'"),
        ("", "there is no setting ''"),
        (".", "there is no setting '.'"),
        ("a\nb", "there is no setting "),
    ],
)
def test_wrong_names(name, words):
    done = runner.invoke(app, ["config", name])
    assert done.exit_code == 2 and not done.stdout
    assert done.stderr.startswith("error: ") and words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(ConfigError):
        matching(name, RunConfig())

"""Configurations as TOML files: they read back to the same; every refusal."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from config_toy import OLD, TREES, Toy

from eftvideo.config.dotted import differences
from eftvideo.config.files import read_toml, to_toml
from eftvideo.errors import ConfigError


@pytest.mark.parametrize("docs", [True, False])
@pytest.mark.parametrize("cfg", TREES)
def test_a_file_reads_back_to_the_same(cfg, docs, tmp_path):
    file = tmp_path / "cfg.toml"
    file.write_bytes(to_toml(cfg, docs).encode())
    assert read_toml(file, type(cfg)()) == cfg
    file.write_bytes(b"\xef\xbb\xbf" + to_toml(cfg, docs).replace("\n", "\r\n").encode())
    assert read_toml(file, type(cfg)()) == cfg, "as a Windows editor saves it"


def test_the_file_is_documented():
    text = to_toml(Toy())
    assert "# First second.\nstart_s = 0.0\n" in text
    assert '# Last second.\n# end_s = "none"\nname = "toy"\n' in text
    assert "# How bodies are fitted. Fields of groups are documented too.\n[fit]\n" in text
    assert "# A number from 0 to 1.\nopacity = 0.85\n" in text
    assert '# Which way. One of eft, smplify, regress.\nmethod = "eft"\n' in text
    assert "[fit.eft]\n# Steps at most. A whole number of 1 or more.\nnum_steps = 30\n" in text
    plain = to_toml(Toy(), docs=False)
    assert [line for line in plain.splitlines() if line.startswith("#")] == [
        '# end_s = "none"',
        '# tune = "none"',
        '# ids = "none"',
    ]


def test_a_class_without_source_has_no_comments():
    bare = dataclasses.make_dataclass("Bare", [("x", int, 1)], frozen=True)
    assert to_toml(bare()).endswith("\n\nx = 1\n")


@pytest.mark.parametrize("cfg", TREES)
def test_lines_are_no_longer_than_100(cfg):
    assert max(map(len, to_toml(cfg).splitlines())) <= 100


def test_a_commented_line_may_be_uncommented(tmp_path):
    file = tmp_path / "cfg.toml"
    file.write_text(to_toml(Toy(), docs=False).replace("# ", ""))
    assert read_toml(file, Toy()) == Toy()
    assert read_toml(file, Toy(end_s=3.0)).end_s is None


def test_a_file_sets_only_what_it_names(tmp_path):
    file = tmp_path / "cfg.toml"
    file.write_text(
        'start_s = 2\nfit.eft.rate = "none"\n[smooth]\nviews = ["top"]\nspan = [1, 2]\n'
    )
    base = Toy(stride=5, end_s=9.0)
    cfg = read_toml(str(file), base)
    assert differences(cfg, base) == {
        "start_s": 2.0,
        "fit.eft.rate": None,
        "smooth.views": ("top",),
        "smooth.span": (1.0, 2.0),
    }
    assert isinstance(cfg.start_s, float)
    file.write_text("")
    assert read_toml(file, base) == base


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stride = ", "is not TOML, mend it: Invalid value (at the end, line 1)"),
        ("stride = 1\n\nname = toy", "at line 3"),
        ("stride = 1\nstride = 2", "line 2"),
        ("end_s = none", "at line 1"),
        (
            "[fit.eft]\nnum_step = 3",
            "no setting 'fit.eft.num_step': did you mean fit.eft.num_steps?",
        ),
        ("[eft]\nnum_steps = 3", "no setting 'eft.num_steps': did you mean fit.eft.num_steps?"),
        ("[zzz]", "there is no setting 'zzz': names begin with one of start_s"),
        (
            "smooth = 3",
            "smooth is a group, not a setting: set one of its fields, such as smooth.str",
        ),
        ("[[smooth]]\nstrength = 1", "smooth is a group"),
        ("[fit.smooth]\nstrength = 1", "fit.smooth.strength is now smooth.strength: use that name"),
        ("steps = 3", "steps is now fit.eft.num_steps"),
        ("stride = '3'", "stride must be a whole number, but got '3': leave out the quotes"),
        ("stride = 'three'", "stride must be a whole number, but got 'three'"),
        ("stride = 3.0", "stride must be a whole number, but got 3.0"),
        ("stride = true", "stride must be a whole number, but got true"),
        ("stride = 2020-01-01", "stride must be a whole number, but got 2020-01-01"),
        ("stride = [3]", "stride must be a whole number, but got [3]"),
        ("stride = 'none'", "stride must be a whole number, but got 'none'"),
        ("[stride]\nx = 3", "stride must be a whole number, but got a table"),
        ("start_s = nan", "start_s must be a finite number, but got nan"),
        ("start_s = inf", "start_s must be a finite number, but got inf"),
        ("name = 3", "name must be text, but got 3"),
        ("opacity = 1.5", "opacity must be a number from 0 to 1, but got 1.5"),
        ("fit.enabled = 1", "fit.enabled must be true or false, but got 1"),
        ("fit.enabled = 'yes'", "must be true or false, but got 'yes': leave out the quotes"),
        ("fit.method = 'regres'", "fit.method must be one of regress, "),
        ("fit.levels = '1'", "fit.levels must be one of 1, 2, 4, but got '1'"),
        ("smooth.windows_s = 1", "list of numbers above 0, but got 1: put it in brackets, [...]"),
        ("smooth.windows_s = [1, -2]", "numbers above 0, but got [1, -2]"),
        ("smooth.windows_s = ['1']", "numbers above 0, but got ['1']"),
        ("smooth.windows_s = [{a = 1}]", "numbers above 0, but got [a table]"),
        ("smooth.span = [1, 2, 3]", "smooth.span must be a list of 2 numbers, but got [1, 2, 3]"),
    ],
)
def test_wrong_files_are_refused_in_one_line(text, words, tmp_path):
    file = tmp_path / "cfg.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as e:
        read_toml(file, Toy(), OLD)
    assert str(e.value).startswith(str(file))
    assert words in str(e.value)
    assert "\n" not in str(e.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.toml is not there: give the path of a TOML file"):
        read_toml(tmp_path / "no.toml", Toy())
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path, Toy())
    file = tmp_path / "cfg.toml"
    file.write_bytes(b"stride = 1\nname = '\xff'")
    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(at line 2\)"):
        read_toml(file, Toy())
    file.write_text("stride = " + "[" * 100_000)
    with pytest.raises(ConfigError, match="is not TOML"):
        read_toml(file, Toy())
    file.write_text("stride = " + "9" * 5000)
    with pytest.raises(ConfigError, match=r"is not TOML|whole number"):
        read_toml(file, Toy())


def test_what_no_file_can_hold_is_not_written():
    with pytest.raises(ConfigError, match="no file can hold the text"):
        to_toml(Toy(name="\udcff"))
    with pytest.raises(ConfigError, match="opacity must be"):
        to_toml(Toy(opacity=7.0))


def test_nothing_heavy_is_imported():
    script = """
import sys
import eftvideo.config.files, eftvideo.config.docs
print(*sorted({"torch", "numpy", "typer", "rich"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")

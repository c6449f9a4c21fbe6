"""The report: figures of the result, pictures of the right people, nothing fetched."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from media import make_clip
from typer.testing import CliRunner

from eftvideo.cli.app import app
from eftvideo.config import EftConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.errors import ConfigError
from eftvideo.pipeline import run_video
from eftvideo.report import pictures as report_pictures
from eftvideo.report.charts import WIDTH, TimeAxis, css_colour, pieces, tracks_chart
from eftvideo.report.pictures import rejected_rows, worst_rows
from eftvideo.report.write import write_report
from eftvideo.results.result import empty_rows
from eftvideo.types import FILLED, FITTED, REJECTED

VOID = {"meta", "img", "br", "rect", "line"}


class Page(HTMLParser):
    """Tags, attributes and words of a page; every element must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text.replace("<wbr>", ""))
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and (not self.open or self.open[-1] != "style"):
            self.words.append(data.strip())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def some_rejected(finished):
    """The finished run with three fits of person 2 marked as rejected."""
    status = finished.result.status.copy()
    status[:] = FITTED
    status[(finished.result.track_id == 2) & (finished.result.frame >= 5)] = REJECTED
    return replace(finished.result, status=status)


@pytest.fixture(scope="module")
def written(some_rejected, finished, tmp_path_factory):
    seconds = {"detect": 2.0, "fit": 4.0}
    folder = tmp_path_factory.mktemp("report")
    path = write_report(some_rejected, finished.clip, folder, timings_s=seconds)
    assert path == folder / "clip_report.html" and list(folder.iterdir()) == [path]
    return path.read_text(encoding="utf-8")


def test_nothing_is_fetched(written):
    """No address outside the file, no script, and a policy that forbids both."""
    page = Page(written)
    text = re.sub(r"base64,[\w+/=]+", "", written)
    assert not re.search(r"https?:|//|url\(|@import", text)
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    (policy,) = [m for m in page.all("meta") if "http-equiv" in m]
    assert policy["content"].startswith("default-src 'none'")
    assert all(i["src"].startswith("data:image/jpeg;base64,") for i in page.all("img"))


def test_figures_are_those_of_the_result(written, some_rejected):
    words = Page(written).words
    person = some_rejected.track(2)
    at = words.index("rejected") + 1
    row = words[at + 9 : at + 18]
    assert row == [
        *("2", "8", "0.00 s", "0.23 s"),
        f"{np.median(person.loss_px_start):.1f}",
        f"{np.median(person.loss_px):.1f}",
        *(f"{person.num_steps.mean():.1f}", "0", "3"),
    ]
    assert "2.0 s, 4.0 frames/s" in words and "4.0 s, 2.0 frames/s" in words
    assert "3 of 16 fits were rejected; the network's own answer was kept there." in words
    assert words[words.index("fit.eft.num_steps") + 1] == str(EftConfig().num_steps)
    assert some_rejected.config["versions"]["torch"] in words


def test_changed_settings_come_first(finished, tmp_path):
    config = RunConfig().to_dict()
    plain = replace(finished.result, config=config)
    text = write_report(plain, finished.clip, tmp_path).read_text(encoding="utf-8")
    assert "All as they are by default." in text and 'class="changed"' not in text
    config["fit"]["eft"] |= {"num_steps": 7, "tune": "all", "learning_rate": 0.1}
    text = write_report(plain, finished.clip, tmp_path).read_text(encoding="utf-8")
    words = Page(text).words
    place = words.index("Settings")
    assert words[place + 1 : place + 4] == ["fit.eft.num_steps", "7", "All options"]
    assert "All as they are by default." not in text


def test_settings_of_version_0_1_have_their_present_names(finished, tmp_path):
    """Those that are as they are by default are not called changed, whatever they were called."""
    config = {
        "body": None,
        "clip": {"start_s": 0.0, "end_s": None, "stride": 1},
        "detect": {"model": "yolo11n-pose", "min_track_s": 0.2, "max_people": 2},
        "eft": {"num_steps": 7, "max_loss_px": 16.0, "min_score": 0.3, "tune": "head"},
        "lanes": 16,
        "method": "eft",
        "render": {"enabled": True, "draw": "both", "crf": 18},
        "shape": "per-track",
        "smooth": {"strength": 1.0, "fill_gaps": True},
        "versions": {"torch": "2.0"},
    }
    old = replace(finished.result, config=config)
    words = Page(write_report(old, finished.clip, tmp_path).read_text(encoding="utf-8")).words
    assert any("method eft; body" in w for w in words)
    place, end = words.index("Settings") + 1, words.index("All options")
    changed = dict(zip(words[place:end:2], words[place + 1 : end : 2], strict=True))
    assert changed == {"track.max_people": "2", "fit.eft.num_steps": "7", "draw.mode": "both"}
    everything, facts = words[end : words.index("Versions and files")], words[end:]
    for name, value in (
        ("fit.accept.max_loss_px", "16.0"),
        ("keypoints.min_score", "0.3"),
        ("track.unlikely.min_track_s", "0.2"),
        ("fit.shape.enabled", "True"),
        ("refine.gaps.enabled", "True"),
        ("fit.method", "eft"),
    ):
        assert everything[everything.index(name) + 1] == value
    assert facts[facts.index("lanes") + 1] == "16" and "versions.torch" in facts


def test_bars_are_where_the_people_were(written, some_rejected):
    bars = [a for a in Page(written).all("rect") if a["class"] == "bar"]
    assert [a["fill"] for a in bars] == [css_colour(1), css_colour(2)]
    assert all((float(a["x"]), float(a["width"])) == (0.0, WIDTH) for a in bars)
    (bad,) = [a for a in Page(written).all("rect") if a["class"] == "bar rejected"]
    assert float(bad["x"]) == pytest.approx(WIDTH * 5 / 8, abs=0.1)
    assert float(bad["width"]) == pytest.approx(WIDTH * 3 / 8, abs=0.1)


def test_lines_are_the_errors(written, some_rejected):
    lines = Page(written).all("polyline")
    assert [a["class"] for a in lines] == ["before", "after"] * 2
    person = some_rejected.track(1)
    points = np.array([[float(v) for v in p.split(",")] for p in lines[1]["points"].split()])
    (top,) = set(re.findall(r'top:0">(\d+) px', written))
    share = np.minimum(person.loss_px / float(top), 1.0)  # the largest 2 % are cut off
    np.testing.assert_allclose(points[:, 1], 90 * (1 - share), atol=0.06)
    assert (share < 1.0).sum() >= 6
    before = [float(p.split(",")[1]) for p in lines[0]["points"].split()]
    assert np.mean(before) < points[:, 1].mean(), "errors before the fit are drawn higher"


def test_pictures_show_what_they_say(written):
    page = Page(written)
    images = [
        cv2.imdecode(np.frombuffer(base64.b64decode(i["src"].split(",")[1]), np.uint8), 1)
        for i in page.all("img")
    ]
    names = [i["alt"] for i in page.all("img")]
    assert names[:6] == [f"{f / 30:.2f} s, frame {f}" for f in (0, 2, 3, 4, 6, 7)]
    assert names[-3:] == [n for n in names if "track 2" in n][-3:]
    assert [n.split(",")[1] for n in names[-3:]] == [f" frame {f}" for f in (5, 6, 7)]
    assert all(i.shape[:2] == (359, 640) for i in images[:6])
    assert all(i.shape[0] == 180 and i.std() > 10 for i in images[-3:])


def test_filled_frames_have_no_error(finished, tmp_path):
    """They are in the bars, but in no median, line or list of rejected fits."""
    status, loss = finished.result.status.copy(), finished.result.loss_px.copy()
    rows = (finished.result.track_id == 2) & np.isin(finished.result.frame, [3, 4])
    status[:], loss[rows] = FITTED, 0.0
    status[rows] = FILLED
    page = Page(
        write_report(
            replace(finished.result, status=status, loss_px=loss), finished.clip, tmp_path
        ).read_text("utf-8")
    )
    cells = page.words[page.words.index("rejected") + 10 :][:9]
    seen = finished.result.track(2).loss_px[[0, 1, 2, 5, 6, 7]]
    assert cells[1] == "8" and cells[5] == f"{np.median(seen):.1f}" and cells[7:] == ["2", "0"]
    assert len([a for a in page.all("rect") if a["class"] == "bar"]) == 2
    assert [len(a["points"].split()) for a in page.all("polyline")] == [8, 8, 3, 3, 3, 3]
    assert "None." in page.words


def test_gaps_stay_gaps(finished):
    result = finished.result
    seen = result.select((result.track_id == 1) & ~np.isin(result.frame, [2, 3]))
    assert [rows.tolist() for rows in pieces(seen, 1 / 30)] == [[0, 1], [2, 3, 4, 5]]
    axis = TimeAxis(0.0, 8 / 30)
    assert tracks_chart(seen, axis, 1 / 30).count('class="bar"') == 2


@pytest.mark.parametrize("span", [(0.0, 0.3), (0.0, 10.4), (3.0, 8.0), (0.0, 7200.0)])
def test_axis_has_a_few_round_times_in_order(span):
    places = re.findall(r'left:([\d.]+)%">([\d.e+]+) s', TimeAxis(*span).html())
    assert 2 <= len(places) <= 7
    for place, time_s in places:
        want = (float(time_s) - span[0]) / (span[1] - span[0])
        assert float(place) / 100 == pytest.approx(want, abs=1e-3) and want <= 0.95


def test_rows_worth_a_look(some_rejected, monkeypatch):
    assert [int(some_rejected.frame[r]) for r in rejected_rows(some_rejected)] == [5, 6, 7]
    monkeypatch.setattr(report_pictures, "MAX_REJECTED", 2)
    assert [int(some_rejected.frame[r]) for r in rejected_rows(some_rejected)] == [5, 7]
    (worst,) = worst_rows(some_rejected)  # all others are within half a second
    assert some_rejected.loss_px[worst] == some_rejected.loss_px.max()


def test_names_cannot_break_out_of_the_page(finished, tmp_path):
    odd = replace(finished.result, source='<b onload="x">&.mp4')
    text = write_report(odd, finished.clip, tmp_path).read_text("utf-8")
    assert "<b onload" not in text and "&lt;b onload=&quot;x&quot;&gt;&amp;.mp4" in text


def test_nobody_and_one_frame(finished, tmp_path):
    config = finished.result.config | {"clip": {"end_s": 0.01}}
    empty = replace(finished.result, **empty_rows(), config=config, timings_s={})
    page = Page(write_report(empty, finished.clip, tmp_path).read_text("utf-8"))
    assert "Nobody was found in the clip." in page.words and len(page.all("img")) == 1
    assert any("Not known" in w for w in page.words)


def test_run_writes_it_with_the_speed(finished, tmp_path):
    files = ("draw.enabled=no", "draw.report=yes")
    cfg = set_values(RunConfig(), [*files, "clip.end_s=0.1", "fit.method=regress"])
    run_video(finished.clip, tmp_path, cfg)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.npz", "clip_report.html"]
    words = Page((tmp_path / "clip_report.html").read_text("utf-8")).words
    speed = words[words.index("Speed by stage") : words.index("Settings")]
    assert {"detect", "fit"} <= set(speed) and "report" not in speed
    assert words[words.index("fit.method") + 1] == "regress"
    assert any("method regress; body" in w for w in words)


def test_command_line(finished, tmp_path):
    args = ["report", str(finished.folder / "clip.npz"), "-o", str(tmp_path), "--video"]
    done = CliRunner().invoke(app, [*args, str(finished.clip)])
    assert done.exit_code == 0 and done.stdout.startswith("wrote ")
    assert (tmp_path / "clip_report.html").stat().st_size > 50_000
    other = make_clip(tmp_path / "other.mp4")
    failed = CliRunner().invoke(app, [*args, str(other)])
    assert failed.exit_code == 2 and len(failed.stderr.splitlines()) == 1
    with pytest.raises(ConfigError, match="is not the clip of this result"):
        write_report(finished.result, other, tmp_path)

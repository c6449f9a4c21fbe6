"""Viewer and report in a real browser, where there is one: the checks of tools/, on a tiny run."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eftvideo.report.write import write_report
from eftvideo.types import REJECTED
from eftvideo.viewer.server import Viewer

TOOLS = Path(__file__).resolve().parents[1] / "tools"
sys.path.insert(0, str(TOOLS))
pytest.importorskip("websockets")
chromium = pytest.importorskip("chromium")
check_viewer = pytest.importorskip("check_viewer")
check_report = pytest.importorskip("check_report")

needs_browser = pytest.mark.skipif(chromium.find_chromium() is None, reason="no Chromium here")


def wrong(lines):
    return [f"{what}: {seen}" for what, right, seen in lines if not right]


@needs_browser
@pytest.mark.slow
def test_viewer_on_a_phone(finished, tmp_path):
    with (
        Viewer(finished.result, finished.clip, port=0) as viewer,
        chromium.Chromium(chromium.PHONE, phone=True) as browser,
    ):
        page = check_viewer.Page(browser, viewer, tmp_path, "phone")
        canvas, panel = page.place(check_viewer.CANVAS), page.place(check_viewer.SLIDER)
        assert wrong(check_viewer.check(page, 1)) == []
    # The bodies above, the timeline below them and nearly as wide as the page.
    assert canvas[0] == 0 and canvas[2] == 390 and canvas[3] < 0.6 * 844
    assert panel[1] > canvas[3] and panel[2] > 250


@needs_browser
@pytest.mark.parametrize("size", [chromium.DESKTOP, chromium.PHONE], ids=["desktop", "phone"])
def test_report_fits_and_fetches_nothing(finished, tmp_path, size):
    status = np.where(finished.result.frame == 3, REJECTED, finished.result.status)
    result = replace(finished.result, status=status)
    path = write_report(result, finished.clip, tmp_path, timings_s={"detect": 2.0, "fit": 4.0})
    with chromium.Chromium(size, phone=size == chromium.PHONE) as browser:
        assert wrong(check_report.check(browser, path, tmp_path / "page.png")) == []


@needs_browser
def test_a_broken_page_is_noticed(tmp_path):
    """The checks can fail: a page that fetches, is too wide and has nothing of a report."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<!doctype html><main><section><h2>People</h2><p style="font-size:5px">x</p>'
        '<div style="width:3000px">wide</div></section><img src="missing.png"></main>'
        "<script>throw new Error('oh')</script>"
    )
    with chromium.Chromium(chromium.DESKTOP) as browser:
        lines = check_report.check(browser, page, tmp_path / "page.png")
    assert all(not right for what, right, _ in lines if what != "no section scrolls sideways")


def test_without_a_browser_it_is_said(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(FileNotFoundError, match=r"set \$CHROMIUM"):
        chromium.Chromium()

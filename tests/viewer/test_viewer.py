"""The viewer: served to this machine only, the right bodies in every frame, in true time."""

from __future__ import annotations

import builtins
import logging
import math
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from media import make_clip
from typer.testing import CliRunner

from eftvideo.bodies import load_body
from eftvideo.cli.app import app
from eftvideo.draw.views import look
from eftvideo.errors import ConfigError, MissingDependencyError
from eftvideo.results.posing import vertices
from eftvideo.results.result import empty_rows
from eftvideo.viewer import timeline as viewer_data
from eftvideo.viewer.places import FOV, PLACES, camera_fov, frustum_scale, look_from
from eftvideo.viewer.server import LOOPBACK, Viewer
from eftvideo.viewer.timeline import ErrorCurves, Meshes, Timeline


def free_port():
    with socket.socket() as s:
        s.bind((LOOPBACK, 0))
        return s.getsockname()[1]


def patiently(happened, seconds=20.0):
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.02)
    return happened()


@pytest.fixture(scope="module")
def with_gap(finished):
    """Person 2 is not there in frames 3 and 4."""
    r = finished.result
    return r.select(~((r.track_id == 2) & np.isin(r.frame, [3, 4])))


@pytest.fixture(scope="module")
def viewer(finished, with_gap):
    with Viewer(with_gap, finished.clip, port=free_port()) as open_viewer:
        yield open_viewer


def test_page_is_served_to_this_machine_only(viewer):
    assert viewer.url.startswith("http://127.0.0.1:")
    page = urllib.request.urlopen(viewer.url, timeout=10).read()
    assert b"<html" in page.lower() and len(page) > 10_000
    port = viewer.server.get_port()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):
        pass  # another address of this machine: it listens on one only


def test_bodies_are_those_of_the_frame(viewer, with_gap):
    body = load_body()
    for index in (2, 3, 6):
        viewer.show(index)
        assert viewer.index == viewer.slider.value == index
        for track_id, mesh in viewer.bodies.items():
            row = np.flatnonzero((with_gap.frame == index) & (with_gap.track_id == track_id))
            assert mesh.visible == bool(len(row))
            if len(row):
                np.testing.assert_allclose(
                    mesh.vertices, vertices(with_gap, body, row)[0], atol=1e-5
                )
    assert f"{with_gap.loss_px[with_gap.frame == 6][0]:.1f} px" in viewer.words.content
    assert viewer.words.content.startswith("0.20 s, frame 6")


def test_slider_moves_the_bodies(viewer):
    viewer.show(0)
    before = viewer.bodies[1].vertices.copy()
    viewer.slider.value = 7
    assert patiently(lambda: viewer.index == 7)
    assert np.abs(viewer.bodies[1].vertices - before).max() > 0.01


def test_people_on_and_off(viewer):
    viewer.show(1)
    viewer.shown[1].value = False
    assert patiently(lambda: not viewer.bodies[1].visible) and viewer.bodies[2].visible
    viewer.show(2)
    assert not viewer.bodies[1].visible
    viewer.shown[1].value = True
    assert patiently(lambda: viewer.bodies[1].visible)
    viewer.picture_shown.value = False
    assert patiently(lambda: not viewer.frustum.visible)
    viewer.picture_shown.value = True
    assert patiently(lambda: viewer.frustum.visible)


def test_camera_has_the_clips_angle_and_picture(viewer, finished, with_gap):
    assert viewer._pictures.wait(30.0)
    viewer.show(4)
    viewer.show(5)
    first = viewer.frustum.image
    assert first.shape == (359, 640, 3)
    viewer.show(0)
    assert np.abs(viewer.frustum.image.astype(int) - first).mean() > 0.5
    focal = float(with_gap.focal_length_px[0])
    assert viewer.frustum.fov == pytest.approx(2 * math.atan(496 / 2 / focal))
    assert viewer.frustum.aspect == pytest.approx(884 / 496)


def test_plot_shows_the_errors_and_where_it_is(viewer, with_gap):
    viewer.show(6)
    times, one, two, mark = viewer.plot.data
    np.testing.assert_allclose(one, with_gap.track(1).loss_px)
    assert np.isnan(two[[3, 4]]).all() and np.isfinite(two[[0, 1, 2, 5, 6, 7]]).all()
    assert np.flatnonzero(np.isfinite(mark)).tolist() == [5, 6] and mark[6] > mark[5]
    assert len(times) == 8


def test_playing_keeps_time_and_pausing_stays(viewer):
    viewer.show(0)
    viewer.speed.value = "1/8"
    seen, began = [], time.monotonic()
    viewer.play()
    while time.monotonic() - began < 1.2:
        seen += [] if seen and seen[-1] == viewer.index else [viewer.index]
        time.sleep(0.005)
    viewer.pause()
    # 8 frames take 0.267 s, at an eighth 2.1 s: some four to five frames in 1.2 s.
    assert seen == sorted(seen) and 3 <= seen[-1] <= 5
    time.sleep(0.3)
    stayed = viewer.index
    time.sleep(0.3)
    assert viewer.index == stayed and viewer.play_button.label == "Play"


def test_long_results_hold_few_meshes(finished, monkeypatch):
    monkeypatch.setattr(viewer_data, "BLOCK_ROWS", 2)
    monkeypatch.setattr(viewer_data, "MAX_BLOCKS", 3)
    body = load_body()
    meshes = Meshes(finished.result, body)
    want = vertices(finished.result, body, slice(0, 16))
    for row in (0, 5, 15, 1, 9, 0):
        np.testing.assert_allclose(meshes.of_row(row), want[row], atol=1e-5)
    assert len(meshes._blocks) == 3


def test_timeline_without_a_clip(with_gap):
    only = with_gap.select(with_gap.track_id == 2)
    timeline = Timeline(only, None)
    assert timeline.frames.tolist() == [0, 1, 2, 5, 6, 7]
    assert [timeline.at(t) for t in (-1.0, 0.0, 0.09, 0.17, 9.0)] == [0, 0, 2, 3, 5]
    assert timeline.rows(3) == {2: 3}
    curves = ErrorCurves(timeline, [2])
    assert len(curves.series()) == len(curves.data(0)) == 3
    one = Timeline(only.select(np.array([0])), None)
    assert np.isfinite(ErrorCurves(one, [2]).data(0)[1]).all()


def test_picture_stands_where_it_is_told():
    """As viser's client does it: scale a pyramid of unit depth to unit volume, then by `scale`."""
    for depth, fov, aspect in ((5.0, 0.9, 16 / 9), (18.7, 0.5, 0.6)):
        half = math.tan(fov / 2)
        volume_scale = (
            math.cbrt(half * half * aspect / 3.0)
            if hasattr(math, "cbrt")
            else (half * half * aspect / 3.0) ** (1 / 3)
        )
        assert frustum_scale(depth, fov, aspect) / volume_scale == pytest.approx(depth)


@pytest.mark.parametrize("name", PLACES)
def test_views_look_at_the_people_from_where_they_say(name):
    """Also from a camera that is tilted: everybody is in the picture, at a phone's width too."""
    rng = np.random.default_rng(4)
    people = rng.uniform([-3.0, 0.0, 4.0], [3.0, 0.5, 16.0], (200, 3))
    level = look(10.0, -20.0)
    position, target = map(np.array, look_from(name, people, level, aspect=0.5))
    away = target - position
    assert np.linalg.norm(away) > 3.0
    if name == "camera":
        assert (position == 0.0).all() and away[2] > 0.0
        return
    x, y, z = level @ away
    main = {"beside": 2, "side": 0, "top": 1}[name]
    assert np.abs([x, y, z]).argmax() == main
    assert {"beside": z > 0.0, "side": x < 0.0, "top": y > 0.0 and z > 0.0}[name]
    forward = away / np.linalg.norm(away)
    right = np.cross(level[1], forward)
    right /= np.linalg.norm(right)
    seen = (people - position) @ np.stack([right, np.cross(forward, right), forward]).T
    slopes = np.abs(seen[:, :2] / seen[:, 2:])
    limit = np.tan(FOV / 2.0)
    assert (seen[:, 2] > 0.0).all() and (slopes < [0.5 * limit, limit]).all()
    assert (slopes / [0.5 * limit, limit]).max() > 0.5  # and no farther away than need be


def test_camera_view_shows_the_whole_picture():
    wide, clip = 2.0, 16 / 9
    assert camera_fov(0.8, clip, wide) == pytest.approx(0.8)
    narrow = camera_fov(0.8, clip, 0.5)
    assert np.tan(narrow / 2) * 0.5 == pytest.approx(np.tan(0.4) * clip)


def test_picture_that_is_read_late_is_shown_without_moving(finished):
    with Viewer(finished.result, finished.clip, port=free_port()) as late:
        assert patiently(lambda: late.frustum.image is not None) and late.index == 0


def test_what_is_refused(finished, tmp_path, monkeypatch):
    nobody = replace(finished.result, **empty_rows())
    with pytest.raises(ConfigError, match=r"nobody is in this result of clip\.mp4"):
        Viewer(nobody)
    with pytest.raises(ConfigError, match="is not the clip of this result"):
        Viewer(finished.result, make_clip(tmp_path / "other.mp4"))
    done = CliRunner().invoke(app, ["view", str(finished.folder / "clip.npz"), "--port", "0"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == ["error: --port must be 1 to 65535, but got 0"]
    real = builtins.__import__

    def without_viser(name, *args, **kwargs):
        if name == "viser":
            raise ImportError("No module named 'viser'", name="viser")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_viser)
    with pytest.raises(MissingDependencyError, match=r"pip install 'eftvideo\[view\]'"):
        Viewer(finished.result)


def test_other_hosts_are_warned_of(finished, monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("eftvideo"), "propagate", True)
    with Viewer(finished.result, host="127.0.0.3", port=free_port()):
        assert "there is no password: whoever can reach http://127.0.0.3" in caplog.text


def test_command_line_serves_until_ctrl_c(finished):
    port = free_port()
    args = ["view", str(finished.folder / "clip.npz"), "--port", str(port)]
    served = subprocess.Popen(
        [sys.executable, "-m", "eftvideo", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )

    assert served.stdout is not None
    try:
        said = served.stdout.readline().decode()
        assert said == f"http://127.0.0.1:{port} shows clip.npz; Ctrl-C ends it\n"
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10).status == 200
        served.send_signal(signal.SIGINT)
        out, err = served.communicate(timeout=30)
    finally:
        served.kill()
    assert (served.returncode, out, err) == (0, b"", b"")

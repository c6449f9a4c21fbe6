"""Drawing a result again: the run's own pixels, other views in which people are where they are."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from media import make_clip
from typer.testing import CliRunner

from eftvideo.bodies import load_body
from eftvideo.cli.app import app
from eftvideo.config import ClipConfig, DrawConfig, RerenderConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.config.old_names import part_of
from eftvideo.draw.panels import panel_layout
from eftvideo.draw.result import render_result
from eftvideo.draw.views import OWN, fit_ground, floor_lines
from eftvideo.errors import ConfigError, VideoOpenError
from eftvideo.pipeline import run_video
from eftvideo.results.posing import body_of, vertices
from eftvideo.results.result import empty_rows
from eftvideo.results.result_file import load_result, save_result
from eftvideo.video.probe import probe
from eftvideo.video.reader import open_video


def frames_of(path):
    with open_video(path) as clip:
        return [(f.time_s, f.image) for f in clip]


def picture(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(int)


def nobody(result):
    return replace(result, **empty_rows())


def test_same_settings_give_the_runs_own_overlay(finished, tmp_path):
    """Pixel for pixel, time for time, sound too."""
    (path,) = render_result(finished.result, finished.clip, tmp_path)
    assert path == tmp_path / "clip_render.mp4"
    overlay = finished.folder / "clip_overlay.mp4"
    assert path.read_bytes() == overlay.read_bytes()
    ours, theirs = frames_of(path), frames_of(overlay)
    assert len(ours) == len(theirs) == 8
    for (t, image), (want_t, want) in zip(ours, theirs, strict=True):
        assert t == want_t
        np.testing.assert_array_equal(image, want)
    assert [p.name for p in tmp_path.iterdir()] == ["clip_render.mp4"]


def test_bodies_do_not_depend_on_the_number_of_threads(finished):
    """Down to the last bit; otherwise some pixel of a long clip is another one."""
    body, threads = load_body(), torch.get_num_threads()
    many = finished.result.select(np.arange(64) % len(finished.result))
    try:
        posed = []
        for num in (1, 2, 3, 4):
            torch.set_num_threads(num)
            posed.append(vertices(many, body, slice(0, 64)))
            assert torch.get_num_threads() == num
    finally:
        torch.set_num_threads(threads)
    for other in posed[1:]:
        np.testing.assert_array_equal(other, posed[0])


def test_the_runs_range_and_style_are_kept(finished, tmp_path):
    style = ("draw.mode=both", "draw.opacity=0.5", "draw.crf=25")
    frames = ("clip.start_s=0.03", "clip.stride=2")
    cfg = set_values(RunConfig(), [*style, *frames, "fit.method=regress"])
    result = run_video(finished.clip, tmp_path / "run", cfg)
    (path,) = render_result(result, finished.clip, tmp_path)
    assert path.read_bytes() == (tmp_path / "run" / "clip_overlay.mp4").read_bytes()


@pytest.mark.parametrize("draw", ["mesh", "both"])
def test_without_opengl_a_run_and_a_render_draw_the_same(finished, tmp_path, caplog, no_gl, draw):
    """The detector's skeletons; in other views, where these have no place, bones."""
    cfg = set_values(RunConfig(), [f"draw.mode={draw}", "fit.method=regress"])
    result = run_video(finished.clip, tmp_path, cfg)
    (path,) = render_result(result, finished.clip, tmp_path)
    assert path.read_bytes() == (tmp_path / "clip_overlay.mp4").read_bytes()
    assert caplog.text.count("keypoint skeletons are drawn instead: no OpenGL") == 2

    def pixels(layers, view):
        cfg = RerenderConfig((view,), layers, frames=(7,), output="png")
        folder = tmp_path / view / "_".join(layers)
        (picture_of,) = render_result(result, finished.clip, folder, cfg)
        return picture(picture_of)

    for view, figure in (("overlay", "skeleton"), ("side", "bones")):
        for layers in (("mesh",), ("wireframe", "mesh", "skeleton")):
            np.testing.assert_array_equal(pixels(layers, view), pixels((figure,), view))
    assert "no wireframe can be drawn, bones are drawn instead" in caplog.text


def test_views_in_a_grid(finished, tmp_path):
    views = ("overlay", "side", "top", "front")
    (path,) = render_result(finished.result, finished.clip, tmp_path, RerenderConfig(views=views))
    media = probe(path)
    assert (media.width_px, media.height_px) == (2 * 884, 2 * 496)
    assert len(media.ticks) == 8 and media.audio_codecs == probe(finished.clip).audio_codecs
    image = frames_of(path)[0][1].astype(int)
    own = frames_of(finished.folder / "clip_overlay.mp4")[0][1].astype(int)
    assert np.abs(image[:496, :884] - own).mean() < 3.0
    for x, y in ((884, 0), (0, 496), (884, 496)):
        panel = image[y : y + 496, x : x + 884]
        strong = (panel.max(axis=2) - panel.min(axis=2)) > 40  # coloured bodies on a grey ground
        assert 0.002 < strong.mean() < 0.3
        rows, columns = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
        assert rows[0] > 3 and rows[-1] < 492 and columns[0] > 3 and columns[-1] < 880


@pytest.mark.parametrize("draw", ["wireframe", "bones", "trails", "error", "mesh"])
def test_layers_on_plain_ground(finished, tmp_path, draw):
    cfg = RerenderConfig(draw=(draw,), plain=True, frames=(7,), output="png")
    (path,) = render_result(finished.result, finished.clip, tmp_path, cfg)
    (empty,) = render_result(nobody(finished.result), finished.clip, tmp_path / "e", cfg)
    assert path.name == "clip_000007.png"
    image, ground = picture(path), picture(empty)
    assert image.shape == (496, 884, 3) and (ground > 180).mean() > 0.98
    drawn = (image.max(axis=2) - image.min(axis=2)) > 30
    assert drawn.any()
    rows = finished.result.frame == 7
    y, x = np.nonzero(drawn)
    boxes = finished.result.bbox_xyxy[rows]
    reach = 40 + 0.5 * (boxes[:, 3] - boxes[:, 1])
    near = [
        (x > b[0] - m) & (x < b[2] + m) & (y > b[1] - m) & (y < b[3] + m)
        for b, m in zip(boxes, reach, strict=True)
    ]
    assert np.any(near, axis=0).all() and all(n.any() for n in near)


def test_pictures_of_some_frames_and_people(finished, tmp_path):
    cfg = RerenderConfig(frames=(5, 2), output="png", track_ids=(2,))
    paths = render_result(finished.result, finished.clip, tmp_path, cfg, stem="a")
    assert [p.name for p in paths] == ["a_000002.png", "a_000005.png"]
    clip = frames_of(finished.clip)[5][1].astype(int)
    changed = np.abs(picture(paths[1]) - clip).max(axis=2) > 25
    at = finished.result.frame == 5
    ids, boxes = finished.result.track_id[at], finished.result.bbox_xyxy[at].astype(int)
    for track_id, box in zip(ids, boxes, strict=True):
        inside = changed[max(0, box[1]) : box[3], max(0, box[0]) : box[2]]
        assert (inside.mean() > 0.1) == (track_id == 2)


def test_gif_turns_and_runs_as_long_as_the_clip(finished, tmp_path):
    cfg = RerenderConfig(views=("turntable",), output="gif", turn_s=0.5, gif_width_px=300)
    (path,) = render_result(finished.result, finished.clip, tmp_path, cfg)
    capture = cv2.VideoCapture(str(path))
    images = []
    while (read := capture.read())[0]:
        images.append(read[1].astype(int))
    assert path.name == "clip_render.gif" and images[0].shape == (168, 300, 3)
    assert 3 <= len(images) <= 4  # 8 frames at 30 a second, as 12 a second
    assert np.abs(images[0] - images[2]).mean() > 0.5
    assert [p.name for p in tmp_path.iterdir()] == ["clip_render.gif"]


def test_nobody_can_be_drawn_too(finished, tmp_path):
    empty = nobody(finished.result)
    views = ("overlay", "side", "turntable")
    (path,) = render_result(empty, finished.clip, tmp_path, RerenderConfig(views=views))
    assert len(probe(path).ticks) == 8
    assert len(floor_lines(fit_ground(empty), empty, OWN, 500.0, (64, 48))) == 0


def test_layout():
    assert panel_layout(1, 641, 359, 100) == (1, 1, 641, 359)
    assert panel_layout(4, 1768, 994, 1920) == (2, 2, 960, 540)
    assert panel_layout(2, 640, 360, 1920) == (2, 1, 640, 360)
    assert panel_layout(4, 1080, 1920, 1920)[:2] == (4, 1)
    assert panel_layout(5, 641, 359, 1920)[:2] == (3, 2)


def test_what_is_refused(finished, tmp_path):
    result, clip = finished.result, finished.clip
    other = make_clip(tmp_path / "other.mp4")
    for cfg, words in (
        (RerenderConfig(views=("back",)), "unknown view 'back': choose from overlay"),
        (RerenderConfig(views=()), "no view is given"),
        (RerenderConfig(draw=("hair",)), "unknown thing to draw 'hair'"),
        (RerenderConfig(frames=(3,)), "add --png"),
        (RerenderConfig(frames=(3, 99), output="png"), "frame 99 was not read.*from 0 to 7"),
        (RerenderConfig(track_ids=(7,)), "no track 7 in this result: choose from 1, 2"),
        (RerenderConfig(turn_s=0.0), "--turn must be a positive"),
    ):
        with pytest.raises(ConfigError, match=words):
            render_result(result, clip, tmp_path / "out", cfg)
    with pytest.raises(ConfigError, match=r"12 frames of 128x64, but clip\.mp4 had 8 of 884x496"):
        render_result(result, other, tmp_path / "out")
    with pytest.raises(VideoOpenError):
        render_result(result, tmp_path / "none.mp4", tmp_path / "out")
    with pytest.raises(ConfigError, match="give the same file with --body"):
        body_of(replace(result, body_model="smpl sha256:" + 64 * "0"))
    assert not (tmp_path / "out").exists()


def test_settings_of_other_versions():
    old = {"render": {"draw": "both", "glow": 3}}
    assert part_of(old, "draw", DrawConfig) == DrawConfig(mode="both")
    assert part_of(old, "clip", ClipConfig) == ClipConfig()


def test_a_file_of_version_0_1_is_drawn_as_it_was(finished, tmp_path):
    """The same frames in the same style, from what that version wrote down."""
    style = ("draw.mode=skeleton", "draw.crf=30", "draw.opacity=0.5")
    cfg = set_values(RunConfig(), [*style, "clip.start_s=0.03", "clip.stride=2"])
    now = replace(finished.result, config=finished.result.config | cfg.to_dict())
    old_config = {
        "body": None,
        "clip": {"start_s": 0.03, "end_s": None, "stride": 2},
        "render": {
            "enabled": True,
            "draw": "skeleton",
            "opacity": 0.5,
            "crf": 30,
            "preset": "veryfast",
            "report": False,
        },
        "method": "eft",
    }
    save_result(tmp_path / "old.npz", replace(finished.result, config=old_config))
    old = load_result(tmp_path / "old.npz")
    assert old.config == old_config
    files = [
        render_result(result, finished.clip, tmp_path / name)[0].read_bytes()
        for result, name in ((old, "old"), (now, "now"), (finished.result, "else"))
    ]
    assert files[0] == files[1] != files[2]


def test_command_line(finished, tmp_path):
    npz = str(finished.folder / "clip.npz")
    args = ["render", npz, "--video", str(finished.clip), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, [*args, "--png", "--frames", "0, 3", "--views", "overlay,top"])
    assert done.exit_code == 0, done.output
    names = ["clip_000000.png", "clip_000003.png"]
    assert [line.split("/")[-1] for line in done.stdout.split()[1::2]] == names
    for more, words in (
        (["--frames", "3"], "add --png"),
        (["--png", "--frames", "x"], "--frames takes numbers like 10,50, but got 'x'"),
        (["--png", "--gif"], "not both"),
        (["--views", "up"], "unknown view 'up'"),
    ):
        failed = CliRunner().invoke(app, [*args, *more])
        assert failed.exit_code == 2
        (line,) = failed.stderr.splitlines()
        assert line.startswith("error: ") and words in line

"""The main path on a real clip, end to end: rows, the mesh that they name, the overlay."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest
import smplx
import torch
from media import ffmpeg
from smplx.utils import Struct

from eftvideo.bodies.smpl import NEUTRAL_BODY
from eftvideo.config import EftConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.errors import ConfigError, VideoWriteError
from eftvideo.landmarks.network import SPECS
from eftvideo.pipeline import run_video
from eftvideo.progress import Progress
from eftvideo.results.result import Result
from eftvideo.results.result_file import load_result
from eftvideo.setup import choose_device
from eftvideo.types import FITTED, REJECTED
from eftvideo.video.probe import probe
from eftvideo.video.reader import open_video
from eftvideo.weights import locate as weights
from tests.conftest import NUM_TINY

AS_FITTED = tuple(f"refine.{step}.enabled=no" for step in ("gaps", "smooth"))
SHORT = (*AS_FITTED, "clip.end_s=0.1")
"""The first three frames, as they were fitted."""


def told(*settings):
    return set_values(RunConfig(), settings)


class Listener(Progress):
    """Remembers what it is told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def begin(self, stage, total):
        self.told.append((stage, total))
        self.done = 0

    def advance(self, frames, **figures):
        self.done += frames

    def end(self):
        self.told[-1] += (self.done,)

    def found(self, tracks):
        self.told.append([(t.track_id, t.num_frames) for t in tracks])


def rows_of(result):
    names = [n for n in vars(result) if isinstance(getattr(result, n), np.ndarray)]
    return {name: getattr(result, name) for name in names}


def test_both_people_are_in_every_frame(finished):
    r = finished.result
    assert r.track_ids == [1, 2]
    assert r.frame.tolist() == sorted([*range(NUM_TINY)] * 2)
    assert r.track_id.tolist() == [1, 2] * NUM_TINY
    assert (r.width_px, r.height_px, r.fps, r.num_frames) == (884, 496, 30, NUM_TINY)
    np.testing.assert_allclose(r.time_s, r.frame / 30.0, atol=1e-6)
    assert r.source == "clip.mp4" and r.body_model.startswith("neutral_body sha256:")
    np.testing.assert_allclose(r.focal_length_px, np.hypot(884, 496), rtol=1e-6)


def test_file_holds_what_is_returned(finished):
    stored = load_result(finished.folder / "clip.npz")
    assert isinstance(stored, Result) and stored.config == finished.result.config
    for name, value in rows_of(finished.result).items():
        np.testing.assert_array_equal(getattr(stored, name), value, err_msg=name)
        assert np.isfinite(value).all(), name
    assert sorted(p.name for p in finished.folder.iterdir()) == ["clip.npz", "clip_overlay.mp4"]


def test_config_tells_versions_and_weights(finished):
    config = finished.result.config
    assert config["fit"]["eft"]["num_steps"] == EftConfig().num_steps
    assert config["versions"]["torch"] == importlib.metadata.version("torch")
    digest = weights.sha256_of(weights.shipped_folder() / NEUTRAL_BODY.file)
    assert config["weights_sha256"]["body"] == digest
    assert len(config["weights_sha256"]["lifter"]) == 64
    assert config["weights_sha256"]["landmarks_heavy"] == SPECS["heavy"].sha256
    assert config["undecodable_frames"] == []


def test_rows_are_the_mesh_in_the_camera_frame(finished):
    """smplx alone, from the stored axis-angles, gives the stored joints and keypoints."""
    r = finished.result
    with np.load(weights.shipped_folder() / NEUTRAL_BODY.file) as data:
        arrays = {k: data[k] for k in data.files if data[k].dtype.kind != "U"}
    plain = smplx.SMPL(
        "",
        data_struct=Struct(**arrays),
        vertex_ids=dict.fromkeys(("nose", "reye", "leye", "rear", "lear"), 0),
        use_hands=False,
        use_feet_keypoints=False,
    )
    out = plain(
        global_orient=torch.from_numpy(r.global_orient),
        body_pose=torch.from_numpy(r.body_pose),
        betas=torch.from_numpy(r.betas),
        transl=torch.from_numpy(r.transl),
    )
    np.testing.assert_allclose(out.joints[:, :24].detach(), r.joints3d, atol=1e-4)
    keypoints = np.einsum("kv,nvc->nkc", arrays["keypoint_regressor"][:17], out.vertices.detach())
    np.testing.assert_allclose(keypoints, r.keypoints3d, atol=1e-4)


def test_bodies_stand_where_the_people_are(finished):
    r = finished.result
    assert (r.transl[:, 2] > 3.0).all() and (r.transl[:, 2] < 30.0).all()
    middle = np.array([r.width_px, r.height_px]) / 2
    px = r.keypoints3d[..., :2] / r.keypoints3d[..., 2:] * r.focal_length_px[:, None, None] + middle
    seen = r.keypoints2d[..., 2] > 0.5
    error = np.linalg.norm(px - r.keypoints2d[..., :2], axis=-1)
    assert np.median(error[seen] / np.repeat(r.crop_size_px, seen.sum(1))) < 0.03


def test_fits_are_better_than_the_regressors_own_answers(finished):
    r = finished.result
    fitted = r.status == FITTED
    assert fitted.mean() > 0.7
    assert r.num_steps.max() <= EftConfig().num_steps and r.num_steps.sum() > 0
    # Smoothing gives some of it back: what is written was not fitted frame by frame.
    assert np.median(r.loss_px[fitted]) < 0.9 * np.median(r.loss_px_start[fitted])
    raw = run_video(finished.clip, cfg=told(*AS_FITTED))
    fitted = raw.status == FITTED
    assert raw.loss_px[fitted].mean() < 0.8 * raw.loss_px_start[fitted].mean()
    np.testing.assert_array_equal(raw.loss_px[~fitted], raw.loss_px_start[~fitted])


def test_overlay_has_the_clips_frames_times_size_and_sound(finished):
    clip, drawn = probe(finished.clip), probe(finished.folder / "clip_overlay.mp4")
    assert (drawn.width_px, drawn.height_px) == (clip.width_px, clip.height_px)
    assert drawn.fps == clip.fps and len(drawn.ticks) == len(clip.ticks)
    np.testing.assert_allclose(drawn.times_s, clip.times_s, atol=1e-4)
    assert drawn.audio_codecs == clip.audio_codecs


def test_people_are_drawn_where_they_are_and_nothing_elsewhere(finished):
    with open_video(finished.clip) as clip, open_video(finished.folder / "clip_overlay.mp4") as o:
        before, after = next(iter(clip)).image.astype(int), next(iter(o)).image.astype(int)
    change = np.abs(after - before).mean(axis=-1)
    inside = np.zeros(change.shape, bool)
    for x0, y0, x1, y1 in finished.result.select(finished.result.frame == 0).bbox_xyxy:
        w, h = 0.25 * (x1 - x0), 0.15 * (y1 - y0)
        rows = slice(max(0, int(y0 - h)), int(y1 + h))
        inside[rows, max(0, int(x0 - w)) : int(x1 + w)] = True
    assert (change[inside] > 25).mean() > 0.1
    assert (change[~inside] > 25).mean() < 0.01


def test_same_clip_twice_gives_the_same(finished):
    again = run_video(finished.clip, cfg=told("draw.enabled=no"))
    for name, value in rows_of(finished.result).items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)


def test_regress_is_the_start_of_eft(finished, tmp_path):
    cfg = told(*SHORT, "fit.method=regress", "draw.enabled=no")
    asked = run_video(finished.clip, tmp_path, cfg)
    first = finished.result.select(finished.result.frame == 0)
    assert asked.num_steps.sum() == 0 and (asked.status == FITTED).all()
    np.testing.assert_array_equal(asked.loss_px, asked.loss_px_start)
    # Without later frames the context is another one, so only nearly the same.
    same = asked.select(asked.frame == 0)
    np.testing.assert_allclose(same.bbox_xyxy, first.bbox_xyxy, atol=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


def test_rejected_fits_keep_the_regressors_answer(finished):
    short = (*SHORT, "draw.enabled=no")
    strict = run_video(finished.clip, cfg=told(*short, "fit.accept.max_loss_px=0.01"))
    asked = run_video(finished.clip, cfg=told(*short, "fit.method=regress"))
    assert (strict.status == REJECTED).all() and len(strict) == 6
    np.testing.assert_allclose(strict.body_pose, asked.body_pose, atol=1e-6)
    np.testing.assert_array_equal(strict.loss_px, strict.loss_px_start)


def test_range_stride_people_and_camera(finished):
    settings = ("clip.start_s=0.03", "clip.stride=2", "fit.method=regress", "fov_deg=60")
    progress = Listener()
    r = run_video(finished.clip, None, told(*settings, "track.track_ids=2"), progress)
    assert r.frame.tolist() == [1, 3, 5, 7] and r.track_ids == [2]
    assert r.num_frames == NUM_TINY
    np.testing.assert_allclose(r.focal_length_px, 442.0 / np.tan(np.radians(30.0)), rtol=1e-6)
    assert progress.told == [("detect", 4, 4), [(2, 4)], ("fit", 4, 4)]
    assert set(r.timings_s) == {"detect", "fit"}
    with pytest.raises(ConfigError, match="no track 9 in this clip: choose from 1, 2"):
        run_video(finished.clip, cfg=told(*settings, "track.track_ids=9"))


@pytest.fixture(scope="module")
def black(tmp_path_factory):
    path = tmp_path_factory.mktemp("black") / "black.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=black:size=161x121:rate=25", "-frames:v", "6",
           "-pix_fmt", "yuv444p", str(path))  # fmt: skip
    return path


def test_nobody_is_a_result(black, tmp_path):
    r = run_video(black, tmp_path)
    assert len(r) == 0 and r.num_frames == 6 and r.track_ids == []
    assert len(load_result(tmp_path / "black.npz")) == 0
    drawn = probe(tmp_path / "black_overlay.mp4")
    assert (len(drawn.ticks), drawn.width_px, drawn.height_px) == (6, 161, 121)


def test_without_opengl_skeletons_are_drawn(finished, tmp_path, no_gl, caplog):
    run_video(finished.clip, tmp_path, told(*SHORT, "fit.method=regress"))
    assert "skeletons are drawn instead" in caplog.text and "libegl1" in caplog.text
    with open_video(finished.clip) as clip, open_video(tmp_path / "clip_overlay.mp4") as drawn:
        before, after = next(iter(clip)).image.astype(int), next(iter(drawn)).image.astype(int)
    changed = (np.abs(after - before).mean(axis=-1) > 25).mean()
    assert 0.0005 < changed < 0.02


@pytest.mark.parametrize("draw", ["skeleton", "both"])
def test_other_ways_to_draw(finished, tmp_path, draw):
    cfg = told(*SHORT, "fit.method=regress", f"draw.mode={draw}")
    run_video(finished.clip, tmp_path, cfg)
    assert len(probe(tmp_path / "clip_overlay.mp4").ticks) == 3


def test_devices():
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda")
    for name, message in (
        ("tpu", "unknown device 'tpu'"),
        ("cuda:99", "is not there: torch sees"),
        ("meta", "is not supported"),
    ):
        with pytest.raises(ConfigError, match=message):
            choose_device(name)


@pytest.mark.parametrize("focal", [0.0, -10.0, float("inf"), float("nan")])
def test_focal_length_must_be_positive(finished, focal):
    with pytest.raises(ConfigError, match=r"focal_length_px must be a .*number above 0"):
        run_video(finished.clip, cfg=RunConfig(focal_length_px=focal))


def test_folder_is_tried_before_any_work(finished, tmp_path):
    (tmp_path / "file").write_text("x")
    progress = Listener()
    with pytest.raises(VideoWriteError, match="choose another with -o"):
        run_video(finished.clip, tmp_path / "file" / "out", progress=progress)
    assert progress.told == []

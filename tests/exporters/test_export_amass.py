"""AMASS npz by the rules of its importers, and what the body then does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_case import export, made_up, rodrigues, saved, turned

from eftvideo.bodies import load_body
from eftvideo.errors import ConfigError
from eftvideo.exporters._motion import motions
from eftvideo.types import SmplParams


def pose_smpl(data, betas):
    """Joints as SMPL code makes them from poses, trans and 1-D betas."""
    turns = torch.from_numpy(rodrigues(data["poses"].reshape(-1, 52, 3)[:, :22])).float()
    hands = torch.eye(3).expand(len(turns), 2, 3, 3)
    params = SmplParams(
        turns[:, 0],
        torch.cat([turns[:, 1:], hands], 1),
        torch.from_numpy(betas).float().expand(len(turns), -1),
    )
    return load_body().joints_and_keypoints(params)[0].numpy() + data["trans"][:, None]


@pytest.mark.parametrize("up", [None, "y"])
def test_importers_rules_and_round_trip(tmp_path, up):
    source, result = saved(tmp_path)
    written = export(source, "amass", tmp_path / "out", up=up)
    assert [w.path.name for w in written] == ["clip_person1_amass.npz", "clip_person4_amass.npz"]
    axis = up or "z"
    expected = {m.track_id: m for m in motions(result, load_body(), axis, 30.0)}
    for file in written:
        data = np.load(file.path, allow_pickle=False)
        num = len(data["poses"])
        # aitviewer: gender by .item(), mocap_framerate, betas with one axis.
        assert data["gender"].item() == "neutral" and isinstance(data["gender"].item(), str)
        assert data["mocap_framerate"] == data["mocap_frame_rate"] == 30
        assert int(data["mocap_frame_rate"]) == data["mocap_frame_rate"]
        # The Blender add-ons: 52 joints in a row, all of betas numbers.
        assert data["poses"].shape == (num, 156) and not data["poses"][:, 66:].any()
        assert data["trans"].shape == (num, 3) and data["dmpls"].shape == (num, 8)
        assert data["betas"].shape == (10,) and all(np.isfinite(b) for b in data["betas"])
        motion = expected[int(data["track_id"])]
        joints = pose_smpl(data, data["betas"])
        # Hands hang on wrists: SMPL's own hand joints turn only what AMASS has fingers for.
        assert np.abs(joints - motion.joints()).max() < 1e-3
        np.testing.assert_array_equal(data["frame_time_s"], result.track(motion.track_id).time_s)


def test_samples_on_frames_are_the_frames(tmp_path):
    source, result = saved(tmp_path, time_s=made_up().frame / 30.0)
    file = export(source, "amass", tmp_path / "a.npz", track_ids=(4,))[0]
    data = np.load(file.path)
    person = result.track(4)
    np.testing.assert_allclose(data["sample_time_s"], person.time_s, atol=1e-9)
    joints = pose_smpl(data, data["betas"])
    assert np.abs(joints - turned(person.joints3d, "z")).max() < 1e-3


def test_mean_shape_keeps_the_pelvis(tmp_path):
    source, result = saved(tmp_path, time_s=made_up().frame / 30.0)
    export(source, "amass", tmp_path / "a.npz", track_ids=(1,), mean_shape=True)
    data = np.load(tmp_path / "a.npz")
    assert not data["betas"].any()
    pelvis = pose_smpl(data, data["betas"])[:, 0]
    np.testing.assert_allclose(pelvis, turned(result.track(1).joints3d[:, 0], "z"), atol=1e-5)


@pytest.mark.parametrize(("clip_fps", "rate"), [(25, 30), (29.97, 30), (50, 60), (59.94, 60)])
def test_default_rate_is_what_the_add_ons_play_right(tmp_path, clip_fps, rate):
    source, _ = saved(tmp_path, time_s=made_up().frame / clip_fps)
    file = export(source, "amass", tmp_path / "a.npz", track_ids=(1,))[0]
    data = np.load(file.path)
    assert data["mocap_framerate"] == rate
    np.testing.assert_allclose(np.diff(data["sample_time_s"]), 1.0 / rate)


@pytest.mark.parametrize("fps", [25, 29.97])
def test_rates_that_importers_refuse(tmp_path, fps):
    source, _ = saved(tmp_path)
    with pytest.raises(ConfigError, match="whole number of 30 or more"):
        export(source, "amass", tmp_path, fps=fps)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]

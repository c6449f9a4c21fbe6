"""What results of version 0.1 say of their settings, read as it is said now."""

from __future__ import annotations

import pytest

from eftvideo.config import (
    ClipConfig,
    DetectConfig,
    DrawConfig,
    KeypointConfig,
    RunConfig,
    TrackConfig,
)
from eftvideo.config.dotted import set_values
from eftvideo.config.old_names import as_now, part_of, value_of

OLD = {
    "body": None,
    "clip": {"start_s": 1.0, "end_s": None, "stride": 2},
    "crop": {"box_scale": 1.1, "min_size_px": 8.0},
    "detect": {"second_look": "all", "lean_deg": 20.0, "max_people": 3, "track_ids": [1, 2]},
    "eft": {"num_steps": 7, "min_score": 0.4, "max_pose_change_rad": 1.5},
    "method": "smplify",
    "piece_frames": 8,
    "render": {"draw": "both", "enabled": False, "crf": 20, "glow": 3},
    "shape": "per-frame",
    "smooth": {"strength": 0.5, "fill_gaps": False},
}


def test_parts_of_an_old_result():
    assert part_of(OLD, "clip", ClipConfig) == ClipConfig(start_s=1.0, stride=2)
    assert part_of(OLD, "draw", DrawConfig) == DrawConfig(mode="both", enabled=False, crf=20)
    assert part_of(OLD, "keypoints", KeypointConfig) == KeypointConfig(min_score=0.4)
    assert part_of(OLD, "detect", DetectConfig) == DetectConfig(), "groups are left out"
    track = part_of(OLD, "track", TrackConfig)
    assert track == TrackConfig(max_people=3, track_ids=(1, 2))
    for nothing in ({}, {"render": None, "clip": 3}):
        assert part_of(nothing, "draw", DrawConfig) == DrawConfig()
        assert part_of(nothing, "clip", ClipConfig) == ClipConfig()


def test_parts_of_a_result_of_today():
    cfg = set_values(RunConfig(), ["draw.mode=both", "clip.stride=3", "keypoints.min_score=0.5"])
    stored = cfg.to_dict()
    assert part_of(stored, "draw", DrawConfig) == cfg.draw
    assert part_of(stored, "clip", ClipConfig) == cfg.clip
    assert part_of(stored, "keypoints", KeypointConfig) == cfg.keypoints
    assert value_of(stored, "fit.eft.num_steps") == cfg.fit.eft.num_steps
    # The present name comes first, should a file have both.
    assert value_of(stored | {"method": "regress"}, "fit.method") == "eft"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fit.method", "smplify"),
        ("fit.eft.num_steps", 7),
        ("fit.accept.max_pose_change_rad", 1.5),
        ("fit.crop.box_scale", 1.1),
        ("fit.shape.enabled", False),
        ("fit.chunks.num_frames", 8),
        ("refine.smooth.strength", 0.5),
        ("refine.gaps.enabled", False),
        ("track.max_people", 3),
        ("detect.second_look.whom", "all"),
        ("detect.second_look.lean_deg", 20.0),
        ("fit.smplify.camera_steps", None),
        ("body", None),
    ],
)
def test_single_settings_of_an_old_result(name, value):
    assert value_of(OLD, name) == value


def test_old_settings_as_they_are_called_now():
    assert as_now("eft.num_steps", 7) == ("fit.eft.num_steps", 7)
    assert as_now("eft.max_loss_px", 9.0) == ("fit.accept.max_loss_px", 9.0)
    assert as_now("shape", "per-track") == ("fit.shape.enabled", True)
    assert as_now("detect.second_look", "all") == ("detect.second_look.whom", "all")
    for same in ("clip.stride", "versions.torch", "detect.model"):
        assert as_now(same, "x") == (same, "x")

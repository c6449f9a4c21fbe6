"""The two JSON formats."""

from __future__ import annotations

import json

import numpy as np
import pytest
from export_case import FOCAL_PX, SIZE_PX, export, made_up, rodrigues, saved, turned

from eftvideo.bodies import load_body
from eftvideo.errors import ConfigError
from eftvideo.exporters.eft_json import OPENPOSE18, joint_validity
from eftvideo.geometry.skeletons import COCO17


def load(path):
    return json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("up", [None, "y", "z"])
def test_plain_json_holds_the_result(tmp_path, up):
    source, result = saved(tmp_path, one_shape=False)
    (file,) = export(source, "json", up=up)
    doc = load(file.path)
    assert (doc["format"], doc["version"], doc["resampled"]) == ("eftvideo", 1, False)
    assert [p["track_id"] for p in doc["people"]] == [1, 4]
    for person in doc["people"]:
        rows = result.track(person["track_id"])
        want = rows.joints3d if up is None else turned(rows.joints3d, up)
        np.testing.assert_allclose(person["joints3d"], want, atol=1e-5)
        np.testing.assert_allclose(person["keypoints2d"], rows.keypoints2d, atol=1e-6)
        np.testing.assert_allclose(person["time_s"], rows.time_s, atol=1e-6)
        assert person["frame"] == rows.frame.tolist()
        if up is None:
            np.testing.assert_allclose(person["transl"], rows.transl, atol=1e-5)
            turns = rodrigues(np.array(person["global_orient"]))
            np.testing.assert_allclose(turns, rodrigues(rows.global_orient), atol=1e-4)


def test_unknown_numbers_become_null(tmp_path):
    keypoints = made_up().keypoints2d.copy()
    keypoints[0, 3] = np.nan
    source, _ = saved(tmp_path, keypoints2d=keypoints)
    (file,) = export(source, "json")
    assert load(file.path)["people"][0]["keypoints2d"][0][3] == [None, None, None]


def test_resampled_json_has_no_frames(tmp_path):
    source, _ = saved(tmp_path)
    (file,) = export(source, "json", fps=50)
    doc = load(file.path)
    assert doc["resampled"] and doc["fps"] == 50
    person = doc["people"][0]
    assert "frame" not in person and len(person["time_s"]) == len(person["joints3d"])
    np.testing.assert_allclose(np.diff(person["time_s"]), 0.02, atol=2e-6)


def test_eft_fits_project_onto_the_crop(tmp_path):
    source, result = saved(tmp_path)
    (file,) = export(source, "eft-json")
    assert file.path.name == "clip_eft.json"
    doc = load(file.path)
    assert len(doc["data"]) == len(result) and "ver" in doc
    for i, entry in enumerate(doc["data"]):
        assert entry["imageName"] == f"clip_{result.frame[i]:06d}.jpg"
        assert entry["subjectId"] == result.track_id[i] and entry["smpltype"] == "smpl"
        assert entry["bbox_scale"] * 200.0 == pytest.approx(result.crop_size_px[i])
        assert entry["bbox_center"] == pytest.approx(result.crop_center_px[i].tolist())
        assert len(entry["parm_shape"]) == 10 and len(entry["joint_validity_openpose18"]) == 18
        # As EFT's demos do: SMPL from the rotations, then s X + t in the crop.
        joints = eft_joints(np.array(entry["parm_pose"]), np.array(entry["parm_shape"]))
        s, *t = entry["parm_cam"]
        px = (s * joints[:, :2] + t) * result.crop_size_px[i] / 2 + result.crop_center_px[i]
        x, y, z = result.joints3d[i].astype(float).T
        want = np.stack([x, y], 1) / z[:, None] * FOCAL_PX + np.array(SIZE_PX) / 2
        assert np.abs(np.linalg.norm(px - want, axis=1)).mean() < 12.0
        assert s > 0.0


@pytest.mark.parametrize("told", ["eft", "keypoints"])
def test_joints_are_valid_by_the_runs_own_limit(tmp_path, told):
    """Which version 0.1 wrote down in another place than later ones."""
    result = made_up()
    seen = result.keypoints2d.copy()
    seen[..., 2] = 0.45
    valid = []
    for limit in (0.4, 0.5):
        folder = tmp_path / str(limit)
        folder.mkdir()
        config = {"body": None, told: {"min_score": limit}}
        source, _ = saved(folder, keypoints2d=seen, config=config)
        (file,) = export(source, "eft-json")
        valid.append([sum(e["joint_validity_openpose18"]) for e in load(file.path)["data"]])
    assert min(valid[0]) > 0 and max(valid[1]) == 0


def eft_joints(pose, betas):
    import torch

    from eftvideo.types import SmplParams

    turns = torch.from_numpy(pose).float()[None]
    params = SmplParams(turns[:, 0], turns[:, 1:], torch.from_numpy(betas).float()[None])
    return load_body().joints_and_keypoints(params)[0][0].numpy()


def test_a_far_person_is_orthographic_almost_exactly(tmp_path):
    near = made_up()
    far = near.transl + np.float32([0, 0, 60])
    source, result = saved(
        tmp_path,
        transl=far,
        joints3d=near.joints3d + np.float32([0, 0, 60]),
        crop_center_px=np.tile(np.float32([315, 180]), (len(near), 1)),
    )
    (file,) = export(source, "eft-json")
    entry = load(file.path)["data"][0]
    joints = eft_joints(np.array(entry["parm_pose"]), np.array(entry["parm_shape"]))
    s, *t = entry["parm_cam"]
    px = (s * joints[:, :2] + t) * 125.0 + [315.0, 180.0]
    x, y, z = result.joints3d[0].astype(float).T
    want = np.stack([x, y], 1) / z[:, None] * FOCAL_PX + np.array(SIZE_PX) / 2
    assert np.abs(px - want).max() < 0.5


def test_validity_by_name():
    seen = np.zeros((1, 17), bool)
    seen[0, COCO17.index("left_wrist")] = seen[0, COCO17.index("left_shoulder")] = True
    valid = joint_validity(seen)[0]
    assert [OPENPOSE18[i] for i in np.flatnonzero(valid)] == ["left_shoulder", "left_wrist"]
    seen[0, COCO17.index("right_shoulder")] = True
    assert joint_validity(seen)[0, 1] == 1


def test_what_eft_json_cannot_have(tmp_path):
    source, _ = saved(tmp_path)
    with pytest.raises(ConfigError, match="--fps cannot be had in eft-json"):
        export(source, "eft-json", fps=30)
    with pytest.raises(ConfigError, match="--up y cannot be had in eft-json"):
        export(source, "eft-json", up="y")

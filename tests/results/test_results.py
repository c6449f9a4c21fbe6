"""The result file: every row comes back, nothing is pickled, nothing half-written stays."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest

from eftvideo.errors import ResultFormatError, VideoWriteError
from eftvideo.results.result import Result, empty_rows, typed_rows
from eftvideo.results.result_file import SCHEMA_VERSION, load_result, save_result
from eftvideo.types import Masks

HEADER = {
    "source": "Clip [1].mp4",
    "width_px": 811,
    "height_px": 500,
    "fps": Fraction(30000, 1001),
    "num_frames": 7,
    "body_model": "neutral_body sha256:abc",
    "config": {"eft": {"num_steps": 20}, "focal_length_px": None},
}
ROWS = list(empty_rows())


def made_up(num=5):
    rng = np.random.default_rng(0)
    rows = {
        name: rng.random((num, *a.shape[1:])).astype(a.dtype) for name, a in empty_rows().items()
    }
    rows["frame"] = np.array([0, 0, 1, 3, 3])[:num]
    rows["track_id"] = np.array([1, 2, 2, 1, 2])[:num]
    return Result(**rows, **HEADER)


def same(a, b):
    for name in ROWS:
        got, want = getattr(a, name), getattr(b, name)
        assert got.dtype == want.dtype, name
        np.testing.assert_array_equal(got, want, err_msg=name)
    for name in HEADER:
        assert getattr(a, name) == getattr(b, name), name


@pytest.mark.parametrize("num", [5, 0])
def test_comes_back(tmp_path, num):
    result = made_up(num)
    save_result(tmp_path / "a.npz", result)
    same(load_result(tmp_path / "a.npz"), result)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_file_needs_no_pickle_and_has_the_documented_keys(tmp_path):
    save_result(tmp_path / "a.npz", made_up())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        assert set(data.files) == {
            *ROWS,
            *("schema_version", "source", "width_px", "height_px", "fps_num", "fps_den"),
            *("num_frames", "body_model", "config"),
        }
        assert (data["fps_num"], data["fps_den"]) == (30000, 1001)
        assert json.loads(str(data["config"])) == HEADER["config"]
        for name in data.files:
            assert data[name].dtype != object


def test_masks_come_back_and_are_keys_of_their_own_where_asked_for(tmp_path):
    plain = made_up()
    shares = np.random.default_rng(1).random((5, 64, 64))
    masks = Masks.of(shares, np.arange(20.0).reshape(5, 4))
    save_result(tmp_path / "a.npz", replace(plain, masks=masks))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        assert data["mask"].shape == (5, 64, 32) and data["mask"].dtype == np.uint8
        assert data["mask_region"].shape == (5, 4) and data["mask_region"].dtype == np.float32
    back = load_result(tmp_path / "a.npz")
    same(back, plain)
    np.testing.assert_array_equal(back.track(2).masks.cells, masks.cells[[1, 2, 4]])
    np.testing.assert_array_equal(back.track(2).masks.region, masks.region[[1, 2, 4]])
    save_result(tmp_path / "a.npz", plain)
    assert not load_result(tmp_path / "a.npz").masks.asked


def test_masks_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="masks must be of 5 rows, but are of 3"):
        replace(made_up(), masks=Masks.none(3, asked=True))


def test_rows_have_the_shapes_of_the_schema():
    shapes = {name: a.shape[1:] for name, a in empty_rows().items()}
    assert shapes["keypoints2d"] == (17, 3) and shapes["joints3d"] == (24, 3)
    assert shapes["body_pose"] == (69,) and shapes["global_orient"] == (3,)
    assert shapes["betas"] == (10,) and shapes["transl"] == shapes["pred_cam"] == (3,)
    assert shapes["bbox_xyxy"] == (4,) and shapes["status"] == ()
    described = {f.name for f in fields(Result)}
    assert set(ROWS) <= described


def test_wrong_shape_is_refused():
    rows = empty_rows() | {"betas": np.zeros((0, 11), np.float32)}
    with pytest.raises(ValueError, match=r"betas must have shape \(0, 10\)"):
        Result(**rows, **HEADER)


def test_typed_rows():
    rows = {name: np.asarray(a, np.float64) for name, a in empty_rows().items()}
    assert {n: a.dtype for n, a in typed_rows(rows).items()} == {
        n: a.dtype for n, a in empty_rows().items()
    }
    del rows["status"]
    with pytest.raises(ValueError, match="rows lack status"):
        typed_rows(rows)


def test_people():
    result = made_up()
    assert result.track_ids == [1, 2] and len(result) == 5
    second = result.track(2)
    assert second.frame.tolist() == [0, 1, 3] and second.fps == result.fps
    with pytest.raises(KeyError, match=r"no track 7; there are \[1, 2\]"):
        result.track(7)
    assert len(result.select(result.frame > 0)) == 3


def test_older_result_stays_if_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    save_result(path, made_up())
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(VideoWriteError, match=r"cannot write .*No space left.*choose another"):
        save_result(path, replace(made_up(), source="new.mp4"))
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_result(tmp_path / "a.npz", made_up())
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(VideoWriteError, match="choose another folder"):
        save_result(tmp_path / "file" / "a.npz", made_up())


def rewrite(path, change):
    with np.load(path) as data:
        arrays = {k: data[k] for k in data.files}
    change(arrays)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("transl"), "lacks transl"),
        (lambda a: a.update(schema_version=np.int64(99)), "schema version 99, expected 1"),
        (lambda a: a.pop("schema_version"), "schema version 0"),
    ],
)
def test_other_files_are_refused(tmp_path, change, message):
    path = tmp_path / "a.npz"
    save_result(path, made_up())
    rewrite(path, change)
    with pytest.raises(ResultFormatError, match=message):
        load_result(path)


def test_what_is_no_result(tmp_path):
    with pytest.raises(ResultFormatError, match="not found"):
        load_result(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "pickled.npz", frame=np.array([{}], dtype=object))
    for name in ("text.npz", "pickled.npz"):
        with pytest.raises(ResultFormatError, match="is no npz from `eftvideo run`"):
            load_result(tmp_path / name)


def test_schema_version_is_one():
    assert SCHEMA_VERSION == 1

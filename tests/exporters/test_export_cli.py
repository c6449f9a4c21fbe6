"""`eftvideo export` and what a user can get wrong; the accessors of a result."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from export_case import export, made_up, saved
from typer.testing import CliRunner

from eftvideo import plugins
from eftvideo.cli.app import app
from eftvideo.errors import ConfigError, MissingDependencyError, VideoWriteError
from eftvideo.exporters._export import formats
from eftvideo.files import write_whole

runner = CliRunner()


def run(*args):
    return runner.invoke(app, ["export", *map(str, args)])


def test_every_format_of_everybody(tmp_path):
    source, _ = saved(tmp_path)
    assert formats() == ["amass", "bvh", "eft-json", "glb", "json"]
    for name in formats():
        done = run(source, "--to", name, "-o", tmp_path / "out")
        assert done.exit_code == 0, done.output
        assert "wrote" in done.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "clip.glb", "clip.json", "clip_eft.json", "clip_person1.bvh", "clip_person1_amass.npz",
        "clip_person4.bvh", "clip_person4_amass.npz",
    ]  # fmt: skip


def test_one_person(tmp_path):
    source, _ = saved(tmp_path)
    done = run(source, "--to", "bvh", "--track-id", 4, "-o", tmp_path / "jo.bvh")
    assert done.exit_code == 0 and (tmp_path / "jo.bvh").exists()
    assert "person 4; " in done.stdout and "25 a second" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--to", "fbx"], "unknown format 'fbx': choose one of amass, bvh"),
        (["--to", "glb", "--track-id", "2"], "no person 2 in the result; there are: 1, 4"),
        (["--to", "bvh", "-o", "x.bvh"], "is one file, but there are 2 people"),
        (["--to", "amass", "--track-id", "1", "-o", "clip.npz"], "would write over"),
        (["--to", "glb", "--fps", "0"], "--fps must be above 0"),
        (["--to", "json", "--metres"], "--metres is for bvh only"),
        (["--to", "bvh", "--mean-shape"], "--mean-shape is for amass only"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, args, message):
    saved(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = run("clip.npz", *args)
    assert done.exit_code == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


def test_a_result_that_is_none(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no")
    for name, message in (("a.npz", "is no npz"), ("b.npz", "not found")):
        done = run(tmp_path / name, "--to", "glb")
        assert done.exit_code == 2 and message in done.stderr


def test_nobody(tmp_path):
    result = made_up()
    source, _ = saved(tmp_path)
    from eftvideo.results.result_file import save_result

    save_result(source, result.select(np.zeros(len(result), bool)))
    with pytest.raises(ConfigError, match="nobody in it"):
        export(source, "glb")


def test_another_body_is_refused(tmp_path):
    source, _ = saved(tmp_path, body_model="SMPL_NEUTRAL sha256:123")
    done = run(source, "--to", "glb")
    assert done.exit_code == 2 and "give the same file with --body" in done.stderr


def test_one_shape_of_many_is_mentioned(tmp_path):
    source, _ = saved(tmp_path, one_shape=False)
    done = run(source, "--to", "bvh", "--track-id", 1, "-o", tmp_path / "a.bvh")
    assert done.exit_code == 0 and "holds one shape" in done.stderr
    assert "holds one shape" not in run(source, "--to", "glb").stderr


def test_betas_of_the_free_body_are_mentioned(tmp_path):
    source, _ = saved(tmp_path)
    asked = ("--to", "amass", "-o", tmp_path / "out")
    assert "give --mean-shape" in run(source, *asked).stderr
    assert run(source, *asked, "--mean-shape").stderr == ""


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.glb"
    write_whole(path, b"old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(VideoWriteError, match=r"cannot write .*No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", plugins.available("exporters"))
def test_every_exporter_keeps_the_contract(name):
    exporter = plugins.load("exporters", name)()
    assert exporter.suffix.startswith(".") and exporter.ups
    assert set(exporter.ups) <= {None, "y", "z"}
    rate = exporter.rate(24.0, None)
    assert rate is None or rate > 0.0


def test_people_and_meshes_of_a_result():
    result = made_up()
    tracks = result.tracks()
    assert list(tracks) == [1, 4] and len(tracks[4]) == 6
    mesh = result.vertices(4)
    assert mesh.shape == (6, 7600, 3) and mesh.dtype == np.float32
    middle = mesh.mean(1) - tracks[4].joints3d[:, 0]
    assert np.linalg.norm(middle, axis=1).max() < 0.5
    with pytest.raises(KeyError, match="no track 9"):
        result.vertices(9)


def test_table():
    result = made_up()
    table = result.to_dataframe()
    assert len(table) == len(result) and table["track_id"].tolist() == result.track_id.tolist()
    np.testing.assert_array_equal(table["transl_z"], result.transl[:, 2])
    np.testing.assert_array_equal(table["joints3d_left_wrist_y"], result.joints3d[:, 20, 1])
    np.testing.assert_array_equal(table["body_pose_left_hip_x"], result.body_pose[:, 0])
    np.testing.assert_array_equal(table["keypoints2d_nose_score"], result.keypoints2d[:, 0, 2])
    assert table.groupby("track_id").size().to_dict() == {1: 12, 4: 6}


def test_table_without_pandas(monkeypatch):
    real = builtins.__import__

    def bare(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError("No module named 'pandas'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", bare)
    with pytest.raises(MissingDependencyError, match="pip install pandas"):
        made_up().to_dataframe()

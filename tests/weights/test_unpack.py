"""One file out of an archive."""

from __future__ import annotations

import io
import tarfile

import pytest

from eftvideo.errors import WeightsCorruptError
from eftvideo.weights.archive import take_member

CONTENT = bytes(range(256)) * 5000


def write(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_one_file_is_taken(tmp_path):
    files = {"data/smpl.pkl": b"x", "../../logs/epoch=1.ckpt": CONTENT, "logs/._epoch=1.ckpt": b"y"}
    archive = write(tmp_path / "a.tar.gz", files)
    take_member(archive, "*.ckpt", tmp_path / "net.ckpt")
    assert (tmp_path / "net.ckpt").read_bytes() == CONTENT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.gz", "net.ckpt"]


@pytest.mark.parametrize(
    ("files", "told"),
    [({"a.pkl": b"x"}, "has none"), ({"a.ckpt": b"x", "b.ckpt": b"y"}, "a.ckpt, b.ckpt")],
)
def test_none_or_several_are_told(tmp_path, files, told):
    archive = write(tmp_path / "a.tar.gz", files)
    with pytest.raises(WeightsCorruptError, match=told):
        take_member(archive, "*.ckpt", tmp_path / "net.ckpt")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"no archive", lambda b: b""]
)
def test_damaged_archive_leaves_nothing(tmp_path, damage):
    archive = write(tmp_path / "a.tar.gz", {"epoch=1.ckpt": CONTENT, "b": CONTENT[::-1] * 9})
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(WeightsCorruptError, match="not a whole tar archive"):
        take_member(archive, "*.ckpt", tmp_path / "net.ckpt")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]

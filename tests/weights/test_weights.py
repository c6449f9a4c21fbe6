"""Weight files: the order of search, digests, errors that name the remedy."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from eftvideo.errors import WeightsCorruptError, WeightsNotFoundError
from eftvideo.weights import locate as weights
from eftvideo.weights.locate import WeightSpec, WeightStatus

SPEC = WeightSpec("thing.bin", None, "CC0-1.0", "made up", "https://example.org/thing")


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The three folders of search, empty: the user's own, the shipped one, the cache."""
    own, cache, package = tmp_path / "own", tmp_path / "xdg" / "eftvideo", tmp_path / "eftvideo"
    shipped = tmp_path / "weights"
    for folder in (own, cache, shipped, package):
        folder.mkdir(parents=True)
    monkeypatch.setenv(weights.ENV_FOLDER, str(own))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(weights, "_PACKAGE", package)
    return own, shipped, cache


def test_search_order(folders):
    assert weights.search_folders() == list(folders)
    for folder in reversed(folders):
        (folder / SPEC.file).write_text(folder.name)
        assert weights.resolve(SPEC) == folder / SPEC.file


def test_folders_without_the_variable(folders, monkeypatch):
    monkeypatch.delenv(weights.ENV_FOLDER)
    assert weights.search_folders() == list(folders[1:])
    assert weights.user_folder() == folders[2]
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert str(weights.cache_folder()) == "/somewhere/.cache/eftvideo"


def test_weights_inside_an_installed_package_come_before_a_neighbour_folder(folders):
    inside = weights._PACKAGE / "_weights"
    inside.mkdir()
    (folders[1] / SPEC.file).write_text("of something else in site-packages")
    with pytest.raises(WeightsNotFoundError):
        weights.resolve(SPEC)
    (inside / SPEC.file).write_text("ours")
    assert weights.resolve(SPEC) == inside / SPEC.file


def test_missing_file_names_places_and_remedy(folders):
    with pytest.raises(WeightsNotFoundError) as error:
        weights.resolve(SPEC)
    message = str(error.value)
    assert all(str(folder) in message for folder in folders)
    assert SPEC.file in message and SPEC.url in message and weights.ENV_FOLDER in message
    assert "\n" not in message
    with pytest.raises(WeightsNotFoundError, match="pip install"):
        weights.resolve(replace(SPEC, url=None, sha256=digest(b"shipped")))
    with pytest.raises(WeightsNotFoundError, match=r"; name yours with --weights FILE$"):
        weights.resolve(replace(SPEC, url=None))


def test_digest_is_checked_for_files_found_by_name(folders):
    path = folders[1] / SPEC.file
    path.write_bytes(b"right")
    spec = replace(SPEC, sha256=digest(b"right"))
    assert weights.resolve(spec) == path
    path.write_bytes(b"wrong content")
    with pytest.raises(WeightsCorruptError) as error:
        weights.resolve(spec)
    assert digest(b"right") in str(error.value) and digest(b"wrong content") in str(error.value)


def test_an_explicit_path_is_the_users_choice(folders, tmp_path):
    (folders[0] / SPEC.file).write_bytes(b"found by name")
    mine = tmp_path / "mine.bin"
    with pytest.raises(WeightsNotFoundError, match=r"mine\.bin"):
        weights.resolve(SPEC, mine)
    mine.write_bytes(b"x")
    assert weights.resolve(replace(SPEC, sha256="0" * 64), mine) == mine
    assert weights.resolve(SPEC, str(mine)) == mine


def test_digest_is_cached_until_the_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert weights.sha256_of(path) == digest(b"one")
    calls = []
    real = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda *a: calls.append(1) or real(*a))
    first = weights.sha256_of(path)
    assert calls == [] and first == real(b"one").hexdigest()
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert weights.sha256_of(path) == real(b"two").hexdigest()
    assert calls == [1]


def test_list_weights(folders):
    path = folders[1] / SPEC.file
    missing, broken = replace(SPEC, file="no"), replace(SPEC, sha256="0" * 64)
    path.write_bytes(b"x")
    ok, absent, wrong = weights.list_weights([SPEC, missing, broken])
    assert ok == WeightStatus(SPEC, path, None)
    assert absent.path is None and "not found" in absent.problem
    assert wrong.path == path and "sha256" in wrong.problem


def test_load_safetensors(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {"w": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1], dtype=torch.int64)}
    save_file(tensors, path, metadata={"card": "text"})
    loaded, metadata = weights.load_safetensors(path)
    assert metadata == {"card": "text"} and loaded.keys() == tensors.keys()
    for key, value in tensors.items():
        assert torch.equal(loaded[key], value) and loaded[key].dtype == value.dtype
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WeightsCorruptError, match=r"a\.safetensors"):
        weights.load_safetensors(path)


def test_searching_does_not_import_torch():
    code = (
        "import sys; from eftvideo.weights import locate; locate.search_folders(); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

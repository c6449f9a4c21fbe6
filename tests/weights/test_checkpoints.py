"""PyTorch checkpoints: both formats are read exactly, hostile and damaged ones run nothing."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from eftvideo.errors import (
    CheckpointMismatchError,
    UnsafeFileError,
    WeightsCorruptError,
    WeightsNotFoundError,
)
from eftvideo.weights.checkpoints import load_exactly, read_tensors

FORMATS = pytest.mark.parametrize("is_zip", [True, False])


def save(path: Path, content: object, is_zip: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path


@FORMATS
def test_every_tensor_comes_back(tmp_path, is_zip):
    whole = torch.randn(6, 4)
    tensors = {
        "transposed": whole.T,
        "part": whole[2:5, 1:3],
        "same_storage": whole,
        "scalar": torch.tensor(5),
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(3).bfloat16(),
        "bool": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.randn(2)),
    }
    rest = {"epoch": 3, "loss": np.float64(51.7), "names": {"a"}, "seen": np.arange(3)}
    path = save(tmp_path / "a.pt", {"state_dict": tensors, **rest}, is_zip)
    found = read_tensors(path)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name


@FORMATS
@pytest.mark.parametrize(
    "content",
    [
        {"w": torch.ones(2)},
        {"model": {"w": torch.ones(2)}, "epoch": 1},
        {"state_dict": OrderedDict({"module.w": torch.ones(2)})},
    ],
)
def test_wrappers_and_prefixes_are_taken_off(tmp_path, content, is_zip):
    found = read_tensors(save(tmp_path / "a.pt", content, is_zip))
    assert list(found) == ["w"] and torch.equal(found["w"], torch.ones(2))


class Hostile:
    """Runs a command when it is unpickled in the ordinary way."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@FORMATS
def test_code_is_refused_and_not_run(tmp_path, is_zip):
    mark = tmp_path / "ran"
    content = {"model": {"w": torch.ones(2)}, "extra": Hostile(mark)}
    path = save(tmp_path / "a.pt", content, is_zip)
    with pytest.raises(UnsafeFileError, match=r"a\.pt asks for (posix|nt)\.mkdir") as e:
        read_tensors(path)
    assert "\n" not in str(e.value) and not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the file would have run its code elsewhere"


@FORMATS
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.98])
def test_damaged_files_give_one_line(tmp_path, is_zip, share):
    path = save(tmp_path / "a.pt", {"model": {"w": torch.randn(1000, 100)}}, is_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsCorruptError, match="get a whole copy") as e:
        read_tensors(path)
    assert "\n" not in str(e.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(WeightsNotFoundError, match="not found"):
        read_tensors(tmp_path / "no.pt")
    with pytest.raises(WeightsCorruptError, match="no network's tensors"):
        read_tensors(save(tmp_path / "a.pt", {"model": {"epoch": 3}}, True))


def test_all_that_does_not_fit_is_named(tmp_path):
    net = nn.Linear(3, 2)
    good = {name: torch.ones_like(value) for name, value in net.state_dict().items()}
    load_exactly(net, good, tmp_path / "a.pt", "a net")
    assert torch.equal(net.weight, torch.ones(2, 3))
    wrong = {"weight": torch.ones(3, 3), "bais": torch.ones(2)}
    with pytest.raises(CheckpointMismatchError) as e:
        load_exactly(net, wrong, tmp_path / "a.pt", "a net")
    text = str(e.value)
    assert "missing: bias" in text and "unexpected: bais" in text
    assert "weight (3, 3) instead of (2, 3)" in text and "\n" not in text

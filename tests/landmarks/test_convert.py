"""The converter finds which layer is which, and refuses what is not the recorded network."""

import io
import sys
import tarfile
from pathlib import Path

import pytest
import torch
from torch import nn

from eftvideo.landmarks.network import CONFIGS, LandmarkNetwork, load

TOOLS = str(Path(__file__).parents[2] / "tools")
sys.path.insert(0, TOOLS)
try:
    import convert_landmarks
finally:
    sys.path.remove(TOOLS)


def layers(network):
    """Its convolutions as the converter reads them, those of one shape in order."""
    found = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    given = [((*m.weight.shape, m.stride[0]), m.weight.data, m.bias.data) for m in found]
    return sorted(given, key=lambda one: one[0])


def test_layers_are_found_by_shape_and_order():
    full = load("full")
    state = convert_landmarks.state_of(LandmarkNetwork(CONFIGS["full"]), layers(full))
    assert state.keys() == full.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in full.state_dict().items())


def test_layers_that_belong_nowhere_are_told():
    extra = ((5, 5, 1, 1, 1), torch.zeros(5, 5, 1, 1), torch.zeros(5))
    with pytest.raises(SystemExit, match=r"\(5, 5, 1, 1, 1\)"):
        network = LandmarkNetwork(CONFIGS["full"])
        convert_landmarks.state_of(network, [*layers(network), extra])


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "pose.tgz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("package/pose_landmark_full.tflite")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    with pytest.raises(SystemExit, match="sha256"):
        convert_landmarks.read_network(path, "full")

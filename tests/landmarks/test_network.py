"""The landmark network says what MediaPipe's own file says in LiteRT, whatever computes it.

`answers.npz` holds what LiteRT (ai-edge-litert 2.3.0) said of the 50 crops of `crops.webp`: people
who stand, walk, jump, are cut off or half hidden, and a crop with next to nobody.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eftvideo.errors import CheckpointMismatchError, WeightsCorruptError
from eftvideo.landmarks import network as networks
from eftvideo.landmarks.looked import SIZE_PX, Looked
from eftvideo.landmarks.network import LandmarkNetwork
from eftvideo.landmarks.runtime import MOST_ON_CPU, Looker, _by_torch
from eftvideo.weights import locate

HERE = Path(__file__).parent
KINDS: tuple[networks.Kind, ...] = ("heavy", "full")
WITH_Z = 2e-2
"""z is not told apart from its rounding as well as x and y are: it is up to 400 px."""


@pytest.fixture(scope="module")
def crops():
    """(50, 256, 256, 3) uint8 RGB."""
    sheet = cv2.imread(str(HERE / "crops.webp"))[..., ::-1]
    grid = sheet.reshape(5, SIZE_PX, 10, SIZE_PX, 3).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(50, SIZE_PX, SIZE_PX, 3))


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def network(kind):
    return networks.load(kind)


@pytest.fixture(scope="module")
def answers(kind):
    """What the reference says, by field of `Looked`; masks and heat maps at places 16 px apart."""
    with np.load(HERE / "answers.npz") as file:
        names = ("points", "world", "score", "mask", "heat")
        return {name: torch.from_numpy(file[f"{kind}_{name}"]) for name in names}


@pytest.fixture(scope="module")
def by_torch(network, crops):
    with torch.inference_mode():
        parts = [network(as_input(part)) for part in np.split(crops, 10)]
    return Looked.cat(parts)


def as_input(crops):
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255.0


def worst(a, b):
    return float((a - b).abs().max())


def test_torch_equals_the_reference_on_real_crops(by_torch, answers):
    assert worst(by_torch.points[..., :2], answers["points"][..., :2]) < 5e-3
    assert worst(by_torch.points[..., 2], answers["points"][..., 2]) < WITH_Z
    assert worst(by_torch.points[..., 3:], answers["points"][..., 3:]) < 5e-3
    assert worst(by_torch.world, answers["world"]) < 1e-4
    assert worst(by_torch.score, answers["score"]) < 1e-4
    assert worst(by_torch.heat[..., 8::16, 8::16], answers["heat"]) < 5e-3


def test_masks_equal_the_references(by_torch, answers):
    """As probabilities: logits reach hundreds, and there a rounding is more than anyone sees."""
    mask = by_torch.mask[:, 8::16, 8::16]
    assert worst(mask.sigmoid(), answers["mask"].sigmoid()) < 5e-3
    assert 0.05 < float((mask > 0).float().mean()) < 0.5


def test_the_crops_hold_people_and_one_does_not(by_torch):
    assert int((by_torch.score > 0.5).sum()) == 49


def test_the_cpu_runtime_says_what_torch_says(kind, crops, by_torch):
    looked = Looker(kind, torch.device("cpu"), mask=True)(crops[: MOST_ON_CPU + 3])
    assert worst(looked.points[..., :2], by_torch.points[: len(looked), :, :2]) < 2e-3
    assert worst(looked.points[..., 2], by_torch.points[: len(looked), :, 2]) < WITH_Z
    for name, bound in {"world": 1e-4, "score": 1e-4, "heat": 5e-3, "features": 5e-3}.items():
        assert worst(getattr(looked, name), getattr(by_torch, name)[: len(looked)]) < bound, name
    assert looked.mask is not None
    assert worst(looked.mask.sigmoid(), by_torch.mask[: len(looked)].sigmoid()) < 5e-3


def test_the_runtime_of_other_devices_says_what_torch_says(crops, network, by_torch):
    looked = _by_torch(network, torch.device("cpu"), mask=True)(crops[:3])
    for name in ("points", "mask"):
        assert torch.allclose(getattr(looked, name), getattr(by_torch, name)[:3], 1e-3, 2e-2), name


def test_without_masks_the_rest_is_the_same(crops, network, by_torch, kind):
    with torch.inference_mode():
        bare = network(as_input(crops[:2]), mask=False)
    assert bare.mask is None
    assert torch.allclose(bare.points, by_torch.points[:2], atol=2e-3)
    looker = Looker(kind, torch.device("cpu"))
    assert looker(crops[:1]).mask is None
    assert len(looker(crops[:0])) == 0


def test_rows_of_a_batch_do_not_mix(crops, network, by_torch):
    with torch.inference_mode():
        alone = network(as_input(crops[7:8]))
    assert torch.allclose(alone.points[0], by_torch.points[7], atol=2e-3)
    assert torch.allclose(alone.features[0], by_torch.features[7], atol=1e-3)


def test_points_scores_and_metres_are_linear_in_the_features(network, by_torch):
    grid = by_torch.features.view(-1, 288, 2, 2)
    with torch.inference_mode():
        assert torch.allclose(network.points(grid).view(-1, 39, 5), by_torch.points, atol=1e-3)
        assert torch.allclose(network.world(grid).view(-1, 39, 3), by_torch.world, atol=1e-5)
        assert torch.allclose(network.score(grid).view(-1).sigmoid(), by_torch.score, atol=1e-5)


def test_gradients_reach_pixels_and_weights():
    small = networks.LandmarkNetwork(networks.CONFIGS["full"])
    small.load_state_dict(networks.load("full").state_dict())
    images = torch.rand(1, 3, SIZE_PX, SIZE_PX, requires_grad=True)
    small(images).world.square().sum().backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0.0
    first = small.trunk.first.weight.grad
    assert first is not None
    assert float(first.abs().sum()) > 0.0


def test_importing_openvino_reports_nothing():
    """OpenVINO tells its makers of every import, unless the package that does it is missing."""
    import subprocess
    import sys

    script = (
        "import sys, eftvideo.landmarks._openvino\n"
        "print(sorted(n for n in sys.modules if n.startswith('openvino_telemetry')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_file_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"architecture": "eftvideo.lifter"})
    with pytest.raises(CheckpointMismatchError, match="heavy"):
        networks.from_weights(path, "heavy")
    with pytest.raises(CheckpointMismatchError, match="heavy"):
        networks.from_weights(locate.resolve(networks.SPECS["full"]), "heavy")
    path.write_bytes(b"no network")
    with pytest.raises(WeightsCorruptError):
        networks.from_weights(path, "full")


def test_weights_are_shipped_in_half_precision(kind):
    tensors, metadata = locate.load_safetensors(locate.resolve(networks.SPECS[kind]))
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert "Apache-2.0" in metadata["licence"]
    names = set(LandmarkNetwork(networks.CONFIGS[kind]).state_dict())
    assert names == set(tensors)

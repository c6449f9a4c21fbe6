"""Make `weights/landmarks_{heavy,full}.safetensors` from MediaPipe's network files.

    npm pack @mediapipe/pose@0.5.1675469404
    pip install 'eftvideo[build-landmarks]'
    python tools/convert_landmarks.py mediapipe-pose-0.5.1675469404.tgz --out weights

The files in the tarball must have the recorded sha256. Their weights are in half precision, and so
are those written: nothing is rounded. The same tarball gives the same bytes every time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from eftvideo.landmarks.network import CONFIGS, SPECS, Kind, LandmarkNetwork

SHA256: dict[Kind, str] = {
    "heavy": "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
    "full": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
LICENCE = (
    "Converted from @mediapipe/pose 0.5.1675469404, Copyright The MediaPipe Authors, "
    "Apache-2.0. See LICENSE.landmarks."
)
Convolution = tuple[tuple[int, ...], Tensor, Tensor]
"""Shape of the weights in PyTorch's order and the stride; weights; bias."""


def read_network(tarball: Path, kind: Kind) -> bytes:
    """The network's file in the tarball; exits if it is not the recorded one."""
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(f"package/pose_landmark_{kind}.tflite")
        content = member.read() if member else b""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[kind]:
        raise SystemExit(f"{kind}: sha256 should be {SHA256[kind]}, but is {found}")
    return content


def convolutions(content: bytes) -> Iterator[Convolution]:
    """Those of a TensorFlow Lite file, in the order in which they are computed.

    Weights are constants of half precision that an operator `DEQUANTIZE` makes single.
    """
    import tflite

    kinds = {
        tflite.BuiltinOperator.CONV_2D: tflite.Conv2DOptions,
        tflite.BuiltinOperator.DEPTHWISE_CONV_2D: tflite.DepthwiseConv2DOptions,
    }
    model = tflite.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    source: dict[int, int] = {}

    def constant(index: int) -> np.ndarray:
        tensor = graph.Tensors(source[index])
        assert tensor.Type() == tflite.TensorType.FLOAT16
        raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
        return raw.view(np.float16).reshape(tensor.ShapeAsNumpy())

    for number in range(graph.OperatorsLength()):
        operator: Any = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        inputs = operator.InputsAsNumpy()
        if code == tflite.BuiltinOperator.DEQUANTIZE:
            source[int(operator.Outputs(0))] = int(inputs[0])
        if code not in kinds:
            continue
        options = kinds[code]()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        one_each = code == tflite.BuiltinOperator.DEPTHWISE_CONV_2D
        weight = constant(int(inputs[1])).transpose((3, 0, 1, 2) if one_each else (0, 3, 1, 2))
        bias = torch.from_numpy(constant(int(inputs[2])).copy())
        yield (
            (*weight.shape, options.StrideH()),
            torch.from_numpy(weight.copy()),
            bias,
        )


def state_of(network: LandmarkNetwork, given: list[Convolution]) -> dict[str, Tensor]:
    """The weights by the network's names.

    Layers of one shape stand in the same order in both. That, and that each has a partner, settles
    which is which; that it is right shows `tests/landmarks/test_network.py`.
    """
    left, state = list(given), {}
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        shape = (*layer.weight.shape, layer.stride[0])
        partner = next(i for i, (other, _, _) in enumerate(left) if other == shape)
        _, state[f"{name}.weight"], state[f"{name}.bias"] = left.pop(partner)
    if left:
        raise SystemExit(f"no layer for {[shape for shape, _, _ in left]}")
    return state


def in_order(content: bytes) -> bytes:
    """A safetensors file with its header sorted: the library's order is another each time."""
    (length,) = struct.unpack_from("<Q", content)
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    padded = header.encode().ljust(-(-len(header) // 8) * 8)
    return struct.pack("<Q", len(padded)) + padded + content[8 + length :]


def main() -> None:
    """Convert both, and tell the digests for `SPECS`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tarball", type=Path)
    parser.add_argument("--out", type=Path, default=Path("weights"))
    args = parser.parse_args()
    kinds: tuple[Kind, ...] = ("heavy", "full")
    for kind in kinds:
        network = LandmarkNetwork(CONFIGS[kind])
        state = state_of(network, list(convolutions(read_network(args.tarball, kind))))
        network.load_state_dict({name: value.float() for name, value in state.items()})
        content = in_order(save(state, network.metadata() | {"licence": LICENCE}))
        path = args.out / SPECS[kind].file
        path.write_bytes(content)
        print(path, hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()

"""The landmark network as an OpenVINO graph, for CPUs: the same numbers in half of torch's time.

The graph is made in memory of the PyTorch module: `torch.fx` writes down the calls, and each
becomes OpenVINO's operator. (OpenVINO's own converter traces with TorchScript, seconds longer.)
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from eftvideo.landmarks.looked import NUM_FEATURES, SIZE_PX, Looked
from eftvideo.landmarks.network import LandmarkNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPORTER = "openvino_telemetry"


@contextmanager
def _nothing_reported() -> Iterator[None]:
    """While OpenVINO is imported: without this package it does not tell its makers of its use."""
    before = sys.modules.get(_REPORTER)
    sys.modules[_REPORTER] = cast("Any", None)
    try:
        yield
    finally:
        del sys.modules[_REPORTER]
        if before is not None:
            sys.modules[_REPORTER] = before


with _nothing_reported():
    import openvino as ov
    from openvino import opset13 as ops

Value = Any
"""An operator of the graph: OpenVINO's `Node`."""


def compiled(network: LandmarkNetwork, mask: bool, threads: int) -> Callable[[np.ndarray], Looked]:
    """A function of (N, 3, 256, 256) float32 in 0..1 that says what `network` says.

    In single precision throughout: bfloat16, which OpenVINO would choose where the processor has
    it, is up to 60 px off. Threads are not bound to cores, as others may work there.
    """
    names, graph = _graph(network, mask)
    hints = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    request = ov.Core().compile_model(graph, "CPU", hints).create_infer_request()

    def look(images: np.ndarray) -> Looked:
        answers = request.infer([images])
        found: dict[str, Tensor | None] = {field.name: None for field in fields(Looked)}
        found |= {name: torch.from_numpy(answers[i].copy()) for i, name in enumerate(names)}
        return Looked(**cast("Any", found))

    return look


class _Asked(nn.Module):
    """The network, with the mask or without."""

    def __init__(self, network: LandmarkNetwork, mask: bool) -> None:
        super().__init__()
        self.network, self.mask = network, mask

    def forward(self, images: Tensor) -> Looked:
        """What the network says."""
        return self.network(images, self.mask)


def _graph(network: LandmarkNetwork, mask: bool) -> tuple[list[str], ov.Model]:
    """Names of what comes out, and the graph. The first dimension may have any length."""
    asked = _Asked(network, mask)
    calls = fx.Tracer().trace(asked)
    done: dict[fx.Node, Value] = {}
    images = ops.parameter([-1, 3, SIZE_PX, SIZE_PX], np.float32, name="images")
    results: dict[str, Value] = {}
    for node in calls.nodes:
        if node.op == "placeholder":
            done[node] = images
        elif node.op == "call_module":
            layer = cast("nn.Conv2d", asked.get_submodule(node.target))
            done[node] = _convolution(layer, done[node.args[0]])
        elif node.target is Looked:
            named = zip((field.name for field in fields(Looked)), node.args, strict=False)
            given = {**dict(named), **node.kwargs}
            results = {name: done[value] for name, value in given.items() if value is not None}
        elif node.op in ("call_function", "call_method"):
            args = [done[a] if isinstance(a, fx.Node) else a for a in node.args]
            done[node] = _OPERATORS[node.target](*args, **node.kwargs)
    make = cast("Any", ov.Model)
    return list(results), make(list(results.values()), [images], "landmarks")


def _convolution(layer: nn.Conv2d, x: Value) -> Value:
    weight = layer.weight.detach().contiguous().numpy()
    pads, strides = list(cast("tuple[int, int]", layer.padding)), list(layer.stride)
    if layer.groups == 1:
        y = ops.convolution(x, ops.constant(weight), strides, pads, pads, [1, 1])
    else:
        each = ops.constant(weight[:, None])
        y = ops.group_convolution(x, each, strides, pads, pads, [1, 1])
    bias = cast("Tensor", layer.bias).detach().numpy()
    return ops.add(y, ops.constant(bias[None, :, None, None]))


def _pad(x: Value, amounts: tuple[int, ...], **_: Any) -> Value:
    """`F.pad`: amounts before and after, the last axis first."""
    begin, end = np.zeros(4, np.int64), np.zeros(4, np.int64)
    for axis, (before, after) in enumerate(zip(amounts[::2], amounts[1::2], strict=True)):
        begin[3 - axis], end[3 - axis] = before, after
    return ops.pad(x, begin, end, "constant", ops.constant(np.float32(0.0)))


def _max_pool(x: Value, size: int, **_: Any) -> Value:
    pool = ops.max_pool(x, [size] * 2, [1, 1], [0, 0], [0, 0], [size] * 2)
    return pool.output(0)


def _interpolate(x: Value, scale_factor: float, **_: Any) -> Value:
    scales = ops.constant(np.full(2, scale_factor, np.float32))
    return ops.interpolate(
        x,
        scales,
        "linear_onnx",
        "scales",
        coordinate_transformation_mode="half_pixel",
        axes=ops.constant(np.array([2, 3], np.int64)),
    )


def _reshape(x: Value, *shape: int) -> Value:
    return ops.reshape(x, ops.constant(np.array(shape, np.int64)), special_zero=False)


def _first_channel(x: Value, index: Any) -> Value:
    """`x[:, 0]`."""
    assert index == (slice(None), 0)
    return ops.squeeze(x, ops.constant(np.array([1], np.int64)))


_OPERATORS: dict[Any, Callable[..., Value]] = {
    F.relu6: lambda x, **_: ops.clamp(x, 0.0, 6.0),
    F.pad: _pad,
    F.max_pool2d: _max_pool,
    F.interpolate: _interpolate,
    torch.sigmoid: ops.sigmoid,
    operator.add: ops.add,
    operator.getitem: _first_channel,
    "contiguous": lambda x, **_: x,
    "view": _reshape,
    "flatten": lambda x, start: _reshape(x, -1, NUM_FEATURES),
}
"""What of torch the network calls, and what stands for it."""

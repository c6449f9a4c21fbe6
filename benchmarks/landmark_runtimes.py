"""Time the landmark network on this CPU by each library that is here, in turns.

    python benchmarks/landmark_runtimes.py --threads 1 2 --batches 1 2 4 8
    python benchmarks/landmark_runtimes.py --tarball mediapipe-pose-0.5.1675469404.tgz

Torch and OpenVINO always; ONNX Runtime if packages onnx and onnxruntime are installed; LiteRT if
ai-edge-litert is and the tarball is named. In each round every library looks at the same crops, so
that what else the machine does hits all alike. Medians, milliseconds a crop: of the clock, and of
the processor time of all threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from eftvideo.landmarks import _openvino, network
from eftvideo.landmarks.network import Kind, LandmarkNetwork

CROPS = Path(__file__).parents[1] / "tests" / "landmarks" / "crops.webp"
Run = Callable[[np.ndarray], object]
"""Takes (N, 3, 256, 256) float32 in 0..1."""


class AsTuple(torch.nn.Module):
    """What ONNX can hold: no dataclass, no None."""

    def __init__(self, net: LandmarkNetwork, mask: bool) -> None:
        super().__init__()
        self.net, self.with_mask = net, mask

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """All that is there, in order."""
        looked = self.net(images, self.with_mask)
        return tuple(value for value in vars(looked).values() if value is not None)


def by_torch(net: LandmarkNetwork, mask: bool) -> Run:
    """PyTorch, channels last."""

    def run(images: np.ndarray) -> object:
        with torch.inference_mode():
            return net(torch.from_numpy(images), mask)

    return run


def by_onnxruntime(net: LandmarkNetwork, mask: bool, threads: int) -> Run:
    """ONNX Runtime, from an export in memory."""
    import onnxruntime

    file = io.BytesIO()
    torch.onnx.export(
        AsTuple(net, mask).eval(),
        (torch.zeros(1, 3, 256, 256),),
        file,
        dynamo=False,
        input_names=["images"],
        dynamic_axes={"images": {0: "n"}},
        opset_version=17,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file.getvalue(), options)
    return lambda images: session.run(None, {"images": images})


def by_litert(tarball: Path, kind: Kind, threads: int) -> Run:
    """LiteRT on the original file, crop by crop; it always makes the mask."""
    from ai_edge_litert.interpreter import Interpreter

    with tarfile.open(tarball) as archive:
        member = archive.extractfile(f"package/pose_landmark_{kind}.tflite")
        assert member is not None
        interpreter = Interpreter(model_content=member.read(), num_threads=threads)
    interpreter.allocate_tensors()
    into = interpreter.get_input_details()[0]["index"]

    def run(images: np.ndarray) -> object:
        for image in images:
            interpreter.set_tensor(into, np.ascontiguousarray(image.transpose(1, 2, 0))[None])
            interpreter.invoke()
        return None

    return run


def runs(kind: Kind, threads: int, tarball: Path | None) -> dict[str, Run]:
    """Every library that is here, with the mask and without; what it took to start is printed."""
    torch.set_num_threads(threads)
    net = network.load(kind)
    has = {name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name)}
    found: dict[str, Run] = {}
    for mask, words in ((False, ""), (True, " + mask")):
        found[f"torch{words}"] = by_torch(net, mask)
        start, used = time.perf_counter(), time.process_time()
        found[f"OpenVINO{words}"] = _openvino.compiled(net, mask, threads)
        took, used = time.perf_counter() - start, time.process_time() - used
        print(f"{kind}: OpenVINO{words} started in {took:.2f} s ({used:.2f} s of processor)")
        if len(has) == 2:
            found[f"ONNX Runtime{words}"] = by_onnxruntime(net, mask, threads)
    if tarball is not None and importlib.util.find_spec("ai_edge_litert"):
        found["LiteRT + mask"] = by_litert(tarball, kind, threads)
    return found


def measure(found: dict[str, Run], images: np.ndarray, rounds: int) -> dict[str, np.ndarray]:
    """(2,) milliseconds a crop of each: clock and processor, medians over the rounds."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for number in range(rounds + 1):
        for name, run in found.items():
            start, used = time.perf_counter(), time.process_time()
            run(images)
            if number:  # the first one warms up
                times[name].append((time.perf_counter() - start, time.process_time() - used))
    return {name: 1e3 * np.median(each, axis=0) / len(images) for name, each in times.items()}


def main() -> None:
    """Print a line for each library, batch and number of threads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=["heavy", "full"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tarball", type=Path)
    args = parser.parse_args()
    sheet = cv2.imread(str(CROPS))[..., ::-1]
    crops = sheet.reshape(5, 256, 10, 256, 3).transpose(0, 2, 4, 1, 3).reshape(50, 3, 256, 256)
    crops = crops.astype(np.float32) / np.float32(255.0)
    for kind in args.kinds:
        for threads in args.threads:
            found = runs(kind, threads, args.tarball)
            for batch in args.batches:
                print(f"{kind}, {threads} threads, batch {batch}, load {os.getloadavg()[0]:.1f}")
                for name, (clock, used) in measure(found, crops[:batch], args.rounds).items():
                    print(f"  {name:22} {clock:7.1f} ms  processor {used:7.1f} ms", flush=True)


if __name__ == "__main__":
    main()

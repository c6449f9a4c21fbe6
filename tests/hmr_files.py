"""Checkpoints with the names and shapes that SPIN, EFT and FrankMocap published, numbers random.

The table is written from descriptions of these files, not from our network.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor


def _batch_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Every key of an HMR checkpoint with ResNet-50, and its shape."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), **_batch_norm("bn1", 64)}
    inputs = 64
    for stage, num in enumerate((3, 4, 6, 3), start=1):
        width = 64 * 2 ** (stage - 1)
        for block in range(num):
            at = f"layer{stage}.{block}"
            shapes[f"{at}.conv1.weight"] = (width, inputs, 1, 1)
            shapes[f"{at}.conv2.weight"] = (width, width, 3, 3)
            shapes[f"{at}.conv3.weight"] = (4 * width, width, 1, 1)
            for i, outputs in enumerate((width, width, 4 * width), start=1):
                shapes |= _batch_norm(f"{at}.bn{i}", outputs)
            if block == 0:
                shapes[f"{at}.downsample.0.weight"] = (4 * width, inputs, 1, 1)
                shapes |= _batch_norm(f"{at}.downsample.1", 4 * width)
            inputs = 4 * width
    for name, outputs, entries in (
        ("fc1", 1024, 2205),
        ("fc2", 1024, 1024),
        ("decpose", 144, 1024),
        ("decshape", 10, 1024),
        ("deccam", 3, 1024),
    ):
        shapes |= {f"{name}.weight": (outputs, entries), f"{name}.bias": (outputs,)}
    return shapes | {"init_pose": (1, 144), "init_shape": (1, 10), "init_cam": (1, 3)}


def random_tensors(seed: int = 0) -> OrderedDict[str, Tensor]:
    """Numbers of about the size that trained ones have; the mean parameters are the published."""
    generator = torch.Generator().manual_seed(seed)
    tensors: OrderedDict[str, Tensor] = OrderedDict()
    for name, shape in published_shapes().items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(1000)
        elif name.endswith("running_var"):
            tensors[name] = 0.5 + torch.rand(shape, generator=generator)
        elif len(shape) > 1:
            spread = (2.0 / (shape[1] * (shape[2] * shape[3] if len(shape) == 4 else 1))) ** 0.5
            tensors[name] = spread * torch.randn(shape, generator=generator)
        else:
            tensors[name] = 0.1 * torch.randn(shape, generator=generator)
    for name in ("decpose", "decshape", "deccam"):
        tensors[f"{name}.weight"] *= 0.01
    pose = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]).repeat(24, 1)
    pose[0] = torch.tensor([1.0, 0.0, 0.0, -1.0, 0.0, 0.0])
    tensors["init_pose"] = pose.reshape(1, 144)
    tensors["init_shape"] = torch.zeros(1, 10)
    tensors["init_cam"] = torch.tensor([[0.9, 0.0, 0.0]])
    return tensors


def write_checkpoint(path: Path, tensors: dict[str, Tensor], kind: str) -> Path:
    """A file as one of the projects wrote it, with some of what else is in theirs.

    Args:
        path: the file. tensors: the network's.
        kind: "spin" (PyTorch's old format, an optimiser), "eft" (old format, several GPUs'
            prefix), "frankmocap" (zip format, settings).
    """
    if kind == "spin":
        moments = {0: {"step": 7, "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}}
        groups = [{"lr": 5e-5, "betas": (0.9, 0.999), "params": [0]}]
        rest = {
            "optimizer": {"state": moments, "param_groups": groups},
            "epoch": 12,
            "batch_idx": 0,
            "dataset_perm": list(range(5)),
            "total_step_count": 1234,
        }
        torch.save({"model": tensors, **rest}, path, _use_new_zipfile_serialization=False)
    elif kind == "eft":
        many = OrderedDict((f"module.{name}", value) for name, value in tensors.items())
        torch.save({"model": many, "epoch": 3}, path, _use_new_zipfile_serialization=False)
    else:
        settings = argparse.Namespace(lr=1e-4, name="body")
        torch.save({"model": tensors, "options": settings}, path)
    return path

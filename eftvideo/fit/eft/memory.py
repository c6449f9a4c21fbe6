"""How many people EFT can tune at once: what one takes, against the memory that is free.

A person takes `COPIES` times the tuned weights: the weights, their best so far, Adam's two moments,
and during a step the copy that is differentiated (unless everybody steps) and its gradient. To
this come the activations that the backward pass needs, which are measured.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from torch import Tensor

from eftvideo.fit.eft.tuned_weights import Weights

log = logging.getLogger(__name__)

COPIES = 6
CPU_NUMBERS = 1 << 23
"""Tuned weights of all people together on a CPU: more at once only cost page faults."""
SHARE_GPU, SHARE_CPU = 0.8, 0.5
"""Of the free memory that is used; a CPU's belongs to other programs too."""


def activation_bytes(weights: Weights, encoded: Tensor) -> int:
    """What the backward pass of one person keeps, measured by one forward pass.

    Args:
        weights: what is tuned. encoded: (1, ...) what `encode` gave for the person.
    """
    leaf = weights.base[None].clone().requires_grad_()
    weight_memory = leaf.untyped_storage().data_ptr()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != weight_memory and tensor.requires_grad:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        answer = weights.forward(leaf, encoded)
    total = sum(kept.values())
    del answer
    return total


def bytes_per_person(weights: Weights, encoded: Tensor) -> int:
    """What one more person takes while it is tuned."""
    state = COPIES * weights.base.numel() * weights.base.element_size()
    return state + activation_bytes(weights, encoded)


def free_bytes(device: torch.device) -> int:
    """Memory that may be used now: of the GPU, or of the machine."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(SHARE_GPU * (free + cached))
    return int(SHARE_CPU * _free_ram())


def _free_ram() -> int:
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")]
    info = Path("/proc/meminfo")
    if info.is_file():
        lines = dict(line.split(":", 1) for line in info.read_text("ascii").splitlines())
        limits = [int(lines["MemAvailable"].split()[0]) * 1024]
    return min(limits)


def people_at_once(weights: Weights, encoded: Tensor, most: int) -> int:
    """How many people fit into the free memory: at least 1, no more than `most`.

    Args:
        weights: what is tuned. encoded: (R, ...) what `encode` gave, R > 0. most: people at most.
    """
    each = bytes_per_person(weights, encoded[:1])
    free = free_bytes(weights.base.device)
    num = max(1, min(most, free // each))
    if weights.base.device.type == "cpu":
        num = max(1, min(num, CPU_NUMBERS // weights.base.numel()))
    if num < most:
        log.info(
            "%d of %d people are tuned at once: each takes %.0f MB, %.0f MB are free",
            *(num, most, each / 1e6, free / 1e6),
        )
    return num

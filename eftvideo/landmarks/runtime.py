"""The landmark network, computed by what is fastest there: OpenVINO on CPUs, torch elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from eftvideo.landmarks.looked import Looked
from eftvideo.landmarks.network import Kind, LandmarkNetwork, load

MOST_ON_CPU = 8
"""Crops at once. Beyond, they only take more memory."""
MOST_ELSEWHERE = 64


class Looker:
    """Says of any number of crops what the network says."""

    def __init__(self, kind: Kind, device: torch.device, mask: bool = False) -> None:
        """Load the shipped network.

        Args:
            kind: which. device: where to compute. mask: whether masks are wanted, too.

        Raises:
            WeightsNotFoundError, WeightsCorruptError: its file is not the one.
        """
        network = load(kind)
        on_cpu = device.type == "cpu"
        self._most = MOST_ON_CPU if on_cpu else MOST_ELSEWHERE
        self._look = _by_openvino(network, mask) if on_cpu else _by_torch(network, device, mask)
        self._mask = mask

    def __call__(self, crops: np.ndarray) -> Looked:
        """(N, 256, 256, 3) uint8 RGB, as `regions.cut` gives them; the answer is on the CPU."""
        starts = range(0, len(crops), self._most)
        parts = [self._look(crops[start : start + self._most]) for start in starts]
        return Looked.cat(parts) if parts else Looked.none(self._mask)


def _by_openvino(network: LandmarkNetwork, mask: bool) -> Callable[[np.ndarray], Looked]:
    from eftvideo.landmarks import _openvino

    look = _openvino.compiled(network, mask, torch.get_num_threads())

    def by_openvino(crops: np.ndarray) -> Looked:
        images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
        return look(images / np.float32(255.0))

    return by_openvino


def _by_torch(
    network: LandmarkNetwork, device: torch.device, mask: bool
) -> Callable[[np.ndarray], Looked]:
    network = network.to(device)

    def by_torch(crops: np.ndarray) -> Looked:
        images = torch.from_numpy(np.ascontiguousarray(crops)).to(device).permute(0, 3, 1, 2)
        with torch.inference_mode():
            looked = network(images.float() / 255.0, mask)
        return looked.map(lambda value: value.cpu())

    return by_torch

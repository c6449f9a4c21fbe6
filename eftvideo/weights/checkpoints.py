"""Checkpoints of networks: their tensors out of a file, and exactly into a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from torch import Tensor, nn

from eftvideo.errors import (
    CheckpointMismatchError,
    UnsafeFileError,
    WeightsCorruptError,
    WeightsNotFoundError,
)
from eftvideo.weights.torch_files import StoredTensor, open_archive

WRAPPERS = ("model", "state_dict", "gen_state_dict")
"""Keys under which checkpoints keep the network's tensors."""
_MAX_NAMED = 6
"""Keys that an error names of each kind; it tells how many more there are."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The network's tensors of a PyTorch checkpoint, on the CPU.

    They are searched under `WRAPPERS`; the prefix "module." of networks that ran on several GPUs
    is taken off.

    Raises:
        WeightsNotFoundError: no such file.
        UnsafeFileError: it asks for a name outside the allow-list; nothing of it was run.
        WeightsCorruptError: it cannot be read, or has no tensors.
    """
    if not path.is_file():
        raise WeightsNotFoundError(f"{path} not found: expected a weights file, check the path")
    try:
        with closing(open_archive(path)) as archive:
            found = _unwrapped(archive.load())
            if not found:
                raise ValueError("no network's tensors in it")
            return {name: stored.tensor() for name, stored in found.items()}
    except UnsafeFileError:
        raise
    except Exception as e:  # a damaged or hostile file can make pickle raise anything
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise WeightsCorruptError(
            f"{path} is not a readable PyTorch checkpoint ({reason}): get a whole copy of it"
        ) from e


def _unwrapped(content: object) -> dict[str, StoredTensor]:
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict):
        return {}
    found = {str(k): v for k, v in content.items() if isinstance(v, StoredTensor)}
    if all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): v for name, v in found.items()}
    return found


def load_exactly(module: nn.Module, tensors: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Put a checkpoint's tensors into a network; every one must be there and fit.

    BatchNorm's counters of batches may be missing: nothing reads them.

    Args:
        module: receives them; may be on the meta device.
        tensors: by the network's names. path, what: the file and the network, for errors.

    Raises:
        CheckpointMismatchError: missing and unexpected keys, and those of other shapes, are named.
    """
    own = module.state_dict()
    idle = {name for name in own if name.endswith("num_batches_tracked")}
    missing = [name for name in own if name not in tensors and name not in idle]
    unexpected = [name for name in tensors if name not in own]
    shapes = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(value.shape)}"
        for name, value in own.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    parts = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
    wrong = [f"{title}: {_some(names)}" for title, names in parts if names]
    if wrong:
        raise CheckpointMismatchError(
            f"{path} is not a checkpoint of {what}: keys {'; '.join(wrong)}"
        )
    module.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()},
        strict=False,
        assign=True,
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")

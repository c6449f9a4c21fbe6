"""PyTorch's files, read without running anything that is in them.

Both of PyTorch's formats: the zip archive, and the older stream that SPIN's, EFT's and FrankMocap's
files have. Names in the pickle go through the allow-list of `unpickle.py`; settings objects that
some files hold beside the tensors become empty stand-ins. Tensors are read one by one and on the
CPU, whatever device they were saved from.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from eftvideo.weights.unpickle import SMPL_ALLOWED, AllowListUnpickler, Sealed

_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}
_PLAIN_TYPES = ("int", "long", "float", "bool", "str", "unicode")


class _StorageType(metaclass=Sealed):
    """Stands for torch.FloatStorage and its like; never called."""

    kind = ""
    __slots__ = ()


class _Nothing(metaclass=Sealed):
    """Stands for objects that are not wanted, however they are made and filled."""

    kind = ""
    __slots__ = ()

    def __new__(cls, *args: object) -> Any:
        """Arguments are dropped."""
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Dropped."""

    def __setitem__(self, key: object, value: object) -> None:
        """Dropped."""

    def append(self, value: object) -> None:
        """Dropped."""

    def extend(self, values: object) -> None:
        """Dropped."""


@dataclass(frozen=True)
class _Storage:
    read: Callable[[], bytes]
    dtype: torch.dtype


class StoredTensor(metaclass=Sealed):
    """Stands for torch._utils._rebuild_tensor_v2: where a tensor is; it is read when wanted."""

    __slots__ = ("layout", "storage")

    def __new__(cls, storage: object, offset: int, size: Any, stride: Any, *rest: object) -> Any:
        """Offset and strides in elements; the rest is about gradients."""
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        self = object.__new__(cls)
        self.storage, self.layout = storage, (tuple(size), tuple(stride), offset)
        return self

    def tensor(self) -> Tensor:
        """Read it."""
        size, stride, offset = self.layout
        content = bytearray(self.storage.read())
        if math.prod(size) == 0:
            return torch.zeros(size, dtype=self.storage.dtype)
        return (
            torch.frombuffer(content, dtype=self.storage.dtype)
            .as_strided(size, stride, offset)
            .clone()
        )


class _Parameter(metaclass=Sealed):
    """Stands for torch._utils._rebuild_parameter: gives its tensor."""

    def __new__(cls, data: object, *rest: object) -> Any:
        """The rest is about gradients."""
        return data


_ALLOWED: Mapping[str, type] = {
    **{name: given for name, given in SMPL_ALLOWED.items() if not name.startswith("chumpy")},
    "torch._utils._rebuild_tensor": StoredTensor,
    "torch._utils._rebuild_tensor_v2": StoredTensor,
    "torch._utils._rebuild_parameter": _Parameter,
    "torch.Size": tuple,
    **{f"torch.{name}Storage": _StorageType for name in _STORAGES},
    **{
        name: _Nothing
        for name in (
            "torch.device",
            "torch.float32",
            "collections.defaultdict",
            "collections.Counter",
            "typing.Any",
            # Types that settings objects name as those of their values.
            *(f"{m}.{t}" for m in ("builtins", "__builtin__") for t in _PLAIN_TYPES),
            "argparse.Namespace",
            "yacs.*",
            "omegaconf.*",
            "pytorch_lightning.*",
            "lightning.*",
            "lightning_fabric.*",
        )
    },
}


class _Reader(AllowListUnpickler):
    def __init__(self, file: IO[bytes], path: Path, stored: Callable[[str, int, int], Any]) -> None:
        super().__init__(file, path, _ALLOWED)
        self._stored = stored

    def persistent_load(self, pid: Any, /) -> _Storage:
        kind, storage_type, key, _, num = pid[:5]
        name = getattr(storage_type, "kind", "").removeprefix("torch.").removesuffix("Storage")
        if kind != "storage" or name not in _STORAGES or (len(pid) > 5 and pid[5] is not None):
            raise ValueError("an unknown kind of storage")
        dtype = _STORAGES[name]
        return _Storage(self._stored(str(key), int(num), dtype.itemsize), dtype)


class _Zip:
    """The format since PyTorch 1.6."""

    def __init__(self, path: Path) -> None:
        self._path, self._zip = path, zipfile.ZipFile(path)
        self.close = self._zip.close

    def load(self) -> object:
        names = [n for n in self._zip.namelist() if n.count("/") == 1 and n.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError("a zip archive without one data.pkl")
        root = names[0].removesuffix("data.pkl")
        if f"{root}byteorder" in self._zip.namelist():
            order = self._zip.read(f"{root}byteorder")
            if order != b"little":
                raise ValueError(f"numbers in {order.decode('latin1')} byte order")

        def stored(key: str, num: int, item_bytes: int) -> Callable[[], bytes]:
            return lambda: self._zip.read(f"{root}data/{key}")

        with self._zip.open(names[0]) as file:
            return _Reader(file, self._path, stored).load()


class _Stream:
    """The format before: pickles one after the other, then the storages."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, open(path, "rb")  # noqa: SIM115
        self._places: dict[str, tuple[int, int]] = {}
        self._item_bytes: dict[str, int] = {}
        self.close = self._file.close

    def load(self) -> object:
        if self._pickle() != _MAGIC or self._pickle() != 1001:
            raise ValueError("neither of PyTorch's formats")
        system = self._pickle()
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise ValueError("numbers in big byte order")
        content, keys = self._pickle(), self._pickle()
        if not isinstance(keys, list):
            raise ValueError("no list of storages")
        for key in keys:
            size = int.from_bytes(self._file.read(8), "little") * self._item_bytes[str(key)]
            self._places[str(key)] = (self._file.tell(), size)
            self._file.seek(size, 1)
        return content

    def _pickle(self) -> object:
        return _Reader(self._file, self._path, self._stored).load()

    def _stored(self, key: str, num: int, item_bytes: int) -> Callable[[], bytes]:
        self._item_bytes[key] = item_bytes

        def read() -> bytes:
            place, size = self._places[key]
            self._file.seek(place)
            content = self._file.read(size)
            if len(content) < size:
                raise ValueError("it ends too early")
            return content

        return read


def open_archive(path: Path) -> _Zip | _Stream:
    """A PyTorch file; its `load()` gives the content with a `StoredTensor` for each tensor.

    Either may raise anything: the file may be damaged or hostile.
    """
    with open(path, "rb") as file:
        is_zip = file.read(2) == b"PK"
    return _Zip(path) if is_zip else _Stream(path)

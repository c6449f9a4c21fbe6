"""Reading pickles of numbers without running anything that they ask for.

A pickle is a program: it names classes and functions and calls them. Here every name goes through
an allow-list, and what it gives is never the thing named but a stand-in that only keeps data:
numpy's and scipy's own C code sees no untrusted state, chumpy and scipy need not be installed.

What SMPL's files may ask for (`SMPL_ALLOWED`), under their old and new module names:

- numpy arrays, scalars and dtypes of plain numbers, text or bytes (no objects, no records);
- scipy.sparse csc, csr and coo matrices;
- any class of chumpy, kept as a `ChumpyNode`; only `Ch` and `Select` can be turned into numbers;
- `copy_reg._reconstructor` for the stand-ins, `_codecs.encode` to latin-1, OrderedDict, and the
  builtin containers.

Stand-in classes are sealed, so that a file cannot change them for the next one.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eftvideo.errors import UnsafeFileError, WeightsCorruptError

_PLAIN_DTYPE = re.compile(r"b1|[iuf][1248]|f16|c8|c16|[SU]\d+")


class Sealed(type):
    """A class whose attributes cannot be set (pickle's BUILD can do that to a class)."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise TypeError(f"{cls.__name__} is sealed: cannot set {name}")


class PickledDtype(metaclass=Sealed):
    """Stands for numpy.dtype."""

    __slots__ = ("dtype",)

    def __new__(cls, code: object, align: object = 0, copy: object = 1) -> PickledDtype:
        """Accepts the codes of plain numbers and text only."""
        text = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _PLAIN_DTYPE.fullmatch(text):
            raise ValueError(f"array of {text!r}: only plain numbers and text are read")
        self = super().__new__(cls)
        self.dtype = np.dtype(text)
        return self

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """State: version, byte order, subarray, names, fields and more."""
        _, order, *structure = state[:5]
        if any(part is not None for part in structure):
            raise ValueError("records inside arrays are not read")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class PickledArray(metaclass=Sealed):
    """Stands for numpy.ndarray and for the function that pickle makes one with."""

    __slots__ = ("array",)

    def __new__(cls, *args: object) -> PickledArray:
        """The arguments (class, shape, type code) are placeholders and not used."""
        self = super().__new__(cls)
        self.array = np.zeros(0)
        return self

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """State: version, shape, dtype, whether in Fortran order, content."""
        _, shape, kind, is_fortran, content = state
        if not isinstance(kind, PickledDtype):
            raise ValueError("an array without a dtype")
        flat = np.frombuffer(_as_bytes(content), kind.dtype)
        array = flat.reshape(shape, order="F" if is_fortran else "C")
        self.array = np.array(array, dtype=kind.dtype.newbyteorder("="), order="C")


class PickledBuffer(metaclass=Sealed):
    """Stands for the function that makes arrays in protocol 5; gives a PickledArray."""

    def __new__(cls, content: bytes, kind: PickledDtype, shape: Any, order: str) -> Any:
        """Content, dtype, shape and "C" or "F"."""
        array = PickledArray()
        array.__setstate__((1, shape, kind, order == "F", content))
        return array


class PickledScalar(metaclass=Sealed):
    """Stands for the function that makes numpy scalars; gives a numpy number."""

    def __new__(cls, kind: PickledDtype, content: str | bytes) -> Any:
        """One value from its bytes."""
        return np.frombuffer(_as_bytes(content), kind.dtype, count=1)[0]


class PickledSparse(metaclass=Sealed):
    """Stands for scipy's sparse matrices."""

    kind = ""
    __slots__ = ("state",)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """scipy's attributes by name."""
        self.state = dict(state)

    def to_array(self) -> np.ndarray:
        """The dense matrix."""
        state = self.state
        shape = tuple(int(n) for n in state.get("_shape", state.get("shape", ())))
        values = to_array(state["data"])
        if "indptr" in state:
            counts = np.diff(to_array(state["indptr"]))
            major = np.repeat(np.arange(len(counts)), counts)
            minor = to_array(state["indices"])
            row, column = (major, minor) if "csr" in self.kind else (minor, major)
        else:
            row, column = (to_array(part) for part in _coo_indices(state))
        if min(row.min(initial=0), column.min(initial=0)) < 0:
            raise ValueError("negative index in a sparse matrix")
        dense = np.zeros(shape, values.dtype)
        np.add.at(dense, (row, column), values)
        return dense


def _coo_indices(state: dict[str, Any]) -> tuple[Any, Any]:
    return state["coords"] if "coords" in state else (state["row"], state["col"])


class ChumpyNode(metaclass=Sealed):
    """Stands for every class of chumpy: arrays that remember how they were computed."""

    kind = ""
    __slots__ = ("state",)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """chumpy's attributes by name."""
        self.state = dict(state)

    def to_array(self) -> np.ndarray:
        """The value of a `Ch` (its array x) or a `Select` (entries idxs of the flat array a)."""
        name = self.kind.rpartition(".")[2]
        if name == "Ch":
            return to_array(self.state["x"])
        if name == "Select":
            chosen = to_array(self.state["a"]).ravel()[to_array(self.state["idxs"])]
            shape = self.state.get("preferred_shape")
            return chosen if shape is None else chosen.reshape([int(n) for n in shape])
        raise ValueError(f"{self.kind} is an expression, not an array")


class _Reconstruct(metaclass=Sealed):
    """Stands for copy_reg._reconstructor: an empty stand-in."""

    def __new__(cls, target: type, base: object, state: object) -> Any:
        """The base must be object, its state None: nothing else is ever built so."""
        if not isinstance(target, Sealed) or base is not object or state is not None:
            raise ValueError("only empty stand-ins are built by copy_reg")
        return object.__new__(target)


class _EncodeLatin1(metaclass=Sealed):
    """Stands for _codecs.encode as Python 3 uses it to write bytes in protocol 2."""

    def __new__(cls, text: str, encoding: str) -> Any:
        """Text to bytes."""
        if encoding != "latin1":
            raise ValueError(f"unexpected encoding {encoding!r}")
        return text.encode("latin1")


class _EmptyBytes(metaclass=Sealed):
    """Stands for bytes, called without arguments: how protocol 2 writes empty content."""

    def __new__(cls) -> Any:
        """No bytes."""
        return b""


_SPARSE = {
    f"scipy.sparse.{underscore}{form}.{form}_{kind}": PickledSparse
    for form in ("csc", "csr", "coo")
    for underscore in ("", "_")
    for kind in ("matrix", "array")
}
SMPL_ALLOWED: Mapping[str, type] = {
    "numpy.ndarray": PickledArray,
    "numpy.dtype": PickledDtype,
    "numpy.core.multiarray._reconstruct": PickledArray,
    "numpy._core.multiarray._reconstruct": PickledArray,
    "numpy.core.multiarray.scalar": PickledScalar,
    "numpy._core.multiarray.scalar": PickledScalar,
    "numpy.core.numeric._frombuffer": PickledBuffer,
    "numpy._core.numeric._frombuffer": PickledBuffer,
    "__builtin__.bytes": _EmptyBytes,
    "copy_reg._reconstructor": _Reconstruct,
    "copyreg._reconstructor": _Reconstruct,
    "_codecs.encode": _EncodeLatin1,
    "collections.OrderedDict": OrderedDict,
    **{
        f"{module}.{cls.__name__}": cls
        for module in ("__builtin__", "builtins")
        for cls in (object, set, frozenset, list, tuple, dict)
    },
    **_SPARSE,
    "chumpy.*": ChumpyNode,
}
"""Name asked for to class given; a name that ends in `.*` covers a whole package."""


class AllowListUnpickler(pickle.Unpickler):
    """Gives the stand-in that `allowed` has for a name, and refuses all other names."""

    def __init__(self, file: Any, path: Path, allowed: Mapping[str, type]) -> None:
        super().__init__(file, encoding="latin1", fix_imports=False)
        self._path = path
        self._allowed = allowed

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}"
        given = self._allowed.get(name) or self._allowed.get(f"{name.partition('.')[0]}.*")
        if given is None:
            raise UnsafeFileError(
                f"{self._path} asks for {name}, expected nothing but arrays; nothing was run: "
                "get the file from its original source"
            )
        if not hasattr(given, "kind"):
            return given
        return Sealed(given.__name__, (given,), {"kind": name, "__slots__": ()})


def load_pickle(path: str | Path, allowed: Mapping[str, type] = SMPL_ALLOWED) -> Any:
    """Read a pickle (any protocol, Python 2 text as latin-1).

    Returns:
        What the file holds, with stand-ins in it; `to_array` turns them into numpy arrays.

    Raises:
        UnsafeFileError: the file asks for a name that is not in `allowed`.
        WeightsCorruptError: the file cannot be read, or uses an allowed name in an odd way.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            return AllowListUnpickler(file, path, allowed).load()
    except UnsafeFileError:
        raise
    except Exception as e:  # a damaged or hostile file can make pickle raise anything
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise WeightsCorruptError(
            f"{path} is not a readable pickle ({reason}): get a whole copy of it"
        ) from e


def to_array(value: object) -> np.ndarray:
    """A stand-in, or anything numpy takes for numbers, as an array.

    Raises:
        ValueError: it is not made of plain numbers.
    """
    if isinstance(value, PickledArray):
        return value.array
    if isinstance(value, (PickledSparse, ChumpyNode)):
        return value.to_array()
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{type(value).__name__} is not made of numbers")
    return array


def _as_bytes(content: object) -> bytes:
    if isinstance(content, str):
        return content.encode("latin1")
    if isinstance(content, (bytes, bytearray)):
        return bytes(content)
    raise ValueError(f"array content is {type(content).__name__}, not bytes")

"""Small body models for tests: random bodies in SMPL's layout, and files like the licensed ones.

No licensed file is needed or imitated in content: shapes, keys, classes and the pickle protocol
are those of `basicmodel_neutral_lbs_10_207_0_v1.0.0.pkl`, the numbers are random.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eftvideo.geometry.skeletons import COCO17, FEET6, SMPL24, SMPL24_PARENTS

SMPL_NUM_VERTICES = 6890
_REST = {
    "pelvis": (0.0, -0.22, 0.03), "left_hip": (0.07, -0.31, 0.02), "left_knee": (0.10, -0.69, 0.02),
    "left_ankle": (0.09, -1.09, -0.03), "left_foot": (0.12, -1.15, 0.10),
    "spine1": (0.0, -0.11, 0.0), "spine2": (0.0, 0.02, 0.0), "spine3": (0.0, 0.07, 0.03),
    "neck": (0.0, 0.28, -0.01), "head": (0.0, 0.37, 0.05), "left_collar": (0.08, 0.19, 0.0),
    "left_shoulder": (0.17, 0.22, -0.02), "left_elbow": (0.43, 0.21, -0.04),
    "left_wrist": (0.68, 0.22, -0.05), "left_hand": (0.77, 0.21, -0.06),
}  # fmt: skip


def rest_joints() -> np.ndarray:
    """(24, 3) metres: a T-pose of human size, left-right symmetric."""
    rows = []
    for name in SMPL24:
        x, y, z = _REST[name.replace("right_", "left_")]
        rows.append((-x if name.startswith("right_") else x, y, z))
    return np.array(rows)


def _softmax_near(points: np.ndarray, joints: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(points[:, None] - joints, axis=2)
    weights = np.exp(-((distance / 0.08) ** 2))
    weights[np.arange(len(points)), distance.argmin(1)] += 1e-3
    weights[weights < 1e-6] = 0.0
    return weights / weights.sum(1, keepdims=True)


def _nearest_mean(points: np.ndarray, targets: np.ndarray, count: int) -> np.ndarray:
    rows = np.zeros((len(targets), len(points)))
    for row, target in zip(rows, targets, strict=True):
        row[np.linalg.norm(points - target, axis=1).argsort()[:count]] = 1.0 / count
    return rows


def body_arrays(num_vertices: int = 600, num_betas: int = 10, seed: int = 0) -> dict:
    """A random body: vertices round the bones, smooth skinning, every term of SMPL in use."""
    rng = np.random.default_rng(seed)
    joints = rest_joints()
    parents = np.array(SMPL24_PARENTS)
    child = rng.integers(1, 24, num_vertices)
    along = rng.random((num_vertices, 1))
    points = joints[child] * along + joints[parents[child]] * (1 - along)
    points += rng.normal(0.0, 0.04, points.shape)
    return {
        "v_template": points,
        "shapedirs": rng.normal(0.0, 0.01, (num_vertices, 3, num_betas)),
        "posedirs": rng.normal(0.0, 0.003, (num_vertices, 3, 207)),
        "J_regressor": _nearest_mean(points, joints, 20),
        "weights": _softmax_near(points, joints),
        "kintree_table": np.stack([np.where(parents < 0, 2**32 - 1, parents), np.arange(24)]),
        "f": rng.integers(0, num_vertices, (2 * num_vertices, 3)).astype(np.uint32),
    }


def write_body_npz(path: Path, num_vertices: int = 600, seed: int = 0) -> Path:
    """A small body file like the free one: COCO keypoints, feet, and one point more."""
    arrays = body_arrays(num_vertices, seed=seed)
    rng = np.random.default_rng(seed + 1)
    names = (*COCO17, *FEET6, "head_top")
    targets = arrays["v_template"][rng.integers(0, num_vertices, len(names))]
    np.savez_compressed(
        path,
        **arrays,
        keypoint_regressor=_nearest_mean(arrays["v_template"], targets, 8),
        keypoint_names=np.array(names),
        licence=np.array("CC0-1.0"),
    )
    return path


class Ch:
    """Stands for `chumpy.ch.Ch` while a file is written: an array that knows how it was made."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def __getstate__(self) -> dict:
        return {"x": self.x, "_dirty_vars": set(), "_itr": None, "_parents": {}}


class Select:
    """Stands for `chumpy.reordering.Select`: some entries of another array, in a new shape."""

    def __init__(self, a: object, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


@contextlib.contextmanager
def chumpy_modules() -> Iterator[None]:
    """Modules named chumpy.* hold the two classes, so that pickle writes those names."""
    homes = {"chumpy.ch": (Ch,), "chumpy.reordering": (Select,)}
    old = {cls: (cls.__module__, cls.__qualname__) for classes in homes.values() for cls in classes}
    sys.modules["chumpy"] = types.ModuleType("chumpy")
    for home, classes in homes.items():
        module = sys.modules[home] = types.ModuleType(home)
        for cls in classes:
            setattr(module, cls.__name__, cls)
            cls.__module__ = home
    try:
        yield
    finally:
        for cls, (home, _) in old.items():
            cls.__module__ = home
        for home in (*homes, "chumpy"):
            del sys.modules[home]


def smpl_pickle_content(num_betas: int = 10, seed: int = 0) -> tuple[dict, dict]:
    """What a licensed pickle holds, and the plain arrays that must be read out of it.

    Call within `chumpy_modules()` if the first is to be pickled.
    """
    from scipy.sparse import csc_matrix

    arrays = body_arrays(SMPL_NUM_VERTICES, num_betas, seed)
    shapedirs = arrays["shapedirs"]
    wide = np.concatenate([shapedirs, np.zeros_like(shapedirs)], axis=2)
    columns = np.arange(wide.size).reshape(wide.shape)[..., :num_betas].ravel()
    content = {
        "J": Ch(arrays["J_regressor"] @ arrays["v_template"]),
        "J_regressor": csc_matrix(arrays["J_regressor"]),
        "J_regressor_prior": csc_matrix(arrays["J_regressor"]),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "f": arrays["f"],
        "kintree_table": arrays["kintree_table"].astype(np.int64),
        "posedirs": arrays["posedirs"],
        "shapedirs": Select(Ch(wide), columns, shapedirs.shape),
        "v_template": Ch(arrays["v_template"]),
        "vert_sym_idxs": np.arange(SMPL_NUM_VERTICES)[::-1].copy(),
        "weights": Ch(arrays["weights"]),
        "weights_prior": arrays["weights"],
    }
    return content, arrays


def write_smpl_pickle(path: Path, num_betas: int = 10, seed: int = 0) -> dict:
    """Write a file of the licensed structure (protocol 2) and return its plain arrays."""
    with chumpy_modules():
        content, arrays = smpl_pickle_content(num_betas, seed)
        path.write_bytes(pickle.dumps(content, protocol=2))
    return arrays


class Call:
    """Pickles to a call of `function(*args)`; loading it with plain pickle really calls."""

    def __init__(self, function: object, *args: object) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple:
        return self.function, self.args


def _stack_global(module: str, name: str) -> bytes:
    """Protocol 4's way to ask for a name, which may be dotted."""
    texts = (b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + b"".join(texts) + b"\x93."


def hostile_pickles(sentinel: Path) -> dict[str, bytes]:
    """Pickles that would make the file `sentinel`, each by another way; name to content."""
    touch = f"open({str(sentinel)!r}, 'w').close()"
    shell = f"touch {sentinel}"
    numbers = np.arange(3.0)
    nested = {"v_template": numbers, "betas": [{"x": (Call(os.system, shell),)}]}
    path = str(sentinel).encode()
    code = touch.encode().replace(b"'", b'"')
    return {
        "os.system": pickle.dumps(Call(os.system, shell), protocol=2),
        "builtins.eval": pickle.dumps(Call(eval, touch), protocol=2),
        "builtins.exec": pickle.dumps(Call(exec, touch), protocol=4),
        "subprocess": pickle.dumps(Call(subprocess.call, ["touch", str(sentinel)]), protocol=2),
        "nested": pickle.dumps(nested, protocol=2),
        "old protocol": b"cos\nsystem\n(S'touch " + path + b"'\ntR.",
        "python 2 file": b"c__builtin__\nfile\n(S'" + path + b"'\nS'w'\ntR.",
        "instance opcode": b"(S'"
        + touch.encode().replace(b"'", b'"')
        + b"'\ni__builtin__\neval\n.",
        "getattr": b"c__builtin__\ngetattr\n(cos\nS'system'\ntR(S'" + shell.encode() + b"'\ntR.",
        "dotted name": _stack_global("numpy", "__loader__.exec_module"),
        "dotted array": _stack_global("numpy", "ndarray.__class__"),
        "chumpy-like package": _stack_global("chumpyx.ch", "Ch"),
        "numpy function": b"cnumpy\nfromfile\n(S'" + path + b"'\ntR.",
        "numpy runs tests": b"cnumpy.testing._private.utils\nrunstring\n(S'" + code + b"'\n}tR.",
        "through dict value": pickle.dumps(
            {"J": OrderedDict(a=Call(os.mkdir, str(sentinel)))}, protocol=2
        ),
    }

"""The allow-list unpickler: SMPL's structure is read without chumpy, hostile files run nothing."""

from __future__ import annotations

import codecs
import collections
import copyreg
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from smpl_files import Call, Ch, Select, chumpy_modules, hostile_pickles, write_smpl_pickle

from eftvideo.bodies import import_smpl
from eftvideo.bodies._convert import gender_of
from eftvideo.bodies._read import read_arrays, read_body
from eftvideo.errors import (
    ConfigError,
    UnsafeFileError,
    VideoWriteError,
    WeightsCorruptError,
    WeightsNotFoundError,
)
from eftvideo.weights import unpickle
from eftvideo.weights.locate import ENV_FOLDER
from eftvideo.weights.unpickle import load_pickle, to_array


@pytest.fixture(scope="module")
def licensed(tmp_path_factory):
    path = tmp_path_factory.mktemp("smpl") / "basicModel_f_lbs_10_207_0_v1.0.0.pkl"
    return path, write_smpl_pickle(path, seed=3)


def roundtrip(tmp_path, value, protocol=2):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    return load_pickle(tmp_path / "a.pkl")


def test_licensed_structure_is_read_without_chumpy(licensed):
    path, expected = licensed
    assert "chumpy" not in sys.modules
    raw = path.read_bytes()
    assert raw.startswith(b"\x80\x02") and b"chumpy.reordering\nSelect" in raw
    arrays = read_arrays(path)
    assert set(arrays) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(arrays[key], value, err_msg=key)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        np.arange(3, dtype=">u2"),
        np.zeros((0, 3), np.float32),
        np.array([True, False]),
        np.array(2.5),
        np.float32(1.5),
        scipy.sparse.csc_matrix([[0, 2.0], [3, 0], [0, 1]]),
        scipy.sparse.csr_matrix([[0, 2.0], [3, 0], [0, 1]]),
        scipy.sparse.coo_matrix([[0, 2.0], [3, 0], [0, 1]]),
    ],
    ids=lambda v: f"{type(v).__name__}-{v.dtype}-{v.shape}",
)
def test_numbers_come_back(tmp_path, value, protocol):
    got = to_array(roundtrip(tmp_path, {"x": [value]}, protocol)["x"][0])
    expected = value.toarray() if scipy.sparse.issparse(value) else value
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == expected.dtype.newbyteorder("=")


def test_containers_come_back(tmp_path):
    value = {"a": collections.OrderedDict(z=1, y=(2.0, None)), "b": {3, 4}, "c": "lrotmin"}
    assert roundtrip(tmp_path, value) == value


def test_python_2_text_arrays_are_read_as_latin1(tmp_path):
    """Python 2 writes array content as a text string (opcode U), not as bytes."""
    content = np.array([1.5, -2.0]).tobytes()
    raw = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x10" + content + b"tb."
    )
    (tmp_path / "a.pkl").write_bytes(raw)
    np.testing.assert_array_equal(to_array(load_pickle(tmp_path / "a.pkl")), [1.5, -2.0])


HOSTILE = list(hostile_pickles(Path("x")))


@pytest.mark.parametrize("way", HOSTILE)
def test_hostile_files_run_nothing(tmp_path, way):
    sentinel = tmp_path / "sentinel"
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(hostile_pickles(sentinel)[way])
    with pytest.raises(UnsafeFileError, match="nothing was run") as error:
        read_body(path)
    assert not sentinel.exists()
    assert "\n" not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("way", ["os.system", "builtins.eval", "nested", "python 2 file"])
def test_hostile_files_would_run_with_plain_pickle(tmp_path, way):
    """The files above are live: the same bytes do harm when read by pickle itself."""
    sentinel = tmp_path / "sentinel"
    content = hostile_pickles(sentinel)[way].replace(b"__builtin__\nfile", b"io\nopen")
    pickle.loads(content)
    assert sentinel.exists()


def test_error_names_the_global(tmp_path):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(hostile_pickles(tmp_path / "s")["builtins.eval"])
    with pytest.raises(UnsafeFileError, match=r"__builtin__\.eval"):
        load_pickle(path)


ODD = {
    "object array": lambda: np.array([{}], dtype=object),
    "records": lambda: np.zeros(2, dtype=[("a", "f8")]),
    "encode to another codec": lambda: Call(codecs.encode, "ab", "rot13"),
    "reconstructor of a real class": lambda: Call(copyreg._reconstructor, set, object, None),
}


@pytest.mark.parametrize("what", ODD)
def test_allowed_names_used_in_odd_ways_are_refused(tmp_path, what):
    with pytest.raises(WeightsCorruptError, match="not a readable pickle"):
        roundtrip(tmp_path, ODD[what]())


@pytest.mark.parametrize(
    "name", ["numpy\nndarray", "chumpy.ch\nCh", "__builtin__\nset", "_codecs\nencode"]
)
def test_files_cannot_change_the_stand_ins(tmp_path, name):
    """BUILD with a slot state sets attributes, here on the class itself."""
    raw = b"c" + name.encode() + b"\n(N}S'__setstate__'\nc__builtin__\nlist\nsS'kind'\nS'x'\nstb."
    (tmp_path / "a.pkl").write_bytes(raw)
    before = {cls: dict(vars(cls)) for cls in set(unpickle.SMPL_ALLOWED.values())}
    with pytest.raises(WeightsCorruptError):
        load_pickle(tmp_path / "a.pkl")
    assert {cls: dict(vars(cls)) for cls in before} == before


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_chumpy_arrays_come_back(tmp_path, protocol):
    with chumpy_modules():
        wide = Ch(np.arange(12.0).reshape(2, 6))
        value = {"ch": wide, "some": Select(wide, np.array([1, 0, 7, 6]), (2, 2))}
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    read = load_pickle(tmp_path / "a.pkl")
    np.testing.assert_array_equal(to_array(read["ch"]), wide.x)
    np.testing.assert_array_equal(to_array(read["some"]), [[1, 0], [7, 6]])


def test_chumpy_expressions_are_kept_but_not_computed(tmp_path):
    """A node of an unknown class does no harm where its value is not needed."""
    with chumpy_modules():
        sys.modules["chumpy.ch_ops"] = module = type(sys)("chumpy.ch_ops")
        module.add = add = type("add", (Ch,), {"__module__": "chumpy.ch_ops"})
        value = roundtrip(tmp_path, {"v_posed": add(np.ones(2)), "x": Ch(np.ones(2))})
        del sys.modules["chumpy.ch_ops"]
    np.testing.assert_array_equal(to_array(value["x"]), [1, 1])
    with pytest.raises(ValueError, match=r"chumpy\.ch_ops\.add is an expression"):
        to_array(value["v_posed"])


def test_a_node_that_holds_itself_is_an_error(tmp_path):
    with chumpy_modules():
        node = Ch(np.ones(2))
        node.x = node
        (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps({"v_template": node}, protocol=2))
    with pytest.raises(WeightsCorruptError, match="v_template should be an array"):
        read_arrays(tmp_path / "SMPL_NEUTRAL.pkl")


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_damaged_files_are_named(tmp_path, licensed, cut):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(licensed[0].read_bytes()[:cut])
    with pytest.raises(WeightsCorruptError, match="not a readable pickle"):
        read_body(path)


def test_import_writes_a_safe_copy(licensed, tmp_path):
    path, expected = licensed
    written = import_smpl(path, tmp_path / "new")
    assert written == tmp_path / "new" / "SMPL_FEMALE.npz"
    assert [p.name for p in written.parent.iterdir()] == [written.name]
    with np.load(written, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["posedirs"], expected["posedirs"].astype(np.float32))
    before, after = read_body(path), read_body(written)
    np.testing.assert_array_equal(before.tables.shapedirs, after.tables.shapedirs)
    np.testing.assert_allclose(before.keypoint_regressor, after.keypoint_regressor, atol=1e-6)
    assert after.licence.startswith("SMPL model licence")


def test_import_goes_to_the_users_folder(licensed, tmp_path, monkeypatch):
    monkeypatch.setenv(ENV_FOLDER, str(tmp_path / "own"))
    assert import_smpl(licensed[0]).parent == tmp_path / "own"
    monkeypatch.delenv(ENV_FOLDER)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert import_smpl(licensed[0]).parent == tmp_path / "cache" / "eftvideo"


def test_import_errors_leave_nothing(licensed, tmp_path):
    hostile = tmp_path / "SMPL_MALE.pkl"
    hostile.write_bytes(hostile_pickles(tmp_path / "sentinel")["nested"])
    with pytest.raises(UnsafeFileError):
        import_smpl(hostile, tmp_path / "out")
    with pytest.raises(WeightsNotFoundError):
        import_smpl(tmp_path / "SMPL_NEUTRAL.pkl", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(VideoWriteError, match="another folder"):
        import_smpl(licensed[0], tmp_path / "file")
    assert not (tmp_path / "out").exists() and not (tmp_path / "sentinel").exists()


@pytest.mark.parametrize(
    ("name", "gender"),
    [
        ("SMPL_NEUTRAL.pkl", "NEUTRAL"),
        ("basicModel_neutral_lbs_10_207_0_v1.0.0.pkl", "NEUTRAL"),
        ("basicmodel_m_lbs_10_207_0_v1.1.0.pkl", "MALE"),
        ("basicModel_f_lbs_10_207_0_v1.0.0.pkl", "FEMALE"),
        ("smpl_female.npz", "FEMALE"),
        ("body.pkl", None),
    ],
)
def test_gender_of(tmp_path, name, gender):
    if gender is None:
        with pytest.raises(ConfigError, match="rename"):
            gender_of(tmp_path / name)
    else:
        assert gender_of(tmp_path / name) == gender

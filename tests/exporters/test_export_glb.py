"""glb read back byte by byte: structure, times, and where joints and skin end up."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from export_case import FOCAL_PX, SIZE_PX, export, made_up, saved, turned

from eftvideo.bodies import load_body
from eftvideo.errors import ConfigError
from eftvideo.exporters.glb import presence, quaternions
from eftvideo.geometry.skeletons import SMPL24

TYPES = {5121: np.uint8, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read(path):
    """The JSON chunk and a function from accessor index to array."""
    raw = path.read_bytes()
    magic, version, length, size, kind = struct.unpack("<4sIIII", raw[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(raw), 0x4E4F534A)
    doc, blob = json.loads(raw[20 : 20 + size]), raw[28 + size :]
    assert len(blob) >= doc["buffers"][0]["byteLength"]

    def array(index):
        accessor = doc["accessors"][index]
        view = doc["bufferViews"][accessor["bufferView"]]
        width, start = WIDTHS[accessor["type"]], view.get("byteOffset", 0)
        dtype = np.dtype(TYPES[accessor["componentType"]])
        assert start % dtype.itemsize == 0
        flat = np.frombuffer(blob, dtype, accessor["count"] * width, start)
        assert flat.nbytes == view["byteLength"]
        return flat.reshape(-1, width) if width > 1 else flat

    return doc, array


def matrices(translation, rotation):
    """(F, 3) and (F, 4) x, y, z, w to (F, 4, 4)."""
    x, y, z, w = np.moveaxis(rotation.astype(float), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    out = np.tile(np.eye(4), (len(x), 1, 1))
    out[:, :3, :3] = np.moveaxis(np.array(rows), -1, 0)
    out[:, :3, 3] = translation
    return out


def play(doc, array, skin):
    """Times (F,) and joints' world matrices (F, 24, 4, 4) of one skin at its keys."""
    nodes, joints = doc["nodes"], doc["skins"][skin]["joints"]
    tracks = {}
    for channel in doc["animations"][0]["channels"]:
        sampler = doc["animations"][0]["samplers"][channel["sampler"]]
        key = (channel["target"]["node"], channel["target"]["path"])
        tracks[key] = (array(sampler["input"]), array(sampler["output"]), sampler["interpolation"])
    times = tracks[(joints[0], "rotation")][0]
    world = {}

    def visit(node, above):
        def values(path):
            known = tracks.get((node, path))
            return known[1] if known else np.tile(nodes[node][path], (len(times), 1))

        world[node] = above @ matrices(values("translation"), values("rotation"))
        for child in nodes[node].get("children", []):
            visit(child, world[node])

    visit(joints[0], np.tile(np.eye(4), (len(times), 1, 1)))
    return times, np.stack([world[j] for j in joints], 1), tracks


@pytest.mark.parametrize("one_shape", [True, False])
def test_joints_and_times(tmp_path, one_shape):
    source, result = saved(tmp_path, one_shape)
    (file,) = export(source, "glb")
    assert file.path == tmp_path / "clip.glb" and file.track_ids == (1, 4)
    doc, array = read(file.path)
    assert [doc["nodes"][i]["name"] for i in doc["scenes"][0]["nodes"]] == [
        "camera", "person_1", "person_4",
    ]  # fmt: skip
    for skin, track_id in enumerate((1, 4)):
        person = result.track(track_id)
        times, world, _ = play(doc, array, skin)
        np.testing.assert_allclose(times, person.time_s, atol=1e-6)
        assert np.abs(world[:, :, :3, 3] - turned(person.joints3d, "y")).max() < 1e-4
        names = [doc["nodes"][j]["name"] for j in doc["skins"][skin]["joints"]]
        assert names == list(SMPL24)


def test_skin_is_near_the_mesh_of_the_body(tmp_path):
    source, result = saved(tmp_path)
    export(source, "glb")
    doc, array = read(tmp_path / "clip.glb")
    primitive = doc["meshes"][1]["primitives"][0]
    at = {name: array(index) for name, index in primitive["attributes"].items()}
    np.testing.assert_array_equal(array(primitive["indices"]), load_body().faces.reshape(-1))
    np.testing.assert_allclose(at["WEIGHTS_0"].sum(1), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(at["NORMAL"], axis=1), 1.0, atol=1e-5)
    inverse = array(doc["skins"][1]["inverseBindMatrices"]).reshape(24, 4, 4).swapaxes(1, 2)
    _, world, tracks = play(doc, array, 1)
    moves = (world @ inverse)[:, at["JOINTS_0"]]
    blend = np.einsum("vk,fvkij->fvij", at["WEIGHTS_0"], moves)

    def skinned(mesh):
        return np.einsum("fvij,fvj->fvi", blend[..., :3, :3], mesh) + blend[..., :3, 3]

    def off(mesh):
        return np.linalg.norm(skinned(mesh) - turned(result.vertices(4), "y"), axis=-1)

    targets = np.stack([array(t["POSITION"]) for t in primitive["targets"]])
    node = next(i for i, n in enumerate(doc["nodes"]) if n["name"] == "person_4")
    weights = tracks[(node, "weights")][1].reshape(len(blend), len(targets))
    np.testing.assert_allclose(doc["meshes"][1]["weights"], weights[0], atol=1e-6)
    assert len(doc["meshes"][1]["extras"]["targetNames"]) == len(targets) <= 24
    plain = np.broadcast_to(at["POSITION"], (len(blend), *at["POSITION"].shape))
    mixed = plain + np.einsum("fk,kvi->fvi", weights, targets)
    # What glTF cannot hold is a fifth joint, on a few vertices.
    assert np.median(off(mixed)) < 1e-5 and np.quantile(off(mixed), 0.99) < 0.01
    assert np.quantile(off(plain), 0.99) > 0.02


def test_nobody_bends_a_joint(tmp_path):
    """Then there is nothing to correct."""
    source, _ = saved(tmp_path, body_pose=np.zeros_like(made_up().body_pose))
    export(source, "glb")
    doc, _ = read(tmp_path / "clip.glb")
    assert all("targets" not in m["primitives"][0] for m in doc["meshes"])
    assert {c["target"]["path"] for c in doc["animations"][0]["channels"]} == {
        "translation", "rotation", "scale",
    }  # fmt: skip


def test_camera_sees_what_the_clip_shows(tmp_path):
    source, result = saved(tmp_path)
    export(source, "glb")
    doc, _ = read(tmp_path / "clip.glb")
    node = next(n for n in doc["nodes"] if "camera" in n)
    assert not {"rotation", "translation", "matrix"} & node.keys()
    lens = doc["cameras"][0]["perspective"]
    assert lens["aspectRatio"] == pytest.approx(SIZE_PX[0] / SIZE_PX[1])
    point = turned(result.joints3d[0, 20].astype(float), "y")
    # glTF's camera looks along -z with y up.
    height = point[1] / -point[2] / np.tan(lens["yfov"] / 2)
    width = point[0] / -point[2] / np.tan(lens["yfov"] / 2) / lens["aspectRatio"]
    x, y, z = result.joints3d[0, 20].astype(float)
    want = np.array([FOCAL_PX * x / z + SIZE_PX[0] / 2, FOCAL_PX * y / z + SIZE_PX[1] / 2])
    seen = np.array([(1 + width) / 2 * SIZE_PX[0], (1 - height) / 2 * SIZE_PX[1]])
    np.testing.assert_allclose(seen, want, atol=1e-3)


def test_people_are_there_only_while_they_were_seen(tmp_path):
    source, result = saved(tmp_path)
    export(source, "glb")
    doc, array = read(tmp_path / "clip.glb")
    _, _, tracks = play(doc, array, 1)
    when, scale, way = tracks[(doc["skins"][1]["joints"][0], "scale")]
    assert way == "STEP"
    np.testing.assert_allclose(when, [0.0, 0.15 - 0.02, 0.35 + 0.04], atol=1e-6)
    np.testing.assert_array_equal(scale, np.repeat([[0.0], [1.0], [0.0]], 3, axis=1))
    assert presence(np.array([0.0]))[0].tolist() == pytest.approx([0.0, 1 / 30])
    assert result.track(4).time_s[0] == 0.15


def test_time_starts_where_the_run_did(tmp_path):
    late = made_up()
    source, _ = saved(
        tmp_path, time_s=late.time_s + 7.0, config={**late.config, "clip": {"start_s": 7.0}}
    )
    export(source, "glb")
    doc, array = read(tmp_path / "clip.glb")
    assert play(doc, array, 0)[0][0] == 0.0


def test_accessors_state_their_bounds(tmp_path):
    source, _ = saved(tmp_path)
    export(source, "glb")
    doc, array = read(tmp_path / "clip.glb")
    stated = [i for i, a in enumerate(doc["accessors"]) if a.get("min")]
    assert len(stated) >= 6
    for index in stated:
        values = array(index).reshape(doc["accessors"][index]["count"], -1)
        assert values.min(0).tolist() == doc["accessors"][index]["min"]
        assert values.max(0).tolist() == doc["accessors"][index]["max"]


def test_quaternions_do_not_flip():
    motion = np.linspace(0, 9, 200)
    turns = np.stack([np.cos(motion), -np.sin(motion), np.sin(motion), np.cos(motion)], 1)
    matrix = np.tile(np.eye(3), (200, 1, 1))
    matrix[:, :2, :2] = turns.reshape(-1, 2, 2)
    quats = quaternions(matrix)
    assert ((quats[1:] * quats[:-1]).sum(1) > 0.99).all()
    assert np.abs(matrices(np.zeros(3), quats)[:, :3, :3] - matrix).max() < 1e-9


def test_gltf_is_always_y_up(tmp_path):
    source, _ = saved(tmp_path)
    with pytest.raises(ConfigError, match=r"--up z cannot be had in glb.*'y'"):
        export(source, "glb", up="z")

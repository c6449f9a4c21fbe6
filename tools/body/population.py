"""Population of bodies: phenotypes by `anny`'s own statistics, lengths by surveys of people."""

from __future__ import annotations

import numpy as np
import torch

from tools.body import proportions, source, tpose
from tools.body.source import MIRROR, Array, SourceRig

#: Local proportions that vary besides phenotypes and lengths: name -> standard deviation.
#: Names with "#" exist once per side and get the same value on both.
LOCAL_CHANGES = {
    "measure-hips-circ-incr": 0.25,
    "measure-waist-circ-incr": 0.35,
    "stomach-tone-incr": 0.3,
    "torso-scale-depth-incr": 0.2,
    "buttocks-volume-incr": 0.3,
    "#-upperleg-fat-incr": 0.3,
    "#-upperarm-fat-incr": 0.3,
    "#-hand-scale-incr": 0.1,
    "#-foot-scale-depth-incr": 0.09,
    "head-scale-vert-incr": 0.15,
    "head-scale-horiz-incr": 0.15,
    "head-scale-depth-incr": 0.15,
}
#: Bones that start at a hinge, and the way there from the middle of the surface around it
#: (anny's own COCO keypoint), per stature: means of 400 adults.
HINGES = {
    "knee": ("lowerleg01.L", (-0.0039, 0.0136, 0.0015)),
    "elbow": ("lowerarm01.L", (0.0068, -0.0069, -0.0035)),
}
LENGTH_STEPS = 4  # to lengths within 0.3 % of those drawn


def sample_population(
    rig: SourceRig, num_adults: int, num_children: int, seed: int
) -> tuple[Array, Array]:
    """Rest vertices (N, N0, 3) and bone heads (N, B, 3), adults first, symmetric.

    Ages, heights and builds follow anny's calibrated distribution; weight is drawn wider,
    to a body mass index of about 18 to 35, because people on video are. The source makes
    people short or tall mostly by their thighs, which no population does: lengths are drawn
    by `proportions`, and then the whole body is scaled to the stature it had.
    """
    rng = np.random.default_rng(seed)
    years = np.concatenate([rng.uniform(18, 70, num_adults), rng.uniform(6, 14, num_children)])
    phenotypes = _sample_phenotypes(rig, years, rng)
    share = proportions.draw_shares(phenotypes["gender"].numpy(), years, rng)
    changes = _sample_local_changes(len(years), rng)
    amount = {name: np.zeros(len(years)) for name in proportions.CONTROLS}
    rows = source.load_keypoint_weights(rig)
    vertices, heads = source.forward(rig, phenotypes, changes)
    goal = _stature(vertices)
    for _ in range(LENGTH_STEPS):
        _set_hinges(rig, rows, vertices, heads)
        joints = tpose.place_bodies(rig, heads, vertices[:, :, 1].max(1)).joints
        amount = proportions.step(amount, proportions.measure(joints), _stature(vertices), share)
        vertices, heads = source.forward(rig, phenotypes, changes | _as_changes(amount))
    _set_hinges(rig, rows, vertices, heads)
    scale = (goal / _stature(vertices))[:, None, None]
    return vertices * scale, heads * scale


def _set_hinges(rig: SourceRig, rows: dict[str, Array], vertices: Array, heads: Array) -> None:
    """Put the `heads` of bones at knees and elbows where the surface has the joint.

    Over the source's heights the knee's bone leaves it by 11 mm (standard deviation). `rows`:
    keypoint regressors of the source by name.
    """
    for name, (bone, way) in HINGES.items():
        row = 0.5 * (rows[f"left_{name}"] + rows[f"right_{name}"][rig.mirror])
        place = np.einsum("v,nvc->nc", row, vertices) + _stature(vertices)[:, None] * np.array(way)
        heads[:, rig.bone(bone)] = place
        heads[:, rig.bone_mirror[rig.bone(bone)]] = place * MIRROR


def _stature(vertices: Array) -> Array:
    return np.ptp(vertices[:, :, 1], axis=1)


def _as_changes(amount: dict[str, Array]) -> dict[str, torch.Tensor]:
    return {
        change: torch.from_numpy(amount[name])
        for name, control in proportions.CONTROLS.items()
        for change in control.changes
    }


def _sample_phenotypes(
    rig: SourceRig, years: Array, rng: np.random.Generator
) -> dict[str, torch.Tensor]:
    from anny.shape_distribution import SimpleShapeDistribution

    population = SimpleShapeDistribution(rig.model)
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
        "height": draw("height"),
        "proportions": draw("proportions"),
        "weight": torch.from_numpy(rng.beta(2.6, 0.85, total)),
        "muscle": torch.from_numpy(rng.beta(2.0, 2.0, total)),
    }


def _sample_local_changes(total: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    changes: dict[str, torch.Tensor] = {}
    for name, sigma in LOCAL_CHANGES.items():
        value = torch.from_numpy(np.clip(rng.normal(0, sigma, total), -2.5 * sigma, 2.5 * sigma))
        for side in ("l", "r") if "#" in name else ("",):
            changes[name.replace("#", side)] = value
    return changes

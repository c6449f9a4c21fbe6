"""Where the 33 points of the landmark network lie on the body, as mixes of its vertices.

First guesses from anatomy: joints and knuckles are the source's own bone heads in the T-pose,
found again from the vertices around them; the face is single vertices of the source mesh. How
the network really places them is measured on clips and told by `offsets.json`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eftvideo.geometry.skeletons import LANDMARK33
from tools.body import mesh
from tools.body.skeleton import JOINT_MIRROR
from tools.body.source import Array, IntArray, SourceRig

LANDMARK_NAMES = [f"landmark_{name}" for name in LANDMARK33]
#: SMPL's joint at each limb point, left side.
LIMBS = {"shoulder": 16, "elbow": 18, "wrist": 20, "hip": 1, "knee": 4, "ankle": 7}
#: Mix of the heads of bones at each point of the hand, left side.
KNUCKLES = {
    "pinky": {"finger5-1.L": 1.0},
    "index": {"finger2-1.L": 1.0},
    "thumb": {"finger1-2.L": 0.5, "finger1-3.L": 0.5},
}
REACH_M = {"shoulder": 0.12, "elbow": 0.08, "wrist": 0.06, "hip": 0.16, "knee": 0.10, "ankle": 0.07}
KNUCKLE_REACH_M = 0.028
NUM_CANDIDATES = 160
OTHER_SIDE = 0.01  # vertices that the right joint moves more than this are not the left one's
FIRM = 30.0  # weight of what must hold, beside the fit to the bodies
RIDGE = 0.01  # metres: keeps weights small, so that correctives of the pose do not add up


def knuckle_places(rig: SourceRig, bones: Array) -> dict[str, Array]:
    """Places (N, 3) of the left hand's points by name, from T-posed bone heads (N, B, 3)."""
    return {
        name: sum((share * bones[:, rig.bone(bone)] for bone, share in mix.items()), np.zeros(3))
        for name, mix in KNUCKLES.items()
    }


def inner_point(
    vertices: Array, places: Array, weights: Array, joint: int | None, reach: float
) -> Array:
    """(V,) weights with sum 1 that find `places` (N, 3) from `vertices` (N, V, 3).

    Exact on the mean body. With `joint`, the vertices that it turns have their own middle
    at the place too, so that the point stays there when the joint is bent. `weights`
    (V, 24): skinning. Vertices within `reach` metres of the place are used.
    """
    mean, place = vertices.mean(0), places.mean(0)
    close = np.linalg.norm(mean - place, axis=1) < reach
    if joint is not None:
        close &= weights[:, JOINT_MIRROR[joint]] < OTHER_SIDE
    near = np.flatnonzero(close)
    near = near[:: max(1, round(len(near) / NUM_CANDIDATES))]
    around = mean[near] - place
    firm = [np.ones((1, len(near))), around.T / 0.1]
    if joint is not None:
        firm.append((weights[near, joint, None] * around).T / 0.1)
    offset = np.moveaxis(vertices[:, near] - places[:, None], 1, 2).reshape(-1, len(near))
    rows = [FIRM * np.concatenate(firm), offset / np.sqrt(len(vertices))]
    rows.append(RIDGE * np.eye(len(near)))
    goal = np.zeros(sum(len(r) for r in rows))
    goal[0] = FIRM
    solution = np.linalg.lstsq(np.concatenate(rows), goal, rcond=None)[0]
    row = np.zeros(vertices.shape[1])
    row[near] = solution / solution.sum()
    return row


def face_vertices(rig: SourceRig, points: Array, inner: NDArray[np.bool_]) -> dict[str, int]:
    """Source vertices: corners of eye and mouth, pupil, all of the left side; tip of the nose.

    `points` (N0, 3) is a rest body, `inner` (N0,) tells mouth and eye sockets.
    """
    skin, label, biggest = mesh.open_skin(rig, inner)
    found: dict[str, int] = {}
    for loop in mesh.boundary_loops(skin):
        rim = np.array(loop)
        x = points[rim, 0]
        if abs(x.mean()) < 0.005:
            found["mouth"] = int(rim[x.argmax()])
        elif x.mean() > 0:
            found |= {"eye_inner": int(rim[x.argmin()]), "eye_outer": int(rim[x.argmax()])}
            close = np.linalg.norm(points - points[rim].mean(0), axis=1) < 0.03
            eyeball = np.flatnonzero((label != biggest) & close)
            found["eye"] = int(eyeball[points[eyeball, 2].argmax()])
    eye, mouth = points[found["eye"], 1], points[found["mouth"], 1]
    middle = (np.abs(points[:, 0]) < 1e-6) & (points[:, 1] > mouth) & (points[:, 1] < eye)
    middle &= label == biggest
    found["nose"] = int(np.flatnonzero(middle)[points[middle, 2].argmax()])
    return found


def foot_vertices(template: Array, weights: Array, toes: Array) -> dict[str, IntArray]:
    """Vertices of the left heel and toe tip of the T-posed template.

    `weights` (V, 24): skinning; `toes` (V,): share of the first and second toe's bones.
    """
    foot = (weights[:, [7, 10]].sum(1) > 0.95) & (template[:, 0] > 0)
    sole = template[foot, 1].min()
    back = np.where(foot & (template[:, 1] < sole + 0.03), -template[:, 2], -np.inf)
    front = np.where(toes > 0.6, template[:, 2], -np.inf)
    return {"heel": np.argsort(-back)[:4], "foot_index": np.argsort(-front)[:6]}


def landmark_rows(left: dict[str, Array], mirror: IntArray) -> Array:
    """(33, V) rows in the order of LANDMARK33, from rows (V,) of the left side and the nose."""
    rows = []
    for name in LANDMARK33:
        part = name.replace("left_", "").replace("right_", "").replace("_left", "")
        row = left[part.replace("_right", "")]
        if name == "nose":
            row = 0.5 * (row + row[mirror])
        rows.append(row[mirror] if "right" in name else row)
    return np.stack(rows)

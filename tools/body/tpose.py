"""Turn bodies of the source model (arms down) to SMPL's T-pose and place SMPL's 24 joints.

Bone directions are SMPL's own for every body, so that joints are linear in the shape.
Spine and pelvis joints are put into the trunk along those directions without bending it;
arms and legs are turned by delta mush: linear blend skinning, smoothed over the surface,
with the detail put back, so that no step is left at the joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from tools.body.skeleton import JOINT_MIRROR, PARENTS, direction
from tools.body.source import MIRROR, Array, IntArray, SourceRig

COLLAR_SHARE = 0.45  # of the shoulder's sideways reach lies before the collar joint
CLAVICLE_LIFT_RAD = np.deg2rad(13.0)  # shoulder girdle rises with the arms
KNEE_YAW_RAD = np.deg2rad(4.0)
FINGER_STRAIGHTEN = 0.6
MUSH_STEPS = 12


def unit(vector: Array) -> Array:
    """(..., 3) scaled to length 1."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def frame(first: Array, second: Array) -> Array:
    """(..., 3, 3) right-handed frames: column 0 along `first`, column 1 nearest `second`."""
    first, second = np.broadcast_arrays(unit(first), second)
    ortho = unit(second - (second * first).sum(-1, keepdims=True) * first)
    return np.stack([first, ortho, np.cross(first, ortho)], axis=-1)


def turn(a: Array, b: Array, to_a: Array, to_b: Array) -> Array:
    """(..., 3, 3) rotation that takes `a` to `to_a` exactly and `b` as near `to_b` as it can."""
    return frame(to_a, to_b) @ np.swapaxes(frame(a, b), -1, -2)


def shortest_turn(a: Array, b: Array) -> Array:
    """(..., 3, 3) rotation along the shortest way from direction `a` to direction `b`."""
    axis = np.cross(unit(a), unit(b)) + 1e-9 * np.array([0.3, 0.5, 0.8])
    return turn(a, axis, b, axis)


def rotvec(matrix: Array) -> Array:
    """(..., 3) rotation vectors of (..., 3, 3) rotations below 180 degrees."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_rotvec().reshape(matrix.shape[:-1])


def from_rotvec(vector: Array) -> Array:
    """(..., 3, 3) rotations of (..., 3) rotation vectors."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix().reshape(*vector.shape, 3)


def blend_turns(first: Array, second: Array, share: float) -> Array:
    """Rotation `share` of the way from `first` to `second`, (..., 3, 3)."""
    return from_rotvec(rotvec(second @ np.swapaxes(first, -1, -2)) * share) @ first


@dataclass
class TPose:
    """Bone transforms to the T-pose of N bodies: x -> R x + t per bone, and the 24 joints.

    `rotation` (N, B, 3, 3), `shift` (N, B, 3), `joints` (N, 24, 3), metres.
    """

    rotation: Array
    shift: Array
    joints: Array


class _Placer:
    """Works out the left side's transforms of N bodies from their bone heads."""

    def __init__(self, rig: SourceRig, heads: Array, head_top: Array) -> None:
        self.rig, self.heads, self.head_top = rig, heads, head_top
        n, b = heads.shape[:2]
        self.rotation = np.broadcast_to(np.eye(3), (n, b, 3, 3)).copy()
        self.shift = np.zeros((n, b, 3))
        self.joints = np.zeros((n, 24, 3))

    def at(self, name: str) -> Array:
        """Head of the bone called `name`, (N, 3)."""
        return self.heads[:, self.rig.bone(name)]

    def move(self, names: list[str], rotation: Array, source: Array, target: Array) -> None:
        """Turn bones about `source` (N, 3), which goes to `target` (N, 3)."""
        shift = target - np.einsum("nij,nj->ni", rotation, source)
        for name in names:
            self.rotation[:, self.rig.bone(name)] = rotation
            self.shift[:, self.rig.bone(name)] = shift

    def place_child(self, joint: int, length: Array) -> Array:
        """Put `joint` at `length` (N,) from its parent along SMPL's direction."""
        parent = self.joints[:, PARENTS[joint]]
        self.joints[:, joint] = parent + length[:, None] * direction(joint)
        return self.joints[:, joint]

    def trunk(self) -> None:
        """Pelvis, hips, spine, neck, head, collars and the raised shoulder."""
        hip = 0.75 * self.at("upperleg01.L") + 0.25 * self.at("upperleg02.L")
        hip = hip * np.array([0.855, 1.0, 1.0])
        to_hip = direction(1)
        self.joints[:, 1] = hip
        self.joints[:, 0] = hip - hip[:, :1] / to_hip[0] * to_hip
        clavicle, shoulder = self.at("clavicle.L"), self.at("upperarm01.L")
        yaw = np.zeros(len(hip))
        for _ in range(30):  # retract the shoulder until it lies on the spine's path
            lift = from_rotvec(np.array([0.0, 0.0, CLAVICLE_LIFT_RAD]))
            swing = from_rotvec(yaw[:, None] * np.array([0.0, 1.0, 0.0]))
            rotation = swing @ lift
            raised = clavicle + np.einsum("nij,nj->ni", rotation, shoulder - clavicle)
            miss = raised[:, 2] - self._shoulder_path(raised)[:, 2]
            yaw = yaw + miss / (raised - clavicle)[:, 0]
        self.joints[:, 16] = self._shoulder_path(raised)
        self.clavicle_turn, self.raised = rotation, raised
        self.move(["clavicle.L"], rotation, clavicle, clavicle)
        neck = self.at("neck01")[:, 1]
        self.place_child(12, (neck - self.joints[:, 9, 1]) / direction(12)[1])
        self.place_child(15, 0.25 * (self.head_top - neck) / direction(15)[1])

    def _shoulder_path(self, shoulder: Array) -> Array:
        """Lay spine and collar so that x and y of the shoulder are met; returns (N, 3)."""
        collar_length = COLLAR_SHARE * shoulder[:, 0] / direction(13)[0]
        reach = (1 - COLLAR_SHARE) * shoulder[:, 0] / direction(16)[0]
        rise = collar_length * direction(13)[1] + reach * direction(16)[1]
        climb = shoulder[:, 1] - rise - self.joints[:, 0, 1]
        for joint, share in ((3, 0.3), (6, 0.3), (9, 0.4)):
            self.place_child(joint, share * climb / direction(joint)[1])
        self.place_child(13, collar_length)
        return self.place_child(16, reach)

    def leg(self) -> None:
        """Thigh, shin and foot; the sole stays level, the foot only turns outward."""
        hip, ankle = self.joints[:, 1], self.at("foot.L")
        knee = 0.95 * self.at("lowerleg01.L") + 0.05 * ankle  # the bone starts above the hinge
        sideways = np.array([1.0, 0.0, 0.0])
        knee_axis = from_rotvec(np.array([0.0, KNEE_YAW_RAD, 0.0])) @ sideways
        thigh = turn(knee - hip, sideways, direction(4), knee_axis)
        self.move(["upperleg01.L", "upperleg02.L"], thigh, hip, hip)
        new_knee = self.place_child(4, np.linalg.norm(knee - hip, axis=-1))
        shin = turn(ankle - knee, sideways, direction(7), knee_axis)
        self.move(["lowerleg01.L", "lowerleg02.L"], shin, knee, new_knee)
        new_ankle = self.place_child(7, np.linalg.norm(ankle - knee, axis=-1))
        toes = 0.5 * (self.at("toe2-1.L") + self.at("toe3-1.L")) - ankle
        level = np.array([1.0, 0.0, 1.0])
        foot = shortest_turn(toes * level, direction(10) * level)
        names = [name for name in self.rig.bones if name.startswith("toe") and name.endswith("L")]
        self.move(["foot.L", *names], foot, ankle, new_ankle)
        forward = np.linalg.norm(toes * level, axis=-1)
        self.place_child(10, forward / np.linalg.norm(direction(10) * level))

    def arm(self) -> None:
        """Upper arm, forearm and hand: elbow hinge upright, palm down, fingers straighter."""
        shoulder, elbow, wrist = (
            self.at("upperarm01.L"),
            self.at("lowerarm01.L"),
            self.at("wrist.L"),
        )
        hinge, down = np.cross(elbow - shoulder, wrist - elbow), np.array([0.0, -1.0, 0.0])
        upper = turn(elbow - shoulder, hinge, direction(18), down)
        girdle = blend_turns(self.clavicle_turn, upper, 0.33)
        target = self.joints[:, 16]
        self.move(["shoulder01.L"], girdle, shoulder, target)
        self.move(["upperarm01.L", "upperarm02.L"], upper, shoulder, target)
        new_elbow = self.place_child(18, np.linalg.norm(elbow - shoulder, axis=-1))
        across = self.at("finger5-1.L") - self.at("finger2-1.L")
        back = np.array([0.0, 0.0, -1.0])
        hinged = turn(wrist - elbow, hinge, direction(20), down)
        palmed = turn(wrist - elbow, across, direction(20), back)
        self.move(["lowerarm01.L"], hinged, elbow, new_elbow)
        self.move(["lowerarm02.L"], blend_turns(hinged, palmed, 0.5), elbow, new_elbow)
        new_wrist = self.place_child(20, np.linalg.norm(wrist - elbow, axis=-1))
        knuckles = np.mean([self.at(f"finger{k}-1.L") for k in (2, 3, 4, 5)], axis=0)
        hand = turn(knuckles - wrist, across, direction(22), back)
        names = [f"metacarpal{k}.L" for k in (1, 2, 3, 4)] + [f"finger1-{k}.L" for k in (1, 2, 3)]
        self.move(["wrist.L", *names], hand, wrist, new_wrist)
        self.place_child(22, 0.87 * np.linalg.norm(knuckles - wrist, axis=-1))
        for finger in (2, 3, 4, 5):
            self._finger(finger, hand, wrist, new_wrist)

    def _finger(self, finger: int, hand: Array, wrist: Array, new_wrist: Array) -> None:
        heads = [self.at(f"finger{finger}-{k}.L") for k in (1, 2, 3)]
        flat = unit(heads[0] - wrist)
        along = [unit(heads[1] - heads[0]), unit(heads[2] - heads[1])]
        along.append(unit(2 * along[1] - along[0]))
        place = heads[0]
        for k in range(3):
            wanted = along[k] + FINGER_STRAIGHTEN * (flat - along[k])
            bend = shortest_turn(along[k], wanted)
            new_place = np.einsum("nij,nj->ni", hand, place - wrist) + new_wrist
            self.move([f"finger{finger}-{k + 1}.L"], hand @ bend, heads[k], new_place)
            if k < 2:
                place = place + np.einsum("nij,nj->ni", bend, heads[k + 1] - heads[k])


def place_bodies(rig: SourceRig, heads: Array, head_top: Array) -> TPose:
    """Transforms to the T-pose for bone heads (N, B, 3) and head tops `head_top` (N,) y."""
    placer = _Placer(rig, heads, head_top)
    placer.trunk()
    placer.leg()
    placer.arm()
    mirror = np.diag(MIRROR)
    for index, name in enumerate(rig.bones):
        if name.endswith(".R"):
            other = rig.bone_mirror[index]
            placer.rotation[:, index] = mirror @ placer.rotation[:, other] @ mirror
            placer.shift[:, index] = placer.shift[:, other] * MIRROR
    for joint in (2, 5, 8, 11, 14, 17, 19, 21, 23):
        placer.joints[:, joint] = placer.joints[:, JOINT_MIRROR[joint]] * MIRROR
    return TPose(placer.rotation, placer.shift, placer.joints)


def surface_smoother(faces: IntArray, num_vertices: int) -> sp.csr_matrix:
    """One step of uniform smoothing over the surface, (V, V) with rows that sum to 1."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ones = np.ones(len(edges))
    graph = sp.csr_matrix((ones, (edges[:, 0], edges[:, 1])), (num_vertices, num_vertices))
    graph = ((graph + graph.T) > 0).astype(float)
    degree = np.maximum(np.asarray(graph.sum(1)).ravel(), 1)
    lonely = sp.diags((np.asarray(graph.sum(1)).ravel() == 0).astype(float) * 0.5)
    return (0.5 * sp.eye(num_vertices) + 0.5 * sp.diags(1 / degree) @ graph + lonely).tocsr()


def nearest_rotations(matrix: Array) -> Array:
    """(V, 3, 3) rotations nearest to (V, 3, 3) blends of rotations."""
    u, _, vt = np.linalg.svd(matrix)
    sign = np.linalg.det(u @ vt)
    u[:, :, 2] *= sign[:, None]
    return u @ vt


def apply_tpose(pose: TPose, vertices: Array, weights: Array, smoother: sp.csr_matrix) -> Array:
    """T-posed vertices (N, V, 3) of rest `vertices` (N, V, 3) with bone `weights` (V, B)."""
    num, count = vertices.shape[:2]
    sparse = sp.csr_matrix(weights)
    soft = weights
    for _ in range(MUSH_STEPS):
        soft = smoother @ soft
    mean_turn = nearest_rotations(np.einsum("vb,bij->vij", soft, pose.rotation.mean(0)))
    out = np.empty_like(vertices)
    for n in range(num):
        affine = np.concatenate([pose.rotation[n], pose.shift[n][:, :, None]], -1)
        blended = (sparse @ affine.reshape(len(affine), 12)).reshape(count, 3, 4)
        skinned = np.einsum("vij,vj->vi", blended[:, :, :3], vertices[n]) + blended[:, :, 3]
        smooth_rest, smooth = vertices[n], skinned
        for _ in range(MUSH_STEPS):
            smooth_rest, smooth = smoother @ smooth_rest, smoother @ smooth
        out[n] = smooth + np.einsum("vij,vj->vi", mean_turn, vertices[n] - smooth_rest)
    return out

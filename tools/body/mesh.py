"""The body's surface: inner parts removed, holes closed, fewer vertices, still symmetric."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from tools.body.source import MIRROR, Array, IntArray, SourceRig

MAX_VALENCE = 9
MIN_NORMAL_AGREEMENT = 0.35


def boundary_loops(faces: IntArray) -> list[list[int]]:
    """Closed loops of boundary vertices, each in the direction of its faces' edges."""
    edges = {(int(a), int(b)) for f in faces for a, b in zip(f, np.roll(f, -1), strict=True)}
    following = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        start = min(following)
        loop = [start]
        while (step := following.pop(loop[-1])) != start:
            loop.append(step)
        loops.append(loop)
    return loops


def outer_surface(rig: SourceRig, points: Array, inner: NDArray[np.bool_]) -> IntArray:
    """Faces (F, 3) of one closed surface over the source vertices.

    Mouth and eye sockets are cut out and closed: lips sewn, the foremost vertex of each
    eyeball in the middle of its lids. `points` (N0, 3) is a rest body.
    """
    skin, label, biggest = open_skin(rig, inner)
    extra: list[tuple[int, int, int]] = []
    for loop in boundary_loops(skin):
        middle = points[loop].mean(0)
        if abs(middle[0]) < 0.005:
            extra += _symmetric_mouth(loop, points, rig.mirror)
            continue
        near = np.flatnonzero((label != biggest) & (np.linalg.norm(points - middle, axis=1) < 0.03))
        eye = int(near[np.argmax(points[near, 2])]) if middle[0] > 0 else -1
        if eye < 0:
            near = rig.mirror[near]
            eye = int(rig.mirror[near[np.argmax(points[near, 2])]])
        extra += [(b, a, eye) for a, b in zip(loop, loop[1:] + loop[:1], strict=True)]
    return np.concatenate([skin, np.array(extra)])


def open_skin(rig: SourceRig, inner: NDArray[np.bool_]) -> tuple[IntArray, IntArray, int]:
    """Faces of the skin without mouth and eye sockets; label of each vertex's piece; the skin's."""
    label = components(rig.faces, len(inner))
    biggest = int(np.bincount(label[rig.faces[:, 0]]).argmax())
    skin = rig.faces[label[rig.faces[:, 0]] == biggest]
    return skin[~inner[skin].all(1)], label, biggest


def _symmetric_mouth(
    loop: list[int], points: Array, mirror: IntArray
) -> list[tuple[int, int, int]]:
    """Close the half x >= 0 of the lips (up to the midline) and mirror it."""
    middle = [i for i, v in enumerate(loop) if mirror[v] == v]
    if len(middle) != 2:
        raise ValueError(f"expected 2 midline vertices on the lips, found {len(middle)}")
    a, b = middle
    chains = (loop[a : b + 1], loop[b:] + loop[: a + 1])
    half = max(chains, key=lambda c: points[c, 0].mean())
    faces, i, j = [], 0, len(half) - 1
    while j - i >= 2:
        forward = points[half[i + 1], 0] <= points[half[j - 1], 0]
        step = half[i + 1] if forward else half[j - 1]
        faces.append((half[i], half[j], step))
        i, j = (i + 1, j) if forward else (i, j - 1)
    return faces + [tuple(int(mirror[v]) for v in (f[1], f[0], f[2])) for f in faces]


def components(faces: IntArray, num_vertices: int) -> IntArray:
    """(V,) label of the connected piece of each vertex."""
    import scipy.sparse as sp

    rows = np.concatenate([faces[:, 0], faces[:, 1]])
    cols = np.concatenate([faces[:, 1], faces[:, 2]])
    graph = sp.coo_matrix((np.ones(len(rows)), (rows, cols)), (num_vertices, num_vertices))
    return sp.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)


class _Decimator:
    """Half-edge collapses by quadric error, each done on both sides of the body at once."""

    def __init__(self, points: Array, faces: IntArray, mirror: IntArray, weight: Array) -> None:
        self.points, self.mirror, self.weight = points, mirror, weight
        self.faces: dict[int, tuple[int, ...]] = {i: tuple(f) for i, f in enumerate(faces.tolist())}
        self.at: list[set[int]] = [set() for _ in points]
        for i, f in self.faces.items():
            for v in f:
                self.at[v].add(i)
        self.quadric = np.zeros((len(points), 4, 4))
        corners = points[faces]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(cross, axis=1)
        normal = cross / np.maximum(area, 1e-15)[:, None]
        plane = np.concatenate([normal, -(normal * corners[:, 0]).sum(1, keepdims=True)], 1)
        outer = plane[:, :, None] * plane[:, None] * area[:, None, None]
        for k in range(3):
            np.add.at(self.quadric, faces[:, k], outer)

    def neighbours(self, v: int) -> set[int]:
        return {u for i in self.at[v] for u in self.faces[i]} - {v}

    def cost(self, v: int, u: int) -> float:
        """Error (m^4) of putting `v` where `u` is; short edges first among equals."""
        p = np.append(self.points[u], 1.0)
        length = np.linalg.norm(self.points[u] - self.points[v])
        error = p @ (self.quadric[v] + self.quadric[u]) @ p
        return float(self.weight[v] * (error + 3e-6 * length**4 + 1e-7 * length**2 * length))

    def allowed(self, v: int, u: int) -> bool:
        """Whether the surface stays a manifold without folds when `v` goes to `u`."""
        ring_v, ring_u = self.neighbours(v), self.neighbours(u)
        if u not in ring_v or len(ring_v & ring_u) != 2:
            return False
        if len(ring_v | ring_u) - 2 > MAX_VALENCE:
            return False
        for i in self.at[v]:
            face = self.faces[i]
            if u in face:
                continue
            old = self.points[list(face)]
            new = self.points[[u if w == v else w for w in face]]
            a, b = _normal(old), _normal(new)
            size = np.linalg.norm(a) * np.linalg.norm(b)
            if size < 1e-16 or a @ b < MIN_NORMAL_AGREEMENT * size:
                return False
            longest = max(np.linalg.norm(new[k] - new[k - 1]) for k in range(3))
            if np.linalg.norm(b) < 0.12 * longest**2:
                return False
        return True

    def collapse(self, v: int, u: int) -> None:
        for i in list(self.at[v]):
            face = self.faces[i]
            if u in face:
                for w in face:
                    self.at[w].discard(i)
                del self.faces[i]
            else:
                self.faces[i] = tuple(u if w == v else w for w in face)
                self.at[u].add(i)
        self.at[v] = set()
        self.quadric[u] += self.quadric[v]

    def pair_allowed(self, v: int, u: int) -> bool:
        """Whether `v` -> `u` and its mirror image can both be done."""
        mv, mu = int(self.mirror[v]), int(self.mirror[u])
        if v == mv:
            return u == mu and self.allowed(v, u)
        if u == mv or mv in self.neighbours(v):
            return False
        shared = (self.neighbours(v) | {v}) & (self.neighbours(mv) | {mv})
        if shared - {u}:  # rings that touch beyond the target could spoil each other
            return False
        return self.allowed(v, u) and self.allowed(mv, mu)


def _normal(corners: Array) -> Array:
    return np.cross(corners[1] - corners[0], corners[2] - corners[0])


def decimate(
    points: Array,
    faces: IntArray,
    mirror: IntArray,
    weight: Array,
    keep: set[int],
    num_vertices: int,
) -> IntArray:
    """Faces over a subset of the same vertices, about `num_vertices` of them.

    `weight` (V,) > 1 keeps more vertices; those in `keep` stay. Mirror-symmetric.
    """
    work = _Decimator(points, faces, mirror, weight)
    stamp = np.zeros(len(points), dtype=np.int64)
    heap: list[tuple[float, int, int, int]] = []

    def push(v: int) -> None:
        if v in keep or points[v, 0] < -1e-9:
            return
        for u in work.neighbours(v):
            if points[u, 0] > -1e-9:
                heapq.heappush(heap, (work.cost(v, u), v, u, int(stamp[v])))

    alive = len(np.unique(faces))
    for v in np.unique(faces).tolist():
        push(v)
    while heap and alive > num_vertices:
        _, v, u, seen = heapq.heappop(heap)
        if seen != stamp[v] or not work.at[v] or not work.pair_allowed(v, u):
            continue
        touched = work.neighbours(v)
        mv, mu = int(mirror[v]), int(mirror[u])
        work.collapse(v, u)
        alive -= 1
        if mv != v:
            work.collapse(mv, mu)
            alive -= 1
        for w in touched:
            if work.at[w]:
                stamp[w] += 1
                push(w)
    return np.array(list(work.faces.values()))


def barycentric_transfer(points: Array, faces: IntArray, kept: IntArray) -> Array:
    """(V, V0) matrix that carries weights on source vertices to the vertices `kept`.

    Kept vertices keep their weight; a dropped one gives it to the corners of the nearest
    triangle. `faces` index the source; `points` (V0, 3). Sparse.
    """
    import scipy.sparse as sp
    import trimesh
    from scipy.spatial import cKDTree

    position = np.full(len(points), -1)
    position[kept] = np.arange(len(kept))
    dropped = np.flatnonzero(position < 0)
    triangles = position[faces]
    _, close = cKDTree(points[kept]).query(points[dropped], k=4)
    chosen = np.zeros((len(dropped), 3), dtype=np.int64)
    share = np.zeros((len(dropped), 3))
    for row, (vertex, around) in enumerate(zip(dropped, close, strict=True)):
        nearby = triangles[np.isin(triangles, around).any(1)]
        corners = points[kept][nearby]
        target = np.repeat(points[vertex][None], len(nearby), 0)
        near = trimesh.triangles.closest_point(corners, target)
        best = int(np.argmin(np.linalg.norm(near - target, axis=1)))
        chosen[row] = nearby[best]
        share[row] = trimesh.triangles.points_to_barycentric(
            corners[best : best + 1], near[best : best + 1]
        )[0]
    share = np.clip(share, 0, None)
    share /= share.sum(1, keepdims=True)
    rows = np.concatenate([np.arange(len(kept)), chosen.ravel()])
    cols = np.concatenate([kept, np.repeat(dropped, 3)])
    data = np.concatenate([np.ones(len(kept)), share.ravel()])
    return sp.csr_matrix((data, (rows, cols)), (len(kept), len(points)))


def mirror_map(points: Array) -> IntArray:
    """(V,) index of the mirror image of each of the symmetric `points`."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(points).query(points * MIRROR)
    if distance.max() > 1e-6:
        raise ValueError(f"points are not symmetric: {distance.max():.2e} m off")
    return index

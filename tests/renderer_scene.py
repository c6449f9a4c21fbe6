"""A little scene for tests of renderers: a ball, somebody who stands, a grey picture."""

import numpy as np
import pytest

from eftvideo import plugins
from eftvideo.errors import MissingDependencyError
from eftvideo.renderers import DrawnPerson, _gl, track_colour

W, H, FOCAL = 161, 120, 200.0
GREY = np.full((H, W, 3), 128, np.uint8)


def has_opengl():
    try:
        _gl.probe_gl()
    except MissingDependencyError:
        return False
    return True


needs_gl = pytest.mark.skipif(not has_opengl(), reason="no OpenGL on this machine")


def sphere(radius=1.0, center=(0.0, 0.0, 0.0), rounds=3):
    """Vertices (V, 3) and faces (F, 3), counter-clockwise from outside."""
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    for _ in range(rounds):
        a, b, c = faces.T
        n = len(vertices)
        halves = [(vertices[i] + vertices[j]) / 2 for i, j in ((a, b), (b, c), (c, a))]
        vertices = np.concatenate([vertices, *halves])
        ab, bc, ca = (n + k * len(faces) + np.arange(len(faces)) for k in range(3))
        faces = np.concatenate(
            [np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    unique, index = np.unique(vertices.round(9), axis=0, return_inverse=True)
    return unique * radius + center, index.reshape(-1)[faces]


FACES = sphere()[1]
STANDING = np.column_stack([np.linspace(60, 100, 17), np.linspace(20, 100, 17), np.ones(17)])


def ball(radius, center, track_id=1, focal=FOCAL):
    return DrawnPerson(
        track_id, track_colour(track_id), focal, sphere(radius, center)[0].astype(np.float32)
    )


def mesh(opacity=1.0, width=W, height=H):
    return plugins.load("renderers", "pyrender_mesh")(FACES, width, height, opacity)


def changed(image, before=GREY):
    return np.abs(image.astype(int) - before).max(axis=2) > 0


def person_with_everything():
    body = sphere(0.3, (0.0, 0.0, 2.0))[0].astype(np.float32)
    rise = np.linspace(0.4, -0.4, 24)
    joints = np.column_stack([0.3 * np.cos(7 * rise), rise, np.full(24, 2.0)])
    trails = joints[None, :3] + np.linspace(0, 0.3, 6)[:, None, None]
    return DrawnPerson(3, track_colour(3), FOCAL, body, STANDING, joints, trails, "3: 2.5 px")

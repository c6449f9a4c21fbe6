"""Draws clothed bodies into small square pictures for tools/render_pictures.py, by OpenGL.

One body a picture, with its own window into the full frame, lights and colours. Colours are lit at
the vertices and drawn at twice the size. On Mesa's software rasteriser a picture takes some ms.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # PyOpenGL reads it once, when imported
import cv2
import numpy as np
from OpenGL import GL as _GL

from eftvideo.renderers._gl import context
from eftvideo.renderers._normals import VertexNormals

GL: Any = _GL  # its names are made at run time; type checkers see little of them
_OVERSAMPLE = 2
_FLOATS = 9

_VERTEX = """
#version 330 core
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec3 colour;
uniform vec2 scale;
uniform vec2 shift;
uniform vec3 key;
uniform vec3 fill;
uniform vec3 key_colour;
uniform vec3 fill_colour;
uniform vec3 ambient;
uniform float shine;
noperspective out vec3 lit;
void main() {
    // nothing nearer than 0.1 m
    gl_Position = vec4(scale * position.xy + shift * position.z, position.z - 0.2, position.z);
    vec3 light = ambient * (0.75 - 0.25 * normal.y)
        + key_colour * max(dot(normal, key), 0.0) + fill_colour * max(dot(normal, fill), 0.0);
    vec3 half_way = normalize(key - normalize(position));
    lit = colour * light + key_colour * shine * pow(max(dot(normal, half_way), 0.0), 20.0);
}
"""
_FRAGMENT = """
#version 330 core
noperspective in vec3 lit;
out vec4 pixel;
void main() { pixel = vec4(lit, 1.0); }
"""


@dataclass(frozen=True)
class Light:
    """Directions to the lights, camera frame, and their strengths (3,) each."""

    key: np.ndarray
    fill: np.ndarray
    key_colour: np.ndarray
    fill_colour: np.ndarray
    ambient: np.ndarray
    shine: float


def any_light(rng: np.random.Generator) -> Light:
    """A key light mostly from above and in front, a weak fill, tinted."""
    key = _unit(np.array([rng.normal(0, 0.8), rng.normal(-0.7, 0.5), rng.normal(-0.6, 0.7)]))
    fill = _unit(rng.normal(0, 1, 3))
    tint = 1.0 + rng.normal(0, 0.06, 3)
    return Light(
        key,
        fill,
        rng.uniform(0.25, 0.9) * tint,
        rng.uniform(0.0, 0.3) * np.ones(3),
        rng.uniform(0.4, 0.8) / tint,
        float(rng.uniform(0.0, 0.15)),
    )


class PicturePainter:
    """Draws bodies that share `faces` (F, 3) and have `num_vertices` vertices.

    Use it in one thread, and close it.
    """

    def __init__(self, faces: np.ndarray, num_vertices: int, side_px: int) -> None:
        self._normals = VertexNormals(faces, num_vertices)
        self._side = side_px * _OVERSAMPLE
        self._out = side_px
        self._num_indices = faces.size
        self._current = context().current()
        self._current.__enter__()
        self._program = _link()
        self._place = {
            name: GL.glGetUniformLocation(self._program, name)
            for name in (
                *("scale", "shift", "key", "fill", "key_colour", "fill_colour"),
                *("ambient", "shine"),
            )
        }
        self._make_buffers(faces, num_vertices)
        self._make_target()

    def draw(
        self,
        vertices: np.ndarray,
        offset_m: np.ndarray,
        colours: np.ndarray,
        window: tuple[float, float, float],
        light: Light,
    ) -> np.ndarray:
        """(S, S, 4) uint8: colours times alpha, and alpha.

        Args:
            vertices: (V, 3) camera frame, metres. offset_m: (V,) along the normals.
            colours: (V, 3) in 0..1.
            window: centre x and y over the focal length (slopes from the optical axis), and
                half the side over the focal length.
        """
        normals = self._normals(np.ascontiguousarray(vertices.T)).T
        body = np.concatenate([vertices + normals * offset_m[:, None], normals, colours], axis=1)
        body = np.ascontiguousarray(body, np.float32)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._buffer)
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, body.nbytes, body)
        GL.glClear(GL.GL_COLOR_BUFFER_BIT | GL.GL_DEPTH_BUFFER_BIT)
        x, y, half = window
        GL.glUniform2f(self._place["scale"], 1.0 / half, 1.0 / half)
        GL.glUniform2f(self._place["shift"], -x / half, -y / half)
        for name in ("key", "fill", "key_colour", "fill_colour", "ambient"):
            GL.glUniform3f(self._place[name], *getattr(light, name))
        GL.glUniform1f(self._place["shine"], light.shine)
        GL.glDrawElements(GL.GL_TRIANGLES, self._num_indices, GL.GL_UNSIGNED_INT, None)
        pixels = np.empty((self._side, self._side, 4), np.uint8)
        GL.glReadPixels(0, 0, self._side, self._side, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, pixels)
        return cv2.resize(pixels, (self._out, self._out), interpolation=cv2.INTER_AREA)

    def close(self) -> None:
        """Gives the context back."""
        self._current.__exit__(None, None, None)

    def _make_buffers(self, faces: np.ndarray, num_vertices: int) -> None:
        GL.glBindVertexArray(GL.glGenVertexArrays(1))
        self._buffer, indices = GL.glGenBuffers(2)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._buffer)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, num_vertices * _FLOATS * 4, None, GL.GL_STREAM_DRAW)
        GL.glBindBuffer(GL.GL_ELEMENT_ARRAY_BUFFER, indices)
        data = np.ascontiguousarray(faces, np.uint32)
        GL.glBufferData(GL.GL_ELEMENT_ARRAY_BUFFER, data.nbytes, data, GL.GL_STATIC_DRAW)
        for slot in range(3):
            GL.glEnableVertexAttribArray(slot)
            GL.glVertexAttribPointer(
                *(slot, 3, GL.GL_FLOAT, GL.GL_FALSE, _FLOATS * 4, ctypes.c_void_p(slot * 12))
            )

    def _make_target(self) -> None:
        side = self._side
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, GL.glGenFramebuffers(1))
        for slot, layout in (
            (GL.GL_COLOR_ATTACHMENT0, GL.GL_RGBA8),
            (GL.GL_DEPTH_ATTACHMENT, GL.GL_DEPTH_COMPONENT24),
        ):
            buffer = GL.glGenRenderbuffers(1)
            GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, buffer)
            GL.glRenderbufferStorage(GL.GL_RENDERBUFFER, layout, side, side)
            GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, slot, GL.GL_RENDERBUFFER, buffer)
        GL.glViewport(0, 0, side, side)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_CULL_FACE)
        GL.glFrontFace(GL.GL_CW)  # rows run downwards, which mirrors the winding
        GL.glClearColor(0.0, 0.0, 0.0, 0.0)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        GL.glUseProgram(self._program)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / max(float(np.linalg.norm(v)), 1e-6)


def _link() -> int:
    program = GL.glCreateProgram()
    for kind, source in ((GL.GL_VERTEX_SHADER, _VERTEX), (GL.GL_FRAGMENT_SHADER, _FRAGMENT)):
        shader = GL.glCreateShader(kind)
        GL.glShaderSource(shader, source.strip())
        GL.glCompileShader(shader)
        if not GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS):
            raise RuntimeError(f"shader: {GL.glGetShaderInfoLog(shader)!r}")
        GL.glAttachShader(program, shader)
    GL.glLinkProgram(program)
    return int(program)

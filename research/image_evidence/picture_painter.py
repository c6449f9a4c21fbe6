"""Draws clothed bodies into small square pictures for render_pictures.py, by OpenGL.

One body a picture, with its own window into the full frame, lights and colours. Colours are lit at
the vertices and drawn at twice the size. On Mesa's software rasteriser a picture takes some ms.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from eftvideo.renderers._gl import context
from eftvideo.renderers._normals import VertexNormals

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
        from OpenGL import GL  # not before the context has chosen a platform

        gl: Any = GL
        self._gl = gl
        self._program = _link(gl)
        self._place = {
            name: gl.glGetUniformLocation(self._program, name)
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
        gl = self._gl
        normals = self._normals(np.ascontiguousarray(vertices.T)).T
        body = np.concatenate([vertices + normals * offset_m[:, None], normals, colours], axis=1)
        body = np.ascontiguousarray(body, np.float32)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        gl.glBufferSubData(gl.GL_ARRAY_BUFFER, 0, body.nbytes, body)
        gl.glClear(gl.GL_COLOR_BUFFER_BIT | gl.GL_DEPTH_BUFFER_BIT)
        x, y, half = window
        gl.glUniform2f(self._place["scale"], 1.0 / half, 1.0 / half)
        gl.glUniform2f(self._place["shift"], -x / half, -y / half)
        for name in ("key", "fill", "key_colour", "fill_colour", "ambient"):
            gl.glUniform3f(self._place[name], *getattr(light, name))
        gl.glUniform1f(self._place["shine"], light.shine)
        gl.glDrawElements(gl.GL_TRIANGLES, self._num_indices, gl.GL_UNSIGNED_INT, None)
        pixels = np.empty((self._side, self._side, 4), np.uint8)
        gl.glReadPixels(0, 0, self._side, self._side, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels)
        return cv2.resize(pixels, (self._out, self._out), interpolation=cv2.INTER_AREA)

    def close(self) -> None:
        """Gives the context back."""
        self._current.__exit__(None, None, None)

    def _make_buffers(self, faces: np.ndarray, num_vertices: int) -> None:
        gl = self._gl
        gl.glBindVertexArray(gl.glGenVertexArrays(1))
        self._buffer, indices = gl.glGenBuffers(2)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        gl.glBufferData(gl.GL_ARRAY_BUFFER, num_vertices * _FLOATS * 4, None, gl.GL_STREAM_DRAW)
        gl.glBindBuffer(gl.GL_ELEMENT_ARRAY_BUFFER, indices)
        data = np.ascontiguousarray(faces, np.uint32)
        gl.glBufferData(gl.GL_ELEMENT_ARRAY_BUFFER, data.nbytes, data, gl.GL_STATIC_DRAW)
        for slot in range(3):
            gl.glEnableVertexAttribArray(slot)
            gl.glVertexAttribPointer(
                *(slot, 3, gl.GL_FLOAT, gl.GL_FALSE, _FLOATS * 4, ctypes.c_void_p(slot * 12))
            )

    def _make_target(self) -> None:
        gl, side = self._gl, self._side
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, gl.glGenFramebuffers(1))
        for slot, layout in (
            (gl.GL_COLOR_ATTACHMENT0, gl.GL_RGBA8),
            (gl.GL_DEPTH_ATTACHMENT, gl.GL_DEPTH_COMPONENT24),
        ):
            buffer = gl.glGenRenderbuffers(1)
            gl.glBindRenderbuffer(gl.GL_RENDERBUFFER, buffer)
            gl.glRenderbufferStorage(gl.GL_RENDERBUFFER, layout, side, side)
            gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, slot, gl.GL_RENDERBUFFER, buffer)
        gl.glViewport(0, 0, side, side)
        gl.glEnable(gl.GL_DEPTH_TEST)
        gl.glEnable(gl.GL_CULL_FACE)
        gl.glFrontFace(gl.GL_CW)  # rows run downwards, which mirrors the winding
        gl.glClearColor(0.0, 0.0, 0.0, 0.0)
        gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
        gl.glUseProgram(self._program)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / max(float(np.linalg.norm(v)), 1e-6)


def _link(gl: Any) -> int:
    program = gl.glCreateProgram()
    for kind, source in ((gl.GL_VERTEX_SHADER, _VERTEX), (gl.GL_FRAGMENT_SHADER, _FRAGMENT)):
        shader = gl.glCreateShader(kind)
        gl.glShaderSource(shader, source.strip())
        gl.glCompileShader(shader)
        if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
            raise RuntimeError(f"shader: {gl.glGetShaderInfoLog(shader)!r}")
        gl.glAttachShader(program, shader)
    gl.glLinkProgram(program)
    return int(program)

"""The OpenGL side of mesh drawing: buffers, shader, framebuffer, read back.

Every call must be made with the context current. The projection keeps image rows as OpenGL's
rows (first row of the picture = first row of the framebuffer), so nothing is flipped. Edges are
smoothed by drawing larger and shrinking: on Mesa's software rasteriser that takes half the time
of multisampling.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from OpenGL import GL

if TYPE_CHECKING:
    from eftvideo.renderers._palette import Colour

gl: Any = GL  # PyOpenGL's names are made at run time; type checkers see little of them
_ROUND_PX = 128
"""Framebuffers grow in these steps, so that a moving box seldom makes a new one."""
_FLOATS_PER_VERTEX = 6

_VERTEX_SHADER = """
#version 330 core
layout(location = 0) in vec3 position;  // camera frame: x right, y down, z forward, metres
layout(location = 1) in vec3 normal;
uniform vec2 scale;  // of x / z and y / z to the box's -1..1
uniform vec2 shift;
uniform float near;
uniform vec3 colour;
noperspective out vec3 lit;
const vec3 KEY = normalize(vec3(-0.45, -0.75, -0.65));
const vec3 FILL = normalize(vec3(0.8, 0.1, -0.5));
void main() {
    gl_Position = vec4(scale * position.xy + shift * position.z, 0.0, position.z);
    gl_Position.z = position.z - 2.0 * near;
    vec3 n = normal;
    vec3 to_eye = -normalize(position);
    float facing = max(dot(n, to_eye), 0.0);
    float key = max(dot(n, KEY) * 0.8 + 0.2, 0.0);
    float fill = max(dot(n, FILL), 0.0);
    float sky = 0.5 - 0.5 * n.y;
    float light = 0.36 + 0.16 * sky + 0.62 * key + 0.12 * fill;
    float shine = pow(max(dot(n, normalize(KEY + to_eye)), 0.0), 24.0);
    float edge = pow(1.0 - facing, 3.0);
    lit = colour * light * (1.0 - 0.45 * edge) + vec3(0.14 * shine);
}
"""
_FRAGMENT_SHADER = """
#version 330 core
noperspective in vec3 lit;
uniform sampler2D hidden;
uniform vec2 size;  // of what is drawn, px
out vec4 pixel;
void main() {
    float seen = 1.0 - texture(hidden, gl_FragCoord.xy / size).r;
    if (seen < 0.002) discard;  // what is farther away may be seen there
    pixel = vec4(lit * seen, seen);
}
"""


class Placed(NamedTuple):
    """One of the uploaded bodies, as it is drawn."""

    place: int
    """Which of them."""
    colour: Colour
    focal_length_px: float
    hidden: np.ndarray | None
    """(h, w) uint8 of the box: 255 where somebody in front hides it; None: nowhere."""


class MeshPass:
    """Draws meshes that share `faces` (F, 3) for pictures of one size.

    With `edges_only` it draws the edges of the faces that are in sight.
    """

    def __init__(
        self,
        faces: np.ndarray,
        width_px: int,
        height_px: int,
        near_m: float,
        edges_only: bool = False,
    ) -> None:
        self._edges_only = edges_only
        self._size = (width_px, height_px)
        self._near_m = near_m
        self._num_indices = faces.size
        self._num_vertices = 0
        self._room = 0
        self._target_size = (0, 0)
        self._pixels = np.empty(0, np.uint8)
        self._framebuffer = 0
        self._renderbuffers: list[int] = []
        self._program = _link(_VERTEX_SHADER, _FRAGMENT_SHADER)
        self._scale, self._shift, self._near, self._colour, self._drawn_size = (
            gl.glGetUniformLocation(self._program, name)
            for name in ("scale", "shift", "near", "colour", "size")
        )
        self._nothing, self._some = gl.glGenTextures(2)
        for texture in (self._nothing, self._some):
            _set_texture(texture, np.zeros((1, 1), np.uint8))
        self._array = gl.glGenVertexArrays(1)
        self._vertices, self._indices = gl.glGenBuffers(2)
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._vertices)
        gl.glBindBuffer(gl.GL_ELEMENT_ARRAY_BUFFER, self._indices)
        index_data = np.ascontiguousarray(faces, np.uint32)
        gl.glBufferData(
            gl.GL_ELEMENT_ARRAY_BUFFER, index_data.nbytes, index_data, gl.GL_STATIC_DRAW
        )
        for slot in (0, 1):
            gl.glEnableVertexAttribArray(slot)
            gl.glVertexAttribPointer(
                *(slot, 3, gl.GL_FLOAT, gl.GL_FALSE),
                *(_FLOATS_PER_VERTEX * 4, ctypes.c_void_p(slot * 12)),
            )
        gl.glBindVertexArray(0)

    def upload(self, bodies: np.ndarray) -> None:
        """`bodies`: (P, V, 6) float32, position in the camera frame and normal."""
        self._num_vertices = bodies.shape[1]
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._vertices)
        if bodies.nbytes > self._room:
            self._room = bodies.nbytes
            gl.glBufferData(gl.GL_ARRAY_BUFFER, self._room, None, gl.GL_STREAM_DRAW)
        gl.glBufferSubData(gl.GL_ARRAY_BUFFER, 0, bodies.nbytes, np.ascontiguousarray(bodies))

    def draw(
        self,
        people: list[Placed],
        box: tuple[int, int, int, int],
        size: tuple[int, int],
    ) -> np.ndarray:
        """(h, w, 4) uint8 picture of `box`: colours, and alpha 255 where there is a body. Good
        until the next call.

        Args:
            people: who is in it.
            box: x0, y0, x1, y1 of the picture.
            size: (w, h) at which the box is drawn.
        """
        x0, y0, x1, y1 = box
        self._begin(*size)
        width, height = self._size
        gl.glUniform2f(self._shift, (width - x0 - x1) / (x1 - x0), (height - y0 - y1) / (y1 - y0))
        if self._edges_only:
            self._draw_hidden(people, box)
            gl.glPolygonMode(gl.GL_FRONT_AND_BACK, gl.GL_LINE)
        self._draw_people(people, box)
        gl.glPolygonMode(gl.GL_FRONT_AND_BACK, gl.GL_FILL)
        gl.glBindVertexArray(0)
        pixels = self._pixels[: size[0] * size[1] * 4].reshape(size[1], size[0], 4)
        gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
        gl.glReadPixels(0, 0, *size, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels)
        return pixels

    def _draw_people(self, people: list[Placed], box: tuple[int, int, int, int]) -> None:
        x0, y0, x1, y1 = box
        for place, colour, focal_px, hidden in people:
            if hidden is None:
                gl.glBindTexture(gl.GL_TEXTURE_2D, self._nothing)
            else:
                _set_texture(self._some, hidden)
            gl.glUniform2f(self._scale, 2.0 * focal_px / (x1 - x0), 2.0 * focal_px / (y1 - y0))
            gl.glUniform3f(self._colour, *colour)
            gl.glDrawElementsBaseVertex(
                *(gl.GL_TRIANGLES, self._num_indices, gl.GL_UNSIGNED_INT, None),
                place * self._num_vertices,
            )

    def _draw_hidden(self, people: list[Placed], box: tuple[int, int, int, int]) -> None:
        """Fills the depth buffer only, a little farther away, so that edges are not cut by it."""
        gl.glColorMask(False, False, False, False)
        gl.glEnable(gl.GL_POLYGON_OFFSET_FILL)
        gl.glPolygonOffset(1.0, 1.0)
        self._draw_people(people, box)
        gl.glDisable(gl.GL_POLYGON_OFFSET_FILL)
        gl.glColorMask(True, True, True, True)

    def _begin(self, width: int, height: int) -> None:
        self._fit_target(width, height)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        gl.glViewport(0, 0, width, height)
        gl.glEnable(gl.GL_DEPTH_TEST)
        gl.glEnable(gl.GL_CULL_FACE)
        gl.glFrontFace(gl.GL_CW)  # rows run downwards, which mirrors the winding
        gl.glClearColor(0.0, 0.0, 0.0, 0.0)
        # All of it: with a scissor Mesa clears by drawing, which takes six times as long.
        gl.glClear(gl.GL_COLOR_BUFFER_BIT | gl.GL_DEPTH_BUFFER_BIT)
        gl.glUseProgram(self._program)
        gl.glUniform1f(self._near, self._near_m)
        gl.glUniform2f(self._drawn_size, width, height)
        gl.glBindVertexArray(self._array)

    def close(self) -> None:
        """Frees what is on the GPU."""
        self._free_target()
        gl.glDeleteBuffers(2, [self._vertices, self._indices])
        gl.glDeleteTextures([self._nothing, self._some])
        gl.glDeleteVertexArrays(1, [self._array])
        gl.glDeleteProgram(self._program)

    def _fit_target(self, width: int, height: int) -> None:
        have = self._target_size
        if width <= have[0] and height <= have[1]:
            return
        self._free_target()
        width = max(have[0], -(-width // _ROUND_PX) * _ROUND_PX)
        height = max(have[1], -(-height // _ROUND_PX) * _ROUND_PX)
        self._framebuffer = int(gl.glGenFramebuffers(1))
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        for slot, layout in (
            (gl.GL_COLOR_ATTACHMENT0, gl.GL_RGBA8),
            (gl.GL_DEPTH_ATTACHMENT, gl.GL_DEPTH_COMPONENT24),
        ):
            buffer = int(gl.glGenRenderbuffers(1))
            self._renderbuffers.append(buffer)
            gl.glBindRenderbuffer(gl.GL_RENDERBUFFER, buffer)
            gl.glRenderbufferStorage(gl.GL_RENDERBUFFER, layout, width, height)
            gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, slot, gl.GL_RENDERBUFFER, buffer)
        status = gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER)
        if status != gl.GL_FRAMEBUFFER_COMPLETE:
            raise RuntimeError(f"OpenGL refuses a framebuffer of {width}x{height}: {status}")
        self._target_size = (width, height)
        self._pixels = np.empty(width * height * 4, np.uint8)

    def _free_target(self) -> None:
        if self._renderbuffers:
            gl.glDeleteFramebuffers(1, [self._framebuffer])
            gl.glDeleteRenderbuffers(len(self._renderbuffers), self._renderbuffers)
        self._renderbuffers = []
        self._target_size = (0, 0)


def _set_texture(texture: int, values: np.ndarray) -> None:
    """Bind a texture and give it values (h, w) uint8, which are read between their middles."""
    height, width = values.shape
    gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
    for name, value in (
        (gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR),
        (gl.GL_TEXTURE_MAG_FILTER, gl.GL_LINEAR),
        (gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_EDGE),
        (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE),
    ):
        gl.glTexParameteri(gl.GL_TEXTURE_2D, name, value)
    gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
    gl.glTexImage2D(
        *(gl.GL_TEXTURE_2D, 0, gl.GL_R8, width, height, 0, gl.GL_RED, gl.GL_UNSIGNED_BYTE),
        np.ascontiguousarray(values),
    )


def _link(vertex_source: str, fragment_source: str) -> int:
    program = gl.glCreateProgram()
    for kind, source in (
        (gl.GL_VERTEX_SHADER, vertex_source),
        (gl.GL_FRAGMENT_SHADER, fragment_source),
    ):
        shader = gl.glCreateShader(kind)
        gl.glShaderSource(shader, source.strip())
        gl.glCompileShader(shader)
        if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
            raise RuntimeError(f"shader: {gl.glGetShaderInfoLog(shader)!r}")
        gl.glAttachShader(program, shader)
        gl.glDeleteShader(shader)
    gl.glLinkProgram(program)
    if not gl.glGetProgramiv(program, gl.GL_LINK_STATUS):
        raise RuntimeError(f"shader program: {gl.glGetProgramInfoLog(program)!r}")
    return int(program)

"""An OpenGL context drawn by the CPU alone, from libOSMesa; needs neither a GPU nor EGL.

pyrender has such a platform, but it calls what PyOpenGL 3.1.0 lacks, the version that pyrender
asks for; so the library is called here directly. Numbers are from Mesa's GL/osmesa.h.
"""

from __future__ import annotations

import ctypes
from typing import Any

_ATTRIBUTES = (
    *(0x22, 0x1908),  # OSMESA_FORMAT: RGBA
    *(0x30, 24),  # OSMESA_DEPTH_BITS
    *(0x33, 0x34),  # OSMESA_PROFILE: core
    *(0x36, 3, 0x37, 3),  # version 3.3
    0,
)
_GL_UNSIGNED_BYTE = 0x1401
_SIZE_PX = 64
"""Of the window that OSMesa wants; drawing goes to framebuffer objects of their own size."""


class OsMesaPlatform:
    """Made after PyOpenGL was imported for the platform osmesa.

    Raises:
        RuntimeError: the library cannot make a context.
    """

    def __init__(self) -> None:
        from OpenGL import platform

        self._library: Any = platform.PLATFORM.OSMesa  # type: ignore[attr-defined]
        # PyOpenGL 3.1.0 keeps tables by context and would get a pointer that cannot be a key.
        platform.PLATFORM.GetCurrentContext.restype = ctypes.c_void_p  # type: ignore[attr-defined]
        create = self._library.OSMesaCreateContextAttribs
        create.restype = ctypes.c_void_p
        create.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        attributes = (ctypes.c_int * len(_ATTRIBUTES))(*_ATTRIBUTES)
        self._context = ctypes.c_void_p(create(attributes, None))
        if not self._context:
            raise RuntimeError("OSMesaCreateContextAttribs gave no context")
        self._window = (ctypes.c_ubyte * (_SIZE_PX * _SIZE_PX * 4))()

    def make_current(self) -> None:
        """OpenGL calls of this thread go to this context."""
        size = ctypes.c_int(_SIZE_PX)
        kind = ctypes.c_uint(_GL_UNSIGNED_BYTE)
        if not self._library.OSMesaMakeCurrent(self._context, self._window, kind, size, size):
            raise RuntimeError("OSMesaMakeCurrent failed")

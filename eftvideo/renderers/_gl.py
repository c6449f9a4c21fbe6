"""An OpenGL context without a window, through pyrender's platforms: EGL, then OSMesa.

The only file that imports pyrender. There is one context in a process; `current()` lends it to
one thread at a time.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from eftvideo.errors import MissingDependencyError

_log = logging.getLogger(__name__)

_LIBRARIES: dict[str, tuple[tuple[str, ...], ...]] = {
    "egl": (("libEGL.so.1",), ("libGL.so.1",)),
    "osmesa": (("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"),),
}
"""Shared libraries of a back end; one name of each group is enough."""
_REMEDY = "on Debian and Ubuntu: apt-get install libegl1 libgl1 (or, without EGL, libosmesa6)"


@dataclass
class GlContext:
    """A live context."""

    backend: str
    """egl, osmesa or pyglet."""
    renderer: str
    """What draws, in OpenGL's words, such as "llvmpipe (LLVM 15.0.6, 256 bits)"."""
    platform: Any = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def current(self) -> Iterator[None]:
        """OpenGL calls inside go to this context; other threads wait."""
        with self.lock:
            self.platform.make_current()
            try:
                yield
            finally:
                if self.backend == "egl":
                    _release_egl(self.platform)


@lru_cache(maxsize=1)
def context() -> GlContext:
    """The context of this process, made on the first call.

    PYOPENGL_PLATFORM (egl or osmesa) in the environment picks the back end, EGL_DEVICE_ID the
    device; otherwise each is tried in turn.

    Raises:
        MissingDependencyError: no OpenGL; names the library and its package.
    """
    wanted = os.environ.get("PYOPENGL_PLATFORM")
    if sys.platform.startswith("linux"):
        backends = [wanted] if wanted in _LIBRARIES else list(_LIBRARIES)
    else:
        backends = ["pyglet"]
    reasons = []
    for backend in backends:
        reason = _missing_library(backend)
        if reason is None:
            try:
                return _create(backend)
            except Exception as e:  # drivers fail with anything: AssertionError, GLError, OSError
                reason = f"{type(e).__name__}: {e}".split("\n")[0].strip()
                _log.debug("no OpenGL by %s", backend, exc_info=True)
                _forget_opengl()
        reasons.append(f"{backend}: {reason}")
    raise MissingDependencyError(f"no OpenGL to draw bodies with ({'; '.join(reasons)}); {_REMEDY}")


def probe_gl() -> tuple[str, str]:
    """(back end, renderer's name) of the OpenGL that bodies are drawn with.

    Raises:
        MissingDependencyError: no OpenGL; names the library and its package.
    """
    found = context()
    return found.backend, found.renderer


def _missing_library(backend: str) -> str | None:
    for names in _LIBRARIES.get(backend, ()):
        if not any(_loads(name) for name in names):
            return f"{names[0]} is missing"
    return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _create(backend: str) -> GlContext:
    before = os.environ.get("PYOPENGL_PLATFORM")
    if backend != "pyglet":
        os.environ["PYOPENGL_PLATFORM"] = backend  # PyOpenGL reads it once, when imported
    try:
        platform = _platform(backend)
        from OpenGL import GL

        name = GL.glGetString(GL.GL_RENDERER)
        if not name:
            raise RuntimeError("the context does not answer")
        made = GlContext(backend, name.decode(), platform)
        if backend == "egl":
            _release_egl(platform)
        return made
    finally:
        if before is None:
            os.environ.pop("PYOPENGL_PLATFORM", None)
        else:
            os.environ["PYOPENGL_PLATFORM"] = before


def _platform(backend: str) -> Any:
    if backend == "egl":
        return _egl_platform()
    if backend == "osmesa":
        from eftvideo.renderers._osmesa import OsMesaPlatform

        platform: Any = OsMesaPlatform()
    else:
        from pyrender.platforms.pyglet_platform import PygletPlatform

        platform = PygletPlatform(64, 64)  # never drawn to: there are framebuffer objects
        platform.init_context()
    platform.make_current()
    return platform


def _egl_platform() -> Any:
    """A context on the first EGL device that gives one (the first may be a GPU out of reach)."""
    from pyrender.platforms import egl

    index = os.environ.get("EGL_DEVICE_ID")
    devices = _egl_devices(egl) if index is None else [egl.get_device_by_index(int(index))]
    failure: Exception = RuntimeError("EGL has no device")
    for device in devices:
        platform = egl.EGLPlatform(64, 64, device=device)
        try:
            platform.init_context()
        except Exception as e:  # as above
            failure = e
            continue
        return platform
    raise failure


def _egl_devices(egl: Any) -> list[Any]:
    with suppress(RuntimeError):
        return [*egl.query_devices(), egl.EGLDevice(None)]
    return [egl.EGLDevice(None)]


def _release_egl(platform: Any) -> None:
    from OpenGL import EGL

    none = EGL.EGL_NO_SURFACE
    EGL.eglMakeCurrent(platform._egl_display, none, none, EGL.EGL_NO_CONTEXT)


def _forget_opengl() -> None:
    """Unloads PyOpenGL, which keeps the platform that it was first imported for."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("OpenGL", "pyrender"):
            del sys.modules[name]

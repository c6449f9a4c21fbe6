"""Drawing people into a picture. One file each, found by name; the seam is `Renderer`."""

from __future__ import annotations

from eftvideo.renderers._hidden import Hidden
from eftvideo.renderers._palette import Colour, track_colour
from eftvideo.renderers._protocol import DrawnPerson, Renderer

__all__ = ["Colour", "DrawnPerson", "Hidden", "Renderer", "track_colour"]

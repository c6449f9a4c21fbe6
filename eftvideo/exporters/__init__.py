"""File formats that a result can be exported to. One file each; the seam is `Exporter`."""

from __future__ import annotations

from eftvideo.exporters._protocol import Exporter, Scene, generator

__all__ = ["Exporter", "Scene", "generator"]

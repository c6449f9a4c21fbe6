"""Bodies: what a body model offers, how one is found, and bodies in a pose."""

from __future__ import annotations

from eftvideo.bodies._model import BodyModel, import_smpl, load_body

__all__ = ["BodyModel", "import_smpl", "load_body"]

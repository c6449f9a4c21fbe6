"""Bodies as the edges of their meshes; what is behind the body's own front is hidden."""

from __future__ import annotations

from eftvideo.renderers import pyrender_mesh


class Model(pyrender_mesh.Model):
    """Draws the edges that can be seen; arguments and errors are those of the shaded meshes."""

    edges_only = True

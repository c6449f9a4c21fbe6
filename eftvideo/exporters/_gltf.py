"""A glTF file that grows: nodes, and numbers with their views and accessors. Over pygltflib."""

from __future__ import annotations

import numpy as np
import pygltflib as gltf

_COMPONENT = {
    np.dtype(np.float32): gltf.FLOAT,
    np.dtype(np.uint8): gltf.UNSIGNED_BYTE,
    np.dtype(np.uint32): gltf.UNSIGNED_INT,
}
_TYPE = {(): gltf.SCALAR, (3,): gltf.VEC3, (4,): gltf.VEC4, (4, 4): gltf.MAT4}


class Writer:
    """A glTF document that grows; `content` is the whole file as glb."""

    def __init__(self, generator: str) -> None:
        self._roots: list[int] = []
        self.doc = gltf.GLTF2(
            asset=gltf.Asset(version="2.0", generator=generator),
            scene=0,
            scenes=[gltf.Scene(nodes=self._roots)],
        )
        self._blob = bytearray()

    def node(self, node: gltf.Node, parent: int | None = None) -> int:
        """Add a node below another, or to the scene; returns its index."""
        self.doc.nodes.append(node)
        index = len(self.doc.nodes) - 1
        siblings = self._roots if parent is None else self.doc.nodes[parent].children
        assert siblings is not None
        siblings.append(index)
        return index

    def accessor(self, values: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """Add numbers; returns the accessor's index.

        Args:
            values: (N, ...) float32, uint8 or uint32; a matrix is stored column by column.
            target: what a vertex buffer is for.
            bounds: state the least and the largest value, as glTF asks for positions and times.
        """
        if values.shape[1:] == (4, 4):
            values = values.swapaxes(1, 2)
        content = np.ascontiguousarray(values)
        view = gltf.BufferView(
            buffer=0, byteOffset=len(self._blob), byteLength=content.nbytes, target=target
        )
        self._blob += content.tobytes() + b"\0" * (-content.nbytes % 4)
        self.doc.bufferViews.append(view)
        accessor = gltf.Accessor(
            bufferView=len(self.doc.bufferViews) - 1,
            componentType=_COMPONENT[content.dtype],
            count=len(content),
            type=_TYPE[content.shape[1:]],
        )
        if bounds:
            low, high = content.min(axis=0), content.max(axis=0)
            accessor.min = np.atleast_1d(low).astype(float).tolist()
            accessor.max = np.atleast_1d(high).astype(float).tolist()
        self.doc.accessors.append(accessor)
        return len(self.doc.accessors) - 1

    def content(self) -> bytes:
        """The file."""
        self.doc.buffers = [gltf.Buffer(byteLength=len(self._blob))]
        self.doc.set_binary_blob(bytes(self._blob))
        return b"".join(self.doc.save_to_bytes())

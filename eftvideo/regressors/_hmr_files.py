"""Checkpoints of HMR that others published: where they are, their licences, their cameras."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from eftvideo.weights.locate import WeightSpec

log = logging.getLogger(__name__)

CameraConvention = Literal["spin", "eft"]
"""What (s, tx, ty) means for a point X of the body: "spin": u = s (X + t), the near-orthographic
camera of SPIN with a focal length of 5000 px; "eft": u = s X + t, the weak projection of EFT and
FrankMocap. u is in crop coordinates. `camera.py` means the first."""

CONVENTIONS: tuple[CameraConvention, ...] = ("spin", "eft")
_ZOO = "https://dl.fbaipublicfiles.com/eft/eft_model_zoo"
_EFT = "https://github.com/facebookresearch/eft"


def _zoo(name: str, file: str, data: str) -> WeightSpec:
    return WeightSpec(
        file=f"{name}.pt",
        sha256=None,
        licence="CC-BY-NC-4.0",
        origin=f"EFT's model zoo (Joo et al. 2021), trained on {data}",
        url=_EFT,
        download=f"{_ZOO}/{file}.pt",
    )


PUBLISHED: dict[str, WeightSpec] = {
    "hmr-eft": _zoo(
        "hmr-eft",
        "cocoall_h36m_mpiinf_posetrack_lsptrain_ochuman",
        "COCO-All, H36M, MPI-INF-3DHP, PoseTrack, LSP, OCHuman",
    ),
    "hmr-eft-coco": _zoo("hmr-eft-coco", "coco-all", "COCO-All"),
    "hmr-eft-coco-part": _zoo("hmr-eft-coco-part", "cocopart", "COCO-Part"),
    "hmr-eft-coco-h36m": _zoo(
        "hmr-eft-coco-h36m", "cocoall_h36m_mpiinf", "COCO-All, H36M, MPI-INF-3DHP"
    ),
    "hmr-eft-mpii": _zoo("hmr-eft-mpii", "mpii", "MPII"),
    "hmr-eft-h36m": _zoo("hmr-eft-h36m", "h36m", "H36M"),
    "hmr-frankmocap": WeightSpec(
        file="hmr-frankmocap.pt",
        sha256=None,
        licence="CC-BY-NC-4.0",
        origin="the body network of FrankMocap and EFT's demo (Rong et al. 2021)",
        url="https://github.com/facebookresearch/frankmocap",
        download=(
            "https://dl.fbaipublicfiles.com/eft/2020_05_31-00_50_43-best-51.749683916568756.pt"
        ),
    ),
    "hmr-spin": WeightSpec(
        file="hmr-spin.pt",
        sha256=None,
        licence="BSD-3-Clause (SPIN); SMPL, which it was trained with, has a licence of its own",
        origin="SPIN (Kolotouros et al. 2019)",
        url="https://github.com/nkolot/SPIN",
        download="http://visiondata.cis.upenn.edu/spin/model_checkpoint.pt",
    ),
}
"""By the name that `eftvideo weights fetch` and `--weights` take."""
_SPIN_STEMS = ("hmr-spin", "model_checkpoint")


def convention_of(path: Path) -> CameraConvention:
    """The camera of a published checkpoint, by its file name: nothing inside tells.

    SPIN's own name `model_checkpoint.pt`, and the one that `weights fetch` gives it: "spin". All
    others: "eft", as EFT's fitter and FrankMocap's demo read theirs.
    """
    found: CameraConvention = "spin" if path.stem in _SPIN_STEMS else "eft"
    log.info("%s: camera taken to be %s's (by its file name)", path.name, found.upper())
    return found

"""A result's rows as a table of plain columns. The only importer of pandas, which is optional."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from eftvideo.errors import MissingDependencyError
from eftvideo.geometry.skeletons import COCO17, LANDMARK33, SMPL24

if TYPE_CHECKING:
    from pandas import DataFrame

    from eftvideo.results.result import Result

_XYZ = ("x", "y", "z")
_AXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "bbox_xyxy": (("x0", "y0", "x1", "y1"),),
    "keypoints2d": (COCO17, ("x", "y", "score")),
    "landmarks2d": (LANDMARK33, ("x", "y", "score")),
    "landmarks3d": (LANDMARK33, _XYZ),
    "global_orient": (_XYZ,),
    "body_pose": (SMPL24[1:], _XYZ),
    "betas": (tuple(str(i) for i in range(10)),),
    "transl": (_XYZ,),
    "joints3d": (SMPL24, _XYZ),
    "keypoints3d": (COCO17, _XYZ),
    "pred_cam": (("s", "tx", "ty"),),
    "crop_center_px": (("x", "y"),),
}
"""Names along the axes after the first."""


def columns(result: Result) -> dict[str, np.ndarray]:
    """(N,) arrays by column name."""
    found: dict[str, np.ndarray] = {}
    for name, value in vars(result).items():
        if not isinstance(value, np.ndarray):
            continue
        if value.ndim == 1:
            found[name] = value
            continue
        flat = value.reshape(len(value), -1)
        for index, parts in enumerate(product(*_AXES[name])):
            found["_".join((name, *parts))] = flat[:, index]
    return found


def to_dataframe(result: Result) -> DataFrame:
    """See `Result.to_dataframe`.

    Raises:
        MissingDependencyError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as e:
        raise MissingDependencyError(
            "to_dataframe needs pandas, which is not installed: pip install pandas"
        ) from e
    return pd.DataFrame(columns(result))

"""The free body as the files that other programs read: SMPL's and SMPL+H's pickles."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

BODY = Path(__file__).parents[1] / "weights" / "neutral_body.npz"
HANDS = [*range(22), 22, 37]
"""Places of SMPL's 24 joints among SMPL+H's 52, in the file that `smplh_file` makes."""
_KEYS = ("v_template", "shapedirs", "f", "posedirs", "J_regressor", "weights", "kintree_table")


def smpl_file(folder: Path) -> Path:
    """The free body as it is, with SMPL's 24 joints."""
    z = np.load(BODY)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps({k: z[k] for k in _KEYS}))
    return path


def smplh_file(folder: Path) -> Path:
    """The free body with SMPL+H's 52 joints: fingers are where SMPL has its hand joint."""
    z = np.load(BODY)
    num = len(z["v_template"])
    chains = [[hand if k % 3 == 0 else first + k - 1 for k in range(15)]
              for hand, first in ((20, 22), (21, 37))]  # fmt: skip
    parents = np.array([2**32 - 1, *z["kintree_table"][0][1:22], *chains[0], *chains[1]])
    weights, joints = np.zeros((num, 52)), np.zeros((52, num))
    joints[22:37], joints[37:] = z["J_regressor"][22], z["J_regressor"][23]
    weights[:, HANDS], joints[HANDS] = z["weights"], z["J_regressor"]
    bends = np.zeros((num, 3, 51 * 9))
    for small, large in enumerate(HANDS[1:]):
        of = z["posedirs"][..., 9 * small : 9 * small + 9]
        bends[..., 9 * (large - 1) : 9 * large] = of
    model = {k: z[k] for k in ("v_template", "shapedirs", "f")} | {
        "posedirs": bends, "J_regressor": joints, "weights": weights,
        "kintree_table": np.stack([parents, np.arange(52)]),
        "hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45),
        "hands_meanl": np.zeros(45), "hands_meanr": np.zeros(45),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for gender in ("NEUTRAL", "FEMALE", "MALE"):
        (folder / f"SMPLH_{gender}.pkl").write_bytes(pickle.dumps(model))
    return folder / "SMPLH_NEUTRAL.pkl"

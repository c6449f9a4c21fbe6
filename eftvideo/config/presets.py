"""Settings that go together, by the name of `--preset`, as dotted settings."""

from __future__ import annotations

from eftvideo.config.methods import PUBLISHED_EFT
from eftvideo.config.values import text_of

PUBLISHED: tuple[str, ...] = (
    *(
        f"fit.eft.{name}={text_of(value)}"
        for name, value in vars(PUBLISHED_EFT).items()
        if name != "max_people"
    ),
    "fit.warm_start=no",
    "keypoints.face_weight=1",
    "keypoints.hip_weight=0",
    "keypoints.ankle_weight=0",
    "fit.accept.max_loss_px=1000",
    "fit.accept.max_rise_px=1000",
    "fit.accept.max_abs_beta=1000",
    "fit.accept.max_pose_change_rad=4",
)
"""EFT as its authors ran it (`PUBLISHED_EFT`): its keypoints, and hardly a fit rejected."""

PRESETS: dict[str, tuple[str, ...]] = {
    "fast": (
        "detect.second_look.enabled=no",
        "detect.recover.enabled=no",
        "fit.eft.threshold_px=2",
        "fit.eft.num_steps=10",
    ),
    "default": (),
    "best": (
        "fit.eft.robust_px=7",
        "fit.eft.pull=0.1",
        "fit.eft.stall_steps=4",
        "fit.eft.warm_stall_steps=2",
        "fit.eft.stall_px=0.03",
        "fit.eft.stay_weight=2",
    ),
    "published": PUBLISHED,
}
"""fast: without what helps the detector, and few steps. best: nearer to the regressor's own answer,
which costs some 2D error and gains in 3D (docs/accuracy.md)."""

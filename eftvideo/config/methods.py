"""The two ways to fit, EFT and SMPLify, with their constants and sources. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from eftvideo.config.values import Count, NotNegative, Positive, Range, Share

SmplifyInit = Literal["regressor", "mean"]


@dataclass(frozen=True)
class EftConfig:
    """Exemplar fine-tuning (EFT, Joo et al. 2021) of one frame, for each person."""

    num_steps: Annotated[int, Range(0)] = 30
    """Adam steps at most per person and frame (EFT's demo: 20, "50 more than sufficient")."""
    tune: str | None = None
    """Which weights are tuned, one of the regressor's `rates` (the lifter: "head", "norm+bias",
    "all", "late", "last"; landmark_hmr: "head", "neck+head", "last+head"; HMR: "all",
    "layer4+head", "head"); None: the first of them."""
    learning_rate: Positive | None = None
    """Adam's rate; None: the regressor's `rates` (docs/eft.md and docs/regressors.md)."""
    threshold_px: NotNegative = 1.0
    """Stop when the rms error, px of a 224 px crop, over the joints used is below (EFT: 2 px)."""
    stall_steps: Count = 8
    """Stop after this many steps without an improvement of `stall_px`."""
    warm_stall_steps: Count = 3
    """The same for somebody who starts warm, and is nearly there already."""
    stall_px: NotNegative = 0.02
    """What counts as an improvement, px of a 224 px crop."""
    momentum: Annotated[float, Range(0, below=1)] = 0.8
    """Adam's decay of first moments; at its usual 0.9 (as EFT) a warm frame overshoots."""
    pull: Share = 0.05
    """Share of the way back to the base weights taken after every step (decoupled decay)."""
    carry: Share = 1.0
    """Share of the tuned change that the next frame starts from."""
    robust_px: Positive = 9.0
    """Geman-McClure scale, px of a 224 px crop: errors well above it stop pulling (SMPLify)."""
    stay_weight: NotNegative = 0.5
    """Keeps the limbs' joints, in the body's own frame, near the regressor's own (m^2): of all
    bodies that fit the keypoints as well the nearest is the likeliest (docs/accuracy.md)."""
    betas_weight: NotNegative = 0.0
    """EFT: 0.001 * mean(betas^2) beside 5 * L2D in crop units; `stay_weight` does its work."""
    leg_weight: NotNegative = 0.0
    """EFT: 0.005 * (1 - cos) of the knee-ankle directions in the picture; the ankles do its work
    here, which EFT leaves out."""
    leg_min_px: NotNegative = 5.0
    """Lower legs shorter than this in the 224 px crop give no direction (EFT's comment: 5 px)."""
    camera_weight: NotNegative = 1.0
    """EFT: exp(-10 s)^2, keeps the crop camera's scale away from zero and below."""
    reproject_weight: NotNegative = 5.0
    """EFT: factor of the 2D term."""
    max_people: Count | None = 48
    """People, of one frame or of several, fitted at once, if memory allows; None: all."""


PUBLISHED_EFT = EftConfig(
    num_steps=20,
    tune="all",
    learning_rate=5e-6,
    threshold_px=2.0,
    stall_steps=20,
    warm_stall_steps=20,
    momentum=0.9,
    pull=0.0,
    carry=0.0,
    robust_px=1e4,
    stay_weight=0.0,
    betas_weight=0.001,
    leg_weight=0.005,
    reproject_weight=5.0 * 13 / 98,
)
"""Steps, rate and objective of EFT as its authors ran it, for HMR: plain squares (their mean is
over 98 numbers, of which 13 joints count). With its keypoints, cold frames and no limits it is the
preset "published". Only their last step is our best one."""


@dataclass(frozen=True)
class SmplifyConfig:
    """SMPLify, the baseline; constants of SPIN (smplify.py, losses.py) unless said otherwise."""

    prior: bool = True
    """Whether the pose prior counts (it gives the mean pose all the same)."""
    init: SmplifyInit = "regressor"
    """Where a person without a start begins: at the regressor's answer (SPIN), or at the mean pose
    with the camera from the torso (Bogo et al. 2016)."""
    camera_steps: Annotated[int, Range(0)] = 100
    """Adam steps of stage 1 at most: orientation and camera."""
    body_steps: Annotated[int, Range(0)] = 100
    """Adam steps of stage 2 at most: pose, shape and orientation."""
    learning_rate: Positive = 1e-2
    """Adam's rate in both stages: radians, betas, metres."""
    robust_px: Positive = 100.0
    """Geman-McClure scale, px of a 224 px crop, of each coordinate."""
    depth_weight: NotNegative = 100.0
    """Squared, of the squared change of distance (m, for a focal length of 5000 px) in stage 1."""
    pose_weight: NotNegative = 4.78
    """Squared, of the pose prior."""
    angle_weight: NotNegative = 15.2
    """Squared, of the limits of elbows and knees."""
    shape_weight: NotNegative = 5.0
    """Squared, of the sum of squared betas."""
    body_hip_weight: NotNegative = 0.0
    """Further weight of the hips in stage 2; SPIN leaves them out there."""
    stall_steps: Count = 10
    """A stage ends, for one person, after so many steps without a gain of `stall_share` (SPIN
    always takes all steps)."""
    stall_share: NotNegative = 5e-3
    """Of the objective."""

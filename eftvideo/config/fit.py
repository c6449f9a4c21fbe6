"""From tracks to bodies: crops, context, shape, the method, and which fits are accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from eftvideo.config.methods import EftConfig, SmplifyConfig
from eftvideo.config.values import Count, NotNegative, Positive, Range, Share

Method = Literal["eft", "smplify", "regress"]


@dataclass(frozen=True)
class CropConfig:
    """From a box to the square crop that a regressor sees."""

    box_scale: Annotated[float, Range(above=0, at_most=100)] = 1.2
    """Crop side over the longer side of the box (SPIN and EFT use 1.2)."""
    width_factor: Positive = 1.0
    """A box's width counts so many times: HMR 2.0 sees only the middle 3/4 of its crops."""
    min_size_px: Positive = 8.0
    """Smaller crops are enlarged to this, so that nothing divides by zero."""


@dataclass(frozen=True)
class ContextConfig:
    """Context that contradicts what is seen in the frame itself is hidden from the regressor."""

    enabled: bool = True
    """Off: all of the context is believed."""
    doubt_px: NotNegative = 10.0
    """2D error, px of a 224 px crop, up to which an answer is believed."""
    better: Share = 0.6
    """Context is hidden if the answer without it has less than this share of the error."""
    flip_rad: NotNegative = 2.0
    """An answer that turns the body round by more must have less than `flip_better`: from the side
    the keypoints of one frame hardly tell front from back."""
    flip_better: Share = 0.3
    """Share of the error below which an answer that turns the body round is taken."""
    min_seen: Count = 10
    """Of people of whom fewer keypoints are seen one frame alone says too little."""
    near_s: tuple[float, ...] = (0.1, 0.0)
    """What of the context is tried instead: frames this near, then none."""
    tolerance_s: NotNegative = 0.02
    """A context frame may be off its nominal time by this, or by half the frames' distance."""


@dataclass(frozen=True)
class ShapeConfig:
    """One shape (betas) for each person, found before the fit and held in it."""

    enabled: bool = True
    """Off: the shape is found with the pose, frame by frame."""
    max_sightings: Count = 240
    """Frames of a track that are asked; more settle nothing."""
    good_share: Share = 0.5
    """The better seen half of a track counts."""


@dataclass(frozen=True)
class AcceptConfig:
    """Fits that end badly are rejected: the regressor's own answer stays."""

    enabled: bool = True
    """Off: only fits of too few keypoints, or behind the camera, are rejected; shapes that are held
    keep to `max_abs_beta` all the same."""
    max_loss_px: NotNegative = 16.0
    """2D error, rms px of a 224 px crop."""
    max_rise_px: NotNegative = 1.0
    """A fit whose plain 2D error is above the regressor's own by more than this is rejected."""
    max_abs_beta: Positive = 5.0
    """Of a shape's coefficients (EFT used 3 to 5); shapes that are held keep to it too."""
    max_pose_change_rad: Positive | None = 1.2
    """A fit is rejected if some joint's rotation left the regressor's own by more than this. Of
    SMPLify it is not asked: that may end far from the regressor."""
    min_depth_m: NotNegative = 0.2
    """A fit whose body stands nearer to the camera than this is rejected."""


@dataclass(frozen=True)
class ChunkConfig:
    """Chunks of a clip that are fitted side by side, so that one person fills the machine."""

    num_frames: Count = 16
    """The longest chunk; at its first frame people start cold."""
    warm_up_frames: Annotated[int, Range(0)] = 2
    """Frames before a chunk that are fitted too, and thrown away, so that it begins warm."""
    frames_at_once: Count = 768
    """Frames whose crops are held at once; memory does not grow with the clip."""
    images_at_once: Count = 512
    """People in these frames, if pixels are held: 150 KB each, features 800 KB (HMR, 224 px)."""
    rows_asked: Count = 256
    """Rows that the regressor is asked about at once."""
    threads: Count = 2
    """Two cores move everybody's weights in 0.6 of the time of one; all else that is done with
    keypoints is so small that waiting for a second core costs more than it gives. Of EFT on
    keypoints only: other methods take one, networks that see pixels all there are."""


@dataclass(frozen=True)
class FitConfig:
    """From tracks to bodies."""

    method: Method = "eft"
    """eft: tune the network; smplify: fit the body itself, the baseline; regress: only ask."""
    warm_start: bool = True
    """Each frame starts from what fitted the person's frame before."""
    max_warm_gap_s: NotNegative = 0.25
    """Longer without the person: cold start."""
    crop: CropConfig = field(default_factory=CropConfig)
    """At its defaults: as the regressor was trained."""
    context: ContextConfig = field(default_factory=ContextConfig)
    shape: ShapeConfig = field(default_factory=ShapeConfig)
    eft: EftConfig = field(default_factory=EftConfig)
    smplify: SmplifyConfig = field(default_factory=SmplifyConfig)
    accept: AcceptConfig = field(default_factory=AcceptConfig)
    chunks: ChunkConfig = field(default_factory=ChunkConfig)

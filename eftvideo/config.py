"""Every default once, with its unit and its source. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Method = Literal["eft", "smplify", "regress"]
SmplifyInit = Literal["regressor", "mean"]
Shape = Literal["per-track", "per-frame"]
DrawMode = Literal["mesh", "skeleton", "both"]
Tracker = Literal["bytetrack", "botsort"]
SecondLook = Literal["leaning", "all", "off"]
OutputKind = Literal["mp4", "gif", "png"]


@dataclass(frozen=True)
class ClipConfig:
    """Which frames are read."""

    start_s: float = 0.0
    end_s: float | None = None
    """Frames with start_s <= time < end_s; None reads to the end."""
    stride: int = 1
    """Every n-th frame of the range."""


@dataclass(frozen=True)
class DetectConfig:
    """Finding and following people."""

    model: str = "yolo11n-pose"
    """Name or path of an ultralytics pose model. This one is in the package; others download."""
    image_size: int = 640
    """Longer side at which the network sees a frame, px. 640 is what YOLO11 was trained at."""
    min_confidence: float = 0.25
    """Boxes below are dropped before tracking is reported (ultralytics' own default)."""
    batch_size: int | None = None
    """Frames a forward pass; None: 1 on a CPU (batching gains nothing there), 16 on a GPU."""
    second_look: SecondLook = "leaning"
    """Whose keypoints are detected again in close-ups that are turned upright; "all" is dear."""
    lean_deg: float = 15.0
    """People who lean by more, in the picture, are looked at again."""
    tracker: Tracker = "bytetrack"
    max_gap_s: float = 1.0
    """A person lost for no longer than this keeps the id."""
    min_track_s: float = 0.2
    """Tracks seen for less are dropped as flicker, unless they reach `min_track_confidence`."""
    min_track_confidence: float = 0.6
    min_track_evidence: float = 0.18
    """Tracks whose box score times mean keypoint score is less, on average, are dropped: on our
    clips cars and motorbikes taken for people have up to 0.15, people of 40 px and more 0.23."""
    max_people: int | None = None
    """Keep the n tracks with the largest summed box area; None keeps all."""
    track_ids: tuple[int, ...] = ()
    """Keep only these ids; empty keeps all."""
    cut_threshold: float = 27.0
    """Mean HSV change (0..255) that makes a cut: PySceneDetect's ContentDetector default."""


@dataclass(frozen=True)
class CropConfig:
    """From a box to the square crop that a regressor sees."""

    box_scale: float = 1.2
    """Crop side over the longer side of the box (SPIN and EFT use 1.2)."""
    width_factor: float = 1.0
    """A box's width counts so many times: HMR 2.0 sees only the middle 3/4 of its crops."""
    min_size_px: float = 8.0
    """Smaller crops are enlarged to this, so that nothing divides by zero."""


@dataclass(frozen=True)
class EftConfig:
    """Exemplar fine-tuning (EFT, Joo et al. 2021) of one frame, for each person."""

    num_steps: int = 20
    """Adam steps at most per person and frame (EFT's demo: 20, "50 more than sufficient")."""
    tune: str | None = None
    """Which weights are tuned, one of the regressor's `rates` (the lifter: "head", "norm+bias",
    "all", "late", "last"; HMR: "all", "layer4+head", "head"); None: the first of them."""
    learning_rate: float | None = None
    """Adam's rate; None: the regressor's `rates` (docs/eft.md and docs/regressors.md)."""
    threshold_px: float = 2.0
    """Stop when the rms error, px of a 224 px crop, over the joints used is below (EFT: 2 px)."""
    stall_steps: int = 4
    """Stop after this many steps without an improvement of `stall_px`."""
    stall_px: float = 0.03
    pull: float = 0.1
    """Share of the way back to the base weights taken after every step (decoupled decay)."""
    carry: float = 0.98
    """Share of the tuned change that the next frame starts from."""
    min_score: float = 0.3
    """Keypoints below are ignored: YOLO guesses hidden joints with low scores."""
    face_weight: float = 0.2
    """Weight of nose, eyes and ears; they are the least like SMPL's surface."""
    hip_weight: float = 0.4
    """Weight of the hips; EFT leaves them out since labels differ, ours are regressed for COCO."""
    ankle_weight: float = 1.0
    """Weight of the ankles; EFT leaves them to the legs' directions."""
    robust_px: float = 7.0
    """Geman-McClure scale, px of a 224 px crop: errors well above it stop pulling (SMPLify)."""
    betas_weight: float = 0.001
    """EFT: 0.001 * mean(betas^2) beside 5 * L2D in crop units."""
    leg_weight: float = 0.005
    """EFT: 0.005 * (1 - cos) of the knee-ankle directions in the picture."""
    leg_min_px: float = 5.0
    """Lower legs shorter than this in the 224 px crop give no direction (EFT's comment: 5 px)."""
    depth_weight: float = 6.0
    """Keeps each keypoint's depth, relative to the pelvis, near the regressor's own (m^2)."""
    camera_weight: float = 1.0
    """EFT: exp(-10 s)^2, keeps the crop camera's scale away from zero and below."""
    reproject_weight: float = 5.0
    """EFT: factor of the 2D term."""
    min_joints: int = 6
    """With fewer usable keypoints: no fit (EFT's COCO-All: 6). Four of the body are enough."""
    max_loss_px: float = 16.0
    """A fit that ends above is rejected."""
    max_rise_px: float = 1.0
    """A fit whose plain 2D error is above the regressor's own by more than this is rejected."""
    max_abs_beta: float = 5.0
    """A fit with a shape coefficient beyond is rejected (EFT used 3 to 5)."""
    max_pose_change_rad: float = 1.2
    """A fit is rejected if some joint's rotation left the regressor's own by more than this."""
    max_warm_gap_s: float = 0.25
    """Longer without the person: cold start."""
    max_people: int | None = 48
    """People, of one frame or of several, fitted at once, if memory allows; None: all."""


PUBLISHED_EFT = EftConfig(
    tune="all",
    learning_rate=5e-6,
    threshold_px=2.0,
    stall_steps=20,
    pull=0.0,
    carry=0.0,
    face_weight=1.0,
    hip_weight=0.0,
    ankle_weight=0.0,
    robust_px=1e4,
    depth_weight=0.0,
    reproject_weight=5.0 * 13 / 98,
    max_loss_px=1e3,
    max_rise_px=1e3,
    max_abs_beta=1e3,
    max_pose_change_rad=4.0,
)
"""EFT as its authors ran it, for HMR: plain squares (their mean is over 98 numbers, of which 13
joints count), every frame from the base weights, nothing rejected. Only their last step is our
best one."""


@dataclass(frozen=True)
class SmplifyConfig:
    """SMPLify, the baseline; constants of SPIN (smplify.py, losses.py) unless said otherwise."""

    prior: bool = True
    """Whether the pose prior counts (it gives the mean pose all the same)."""
    init: SmplifyInit = "regressor"
    """Where a person without a start begins: at the regressor's answer (SPIN), or at the mean pose
    with the camera from the torso (Bogo et al. 2016)."""
    camera_steps: int = 100
    """Adam steps of stage 1 at most: orientation and camera."""
    body_steps: int = 100
    """Adam steps of stage 2 at most: pose, shape and orientation."""
    learning_rate: float = 1e-2
    """Adam's rate in both stages: radians, betas, metres."""
    robust_px: float = 100.0
    """Geman-McClure scale, px of a 224 px crop, of each coordinate."""
    depth_weight: float = 100.0
    """Squared, of the squared change of distance (m, for a focal length of 5000 px) in stage 1."""
    pose_weight: float = 4.78
    """Squared, of the pose prior."""
    angle_weight: float = 15.2
    """Squared, of the limits of elbows and knees."""
    shape_weight: float = 5.0
    """Squared, of the sum of squared betas."""
    body_hip_weight: float = 0.0
    """Further weight of the hips in stage 2; SPIN leaves them out there."""
    min_score: float = 0.3
    """As in EftConfig, so that both see the same keypoints and state the same errors; so too
    `face_weight`, `hip_weight`, `min_joints`, `max_loss_px` and `max_abs_beta`."""
    face_weight: float = 0.2
    hip_weight: float = 0.4
    min_joints: int = 6
    stall_steps: int = 10
    """A stage ends, for one person, after so many steps without a gain of `stall_share` (SPIN
    always takes all steps)."""
    stall_share: float = 5e-3
    """Of the objective."""
    max_loss_px: float = 16.0
    max_abs_beta: float = 5.0


@dataclass(frozen=True)
class SmoothConfig:
    """Smoothing of whole tracks after the fit, and filling of short gaps; see docs/smoothing.md."""

    strength: float = 1.0
    """Factor of all window lengths; 0 does not smooth."""
    bandwidths_s: tuple[float, ...] = (0.022, 0.033, 0.05, 0.07, 0.1, 0.14, 0.2)
    """Standard deviations of the windows to choose from, seconds."""
    gate: float = 1.05
    """Windows grow while their answers differ by less than this many deviations of the noise."""
    burst_gate: float = 2.0
    """Factor of `gate` against the shortest window: only bursts are left nearly as they are."""
    share_joints: float = 2.0
    """Joints this many steps away on the skeleton still have a say in a joint's window."""
    lead: float = 1.0
    """A joint's window is at most this many sizes longer than its own motion allows."""
    depth_factor: float = 4.0
    """Windows along the ray over those across it: depth is what one camera knows least."""
    shape_bandwidth_s: float = 0.5
    """Window for the shape, which hardly changes."""
    fill_gaps: bool = True
    max_gap_s: float = 0.5
    """Gaps up to this are filled in, if the person has the same id before and after."""
    rejected_weight: float = 0.3
    filled_weight: float = 0.1
    """Trust in rejected fits and in filled frames; fitted ones have 1."""


@dataclass(frozen=True)
class RenderConfig:
    """The overlay video."""

    enabled: bool = True
    draw: DrawMode = "mesh"
    opacity: float = 0.85
    crf: int = 18
    """libx264 quality; 18 looks like the source."""
    preset: str = "veryfast"
    report: bool = False
    """Write a page about the run too."""


@dataclass(frozen=True)
class RerenderConfig:
    """`eftvideo render`: a finished result drawn anew."""

    views: tuple[str, ...] = ("overlay",)
    """Pictures of the grid: those of `rerender_views.VIEWS`."""
    draw: tuple[str, ...] = ()
    """How people are drawn: those of `rerender_panels.LAYERS`; empty: as the run drew them."""
    plain: bool = False
    """Plain ground in the place of the clip's pictures."""
    track_ids: tuple[int, ...] = ()
    """Draw only these people; empty draws all."""
    frames: tuple[int, ...] = ()
    """Draw only these frames, by their index in the file; empty draws all that the run read."""
    output: OutputKind = "mp4"
    turn_s: float = 8.0
    """The turntable goes round once in this time."""
    trail_s: float = 0.7
    """Trails show this much of the past."""
    max_width_px: int = 1920
    """A grid of several views is shrunk to this width; one view keeps the clip's size."""
    gif_width_px: int = 640
    gif_fps: int = 12


@dataclass(frozen=True)
class RunConfig:
    """Everything that `eftvideo run` can be told. Goes into the result as JSON."""

    clip: ClipConfig = field(default_factory=ClipConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    eft: EftConfig = field(default_factory=EftConfig)
    smplify: SmplifyConfig = field(default_factory=SmplifyConfig)
    smooth: SmoothConfig = field(default_factory=SmoothConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    method: Method = "eft"
    warm_start: bool = True
    shape: Shape = "per-track"
    """Whether a person has one shape, found before the fit, or one of each frame's own."""
    lanes: int = 16
    """Pieces of the clip fitted side by side: a step of many rows costs little more than of one."""
    piece_frames: int = 16
    """The longest piece; at its first frame people start cold."""
    run_in_frames: int = 2
    """Frames before a piece that are fitted too, and thrown away, so that it begins warm."""
    regressor: str = "lifter"
    regressor_weights: str | None = None
    """Path of other weights, or the name of published ones; None: the regressor's own."""
    weights_camera: str | None = None
    """What the camera of published weights means, "spin" or "eft"; None: by the file's name."""
    body: str | None = None
    """Path of a body model file; None: the free body that is shipped."""
    focal_length_px: float | None = None
    fov_deg: float | None = None
    """Horizontal field of view; used if focal_length_px is None. Neither: sqrt(W^2 + H^2)."""
    device: str = "auto"
    """auto (CUDA if there is one), cpu, cuda, cuda:1."""

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as they come back from JSON."""
        return json.loads(json.dumps(asdict(self)))

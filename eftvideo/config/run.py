"""Every default once, with its unit and its source; those of the fits are in config_fit.py.

Standard library only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from eftvideo.config.fit import PUBLISHED_EFT, EftConfig, SmplifyConfig

Method = Literal["eft", "smplify", "regress"]
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
class SmoothConfig:
    """Smoothing of whole tracks after the fit, and filling of short gaps; see docs/smoothing.md."""

    strength: float = 1.0
    """Factor of all window lengths; 0 does not smooth."""
    bandwidths_s: tuple[float, ...] = (0.024, 0.036, 0.054, 0.076, 0.108, 0.15, 0.216)
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
    """How people are drawn: those of `overlay.LAYERS`; empty: as the run drew them."""
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


__all__ = [
    "PUBLISHED_EFT",
    "ClipConfig",
    "CropConfig",
    "DetectConfig",
    "EftConfig",
    "RenderConfig",
    "RerenderConfig",
    "RunConfig",
    "SmoothConfig",
    "SmplifyConfig",
]

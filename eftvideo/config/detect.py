"""Finding people in frames: the detector, its tracker, and the two helps where it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from eftvideo.config.values import Count, NotNegative, Positive, Range, Share

Tracker = Literal["bytetrack", "botsort"]
SecondLook = Literal["leaning", "all"]
LandmarkNetwork = Literal["heavy", "full", "off"]


@dataclass(frozen=True)
class KeypointConfig:
    """Which keypoints are believed, and how much each counts in errors and fits."""

    min_score: Share = 0.3
    """Keypoints below are not believed, in any step: YOLO guesses hidden joints with low scores."""
    face_weight: NotNegative = 0.2
    """Weight of nose, eyes and ears; they are the least like SMPL's surface."""
    hip_weight: NotNegative = 0.4
    """Weight of the hips; EFT leaves them out since labels differ, ours are regressed for COCO."""
    ankle_weight: NotNegative = 1.0
    """Weight of the ankles; EFT leaves them to the legs' directions."""
    hand_weight: NotNegative = 0.5
    """Weight of knuckles and thumbs, which only landmarks have."""
    foot_weight: NotNegative = 0.5
    """Weight of heels and toes, which only landmarks have."""
    min_trust: Share = 0.1
    """Points of both witnesses together are not believed below this probability to be right."""
    landmark_weight: NotNegative = 1.0
    """Weight of every landmark, over that of a keypoint of the detector."""
    min_joints: Count = 6
    """With fewer usable keypoints: no fit (EFT's COCO-All: 6), unless `min_body_joints` are."""
    min_body_joints: Count = 4
    """So many below the head are enough: two lower legs, of somebody cut off by the picture, place
    the legs; a face does not."""


@dataclass(frozen=True)
class CloseUpConfig:
    """Parts of a frame, turned and large, for a detector that finds more there."""

    size_px: Annotated[int, Range(32, 4096)] = 448
    """Side at which the network sees them."""
    scale: Positive = 1.35
    """Side of the close-up over the person's: the longer side of the box, or most of its
    diagonal."""
    diagonal: Positive = 0.85
    """How much of the box's diagonal counts as its side."""


@dataclass(frozen=True)
class RecoverConfig:
    """The search for people whom the detector loses in mid-picture."""

    enabled: bool = True
    """Off: nobody is searched for."""
    turns_deg: tuple[float, ...] = (0.0, -25.0, 25.0)
    """Away from how the person leaned when last seen: first the first, then all others at once."""
    max_lost_s: NotNegative = 0.5
    """Nobody is searched for longer after the last sighting."""
    min_sightings: Count = 5
    """Tracks of fewer frames are not searched for: the detector may have been wrong."""
    there_iou: Share = 0.3
    """Overlap with a box of the frame from which on the person is not lost."""
    near_iou: Share = 0.25
    """Overlap with the last box from which on somebody found is the person."""
    min_mean_score: Share = 0.35
    """Of the 17 keypoints of somebody found: what is not a person has less."""
    border: Share = 0.02
    """Nobody is searched for whose box was this near to the picture's border (share of its
    sides)."""
    padding: Share = 0.1
    """Of the box round the keypoints of somebody found, as a share of their longer side."""


@dataclass(frozen=True)
class TurnedConfig:
    """Looks at the whole picture turned, for people who are upside down or lie, and from afar."""

    enabled: bool = True
    """Off, or without landmarks: nobody is looked for."""
    every_s: NotNegative = 1.0
    """At the beginning of a shot, and again after so long; four passes of the detector each."""
    border: NotNegative = 0.2
    """Of grey round the turned picture, as a share of its sides: people who fill the picture are
    seen better with it."""
    afar: NotNegative = 0.5
    """The same round the picture as it is."""
    min_confidence: Share = 0.5
    """Boxes below, in these looks, are nobody."""
    min_score: Share = 0.9
    """Whom the landmark network scores below is nobody."""
    min_iou: Share = 0.4
    """Box and landmarks' extent must overlap so much."""
    same_iou: Share = 0.3
    """Boxes that overlap so much are of the same person."""
    part: Share = 0.6
    """Of the smaller of two boxes, when so much lies in the other: arms or legs of somebody, if
    that is the surer one."""
    margin: Share = 0.1
    """So much more confident than in the picture as it is must somebody be seen, to be taken from
    there."""


@dataclass(frozen=True)
class SecondLookConfig:
    """Close-ups, turned upright, of people whom the detector may see badly."""

    enabled: bool = True
    """Off: keypoints stay as they were first seen."""
    whom: SecondLook = "leaning"
    """People who lean, or all, which is dear; for nobody there is `enabled`."""
    lean_deg: NotNegative = 15.0
    """People who lean by more, in the picture, are looked at again."""
    turns_deg: tuple[float, ...] = (-12.5, 12.5)
    """Either side of upright: what is wrong in one is seldom wrong in the other."""
    same_person: NotNegative = 0.25
    """Somebody in the close-up is the person if the median keypoint is nearer, as a share of the
    box's longer side."""
    agrees: NotNegative = 0.08
    """A sighting of a keypoint this near to the merged place (same unit) speaks for it."""


@dataclass(frozen=True)
class LandmarkConfig:
    """The landmark network, which looks at everybody whom the detector finds."""

    network: LandmarkNetwork = "heavy"
    """Which of the two: heavy sees best, full takes a third of the time; off: the detector's
    keypoints are all there is."""
    min_score: Share = 0.5
    """Below, the network sees no person."""
    near: NotNegative = 0.06
    """Median distance to the detector's keypoints, in longer sides of the box, up to which it is
    the same person whoever else is near."""
    min_inside: Share = 0.5
    """Of the smaller of box and landmarks' extent, so much must lie in the other."""
    min_iou: Share = 0.2
    """Box and landmarks' extent must overlap so much."""
    masks: bool = False
    """Keep which pixels are each person's; `draw.behind` switches them on too."""


@dataclass(frozen=True)
class DetectConfig:
    """Finding people, and following them from frame to frame."""

    model: str = "yolo11n-pose"
    """Name or path of an ultralytics pose model. This one is in the package; others download."""
    image_size: Annotated[int, Range(32, 4096)] = 640
    """Longer side at which the network sees a frame, px. 640 is what YOLO11 was trained at."""
    min_confidence: Share = 0.25
    """Boxes below are dropped before tracking is reported (ultralytics' own default)."""
    low_confidence: Share = 0.1
    """Boxes from here up carry on a track, though they start none (ByteTrack's
    track_low_thresh)."""
    batch_size: Count | None = None
    """Frames a forward pass; None: 1 on a CPU (batching gains nothing there), 16 on a GPU."""
    tracker: Tracker = "bytetrack"
    """Of ultralytics; botsort also follows the camera's motion, and is slower."""
    max_gap_s: NotNegative = 1.0
    """A person lost for no longer than this keeps the id, whether the tracker finds them again or
    pieces are joined."""
    cut_threshold: NotNegative = 27.0
    """Mean HSV change (0..255) that makes a cut: PySceneDetect's ContentDetector default."""
    close_ups: CloseUpConfig = field(default_factory=CloseUpConfig)
    recover: RecoverConfig = field(default_factory=RecoverConfig)
    turned: TurnedConfig = field(default_factory=TurnedConfig)
    second_look: SecondLookConfig = field(default_factory=SecondLookConfig)
    landmarks: LandmarkConfig = field(default_factory=LandmarkConfig)

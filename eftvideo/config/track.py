"""Who is who over time, and what of a track's keypoints is believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from eftvideo.config.values import Count, NotNegative, Positive, Range, Share


@dataclass(frozen=True)
class MergeConfig:
    """Two ids that lie on one person where they meet become one."""

    enabled: bool = True
    """Off: both ids stay."""
    share: Share = 0.5
    """Of the frames that both ids are in: so many must show one person twice."""
    inside: Share = 0.8
    """Two boxes may hold one person if this share of the smaller lies in the larger ..."""
    same_pose: NotNegative = 0.06
    """... and do if the median distance of their keypoints is below this share of the pose's
    side."""


@dataclass(frozen=True)
class JoinConfig:
    """Pieces of one person are joined over gaps of up to `detect.max_gap_s`."""

    enabled: bool = True
    """Off: each piece is somebody else."""
    min_joints: Count = 4
    """With fewer keypoints in common, two poses cannot be compared; in merging too."""
    end_s: NotNegative = 0.25
    """Sightings this near to a gap are compared across it."""
    velocity_s: NotNegative = 0.25
    """A track's velocity is taken over this much of its end."""
    max_jump: Positive = 0.5
    """A person goes on where the motion leads to, give or take this share of the longer side."""
    stopping: NotNegative = 0.2
    """The person may have stopped instead, but that is less likely by this share of the side."""
    max_growth: Annotated[float, Range(above=1)] = 1.4
    """Longer side of the box after a gap over the one before, or the inverse."""
    max_pose_change: Positive = 0.2
    """Mean keypoint distance across a gap, with the shift taken out, as a share of the pose's
    side."""
    at_once_s: NotNegative = 0.15
    """Where somebody ends and somebody begins within this time, one box in the other, it is one
    person who jumps, turns over or curls up: size and pose say nothing. Any better match comes
    first."""


@dataclass(frozen=True)
class UnlikelyConfig:
    """Flicker, and things that the detector takes for people half-heartedly, are dropped."""

    enabled: bool = True
    """Off: every track stays."""
    min_track_s: NotNegative = 0.2
    """Tracks seen for less are dropped, unless they reach `min_track_confidence`."""
    min_track_confidence: Share = 0.6
    """Best box score of a track from which on it may be as short as it likes."""
    min_track_evidence: Share = 0.18
    """Tracks whose box score times mean keypoint score is less, on average, are dropped: on our
    clips cars and motorbikes taken for people have up to 0.15, people of 40 px and more 0.23."""
    min_person: Share = 0.2
    """Tracks in which the landmark network sees a person with less, in the median, are dropped: on
    our clips things have up to 0.13, the worst seen people (legs alone) 0.5."""
    still_s: NotNegative = 1.5
    """Who is seen for as long and never stirs is a poster or a statue, if somebody else moves."""
    min_unrest: NotNegative = 0.0015
    """Who stirs less, does not: change of the pose over the track, in longer sides of the box."""
    min_flow: NotNegative = 0.0003
    """The same where the picture itself moves less within a second, in the median: a person who
    stands at ease before a camera that stands has 0.001, a poster or a statue up to 0.0001."""
    moves: NotNegative = 0.01
    """Whose pose changes more, moves."""


@dataclass(frozen=True)
class LeftRightConfig:
    """Left and right limbs that the detector took for each other are put back."""

    enabled: bool = True
    """Off: left and right stay as detected."""
    swap_cost: NotNegative = 0.01
    """Cost of a swapped frame, in longer sides of the box: the majority is believed."""
    split_cost: NotNegative = 0.02
    """Further cost of a frame in which arms and legs disagree."""
    max_step: NotNegative = 0.15
    """Disagreement of two neighbouring frames counts no more than this, in longer sides of the
    box."""


@dataclass(frozen=True)
class OutlierConfig:
    """Keypoints that jump away and come back are believed less."""

    enabled: bool = True
    """Off: scores stay as detected."""
    min_jump: NotNegative = 0.08
    """Jumps below are never outliers, in longer sides of the box (0.14 m of a standing person)."""
    unrest: NotNegative = 6.0
    """Jumps below this many times the joint's median jump are none either."""
    agree: Share = 0.5
    """Before and after must be nearer to each other, and to what was before and comes after them,
    than this share of the jump."""
    max_span_s: NotNegative = 0.14
    """Time from the sighting before to the one after: four frames at 30 per second."""
    min_score: Share = 0.1
    """Keypoints below are not compared; lower than `keypoints.min_score`, since a guess beside its
    neighbours tells whether they agree."""


@dataclass(frozen=True)
class UnseenConfig:
    """Sightings of which hardly a keypoint is to be believed become gaps."""

    enabled: bool = True
    """Off: whoever has a box is fitted, or left to the regressor."""
    min_seen: Count = 4
    """Keypoints that make a sighting."""


@dataclass(frozen=True)
class TrackConfig:
    """Tracks of a whole clip, put in order after the last frame."""

    max_people: Count | None = None
    """Keep the n tracks with the largest summed box area; None keeps all."""
    track_ids: tuple[int, ...] = ()
    """Keep only these ids; empty keeps all."""
    merge: MergeConfig = field(default_factory=MergeConfig)
    join: JoinConfig = field(default_factory=JoinConfig)
    unlikely: UnlikelyConfig = field(default_factory=UnlikelyConfig)
    left_right: LeftRightConfig = field(default_factory=LeftRightConfig)
    outliers: OutlierConfig = field(default_factory=OutlierConfig)
    unseen: UnseenConfig = field(default_factory=UnseenConfig)

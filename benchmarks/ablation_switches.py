"""The corrections of the main path, by the names of their switches."""

from __future__ import annotations

from collections.abc import Mapping

Settings = Mapping[str, bool]
"""Which of `SWITCHES` are on."""

DETECT = (
    "detect.recover.enabled",
    "detect.turned.enabled",
    "detect.second_look.enabled",
    "detect.landmarks.network",
)
"""Those that act while people are detected."""
SWITCHES = (
    *DETECT,
    "track.merge.enabled",
    "track.join.enabled",
    "track.unlikely.enabled",
    "track.left_right.enabled",
    "track.outliers.enabled",
    "track.unseen.enabled",
    "fit.context.enabled",
    "fit.shape.enabled",
    "fit.accept.enabled",
    "refine.gaps.enabled",
    "refine.smooth.enabled",
)
"""In the order in which they act."""
ACTED = {
    "detect.recover.enabled": "sightings",
    "detect.turned.enabled": "sightings",
    "detect.second_look.enabled": "sightings",
    "track.merge.enabled": "sightings less",
    "track.join.enabled": "tracks less",
    "track.unlikely.enabled": "sightings less",
    "track.left_right.enabled": "sightings",
    "track.outliers.enabled": "keypoints",
    "track.unseen.enabled": "sightings less",
    "fit.shape.enabled": "tracks",
    "fit.accept.enabled": "person-frames",
    "refine.gaps.enabled": "person-frames",
    "refine.smooth.enabled": "person-frames",
}
"""In what it is counted how often each acted."""
CANNOT = {
    "synthetic": frozenset((*DETECT[:3], *SWITCHES[4:7])),
    "drawn": frozenset[str](),
    "beam": frozenset[str](),
    "real": frozenset[str](),
}
"""Corrections that can change nothing: those of detection where there are no pictures to look at
again, those of tracks up to `track.unlikely` where there is one track of full score."""

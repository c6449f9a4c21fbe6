"""The table of tracks: who is in a clip, and when."""

from __future__ import annotations

from dataclasses import dataclass

from eftvideo.types.track import Tracks


@dataclass(frozen=True)
class TrackRow:
    """One line of the table of tracks."""

    track_id: int
    num_frames: int
    first_frame: int
    last_frame: int
    start_s: float
    seconds: float
    """From the first to the last frame that shows the person."""
    mean_score: float


def track_table(tracks: Tracks) -> list[TrackRow]:
    """One row per track, by id."""
    return [
        TrackRow(
            track_id=track.track_id,
            num_frames=len(track),
            first_frame=int(track.frame[0]),
            last_frame=int(track.frame[-1]),
            start_s=float(track.time_s[0]),
            seconds=float(track.time_s[-1] - track.time_s[0]),
            mean_score=float(track.seen.confidence.mean()),
        )
        for track in tracks.people
    ]

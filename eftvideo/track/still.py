"""Posters and statues: whom nothing moves, beside people who move.

A detector, and the landmark network too, sees somebody in a picture on a wall. Nobody who lives
keeps so still: over a second and a half the landmarks of somebody who stands at ease change by 0.35
percent of the person's size and more (in our clips), those of a poster by what the video's
compression does. Where the camera stands still the picture itself tells more surely: there is no
motion in a poster at all, and a shadow that falls on a statue comes and goes. Where everybody is
still, as in a clip made of one picture, nothing is known.
"""

from __future__ import annotations

import numpy as np

from eftvideo.geometry.boxes import longer_side
from eftvideo.geometry.skeletons import LANDMARK33
from eftvideo.setup import Setup
from eftvideo.types.track import Track, Tracks

_BODY = slice(LANDMARK33.index("left_shoulder"), None)


def drop_still(tracks: Tracks, setup: Setup) -> Tracks:
    """Without those who never stir, of each shot in which somebody does."""
    limits = setup.cfg.track.unlikely
    if not limits.enabled:
        return tracks
    stirs = {t.track_id: unrest(t) for t in tracks.people}
    moving = {t.shot for t in tracks.people if limits.moves < stirs[t.track_id] < float("inf")}

    def stays(track: Track) -> bool:
        seconds = float(np.ptp(track.time_s)) if len(track) else 0.0
        is_long = seconds >= limits.still_s and track.shot in moving
        flow = track.seen.stirs[~np.isnan(track.seen.stirs)]
        frozen = len(flow) > 0 and float(np.median(flow)) < limits.min_flow
        return not is_long or (stirs[track.track_id] >= limits.min_unrest and not frozen)

    return tracks.of(t for t in tracks.people if stays(t))


def unrest(track: Track) -> float:
    """How much a pose changes over a track, in longer sides of the box.

    Nine in ten sightings are nearer than this, in the mean, to the median pose, whatever moves,
    turns or zooms the whole. Infinite where the landmark network hardly looked.
    """
    looked = track.landmarks.score > 0
    if looked.sum() < 2:
        return float("inf")
    xy = track.landmarks.points2d[looked, _BODY, :2].astype(float)
    poses = xy[..., 0] + 1j * xy[..., 1]
    poses -= poses.mean(axis=1, keepdims=True)
    usual = np.median(poses.real, axis=0) + 1j * np.median(poses.imag, axis=0)
    usual -= usual.mean()
    size = np.maximum((np.abs(poses) ** 2).sum(axis=1, keepdims=True), 1e-12)
    scale = (np.conj(poses) * usual).sum(axis=1, keepdims=True) / size
    off = np.sqrt((np.abs(scale * poses - usual) ** 2).mean(axis=1))
    side = float(np.median(longer_side(track.xyxy[looked], least=1.0)))
    return float(np.quantile(off, 0.9)) / side

"""What the detector sees in each view: as the program asks it, and in turned close-ups.

The small network errs on people who lean. Shown the athlete upright and large it errs less, so for
the truth (never for the fits) each frame is also cut out around the athlete at several turns; the
triangulation picks what agrees. Both kinds are kept in a folder, so that a second run is quick.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from stages import find_people

from eftvideo.config import DetectConfig, RunConfig
from eftvideo.detect.people import load_detector
from eftvideo.setup import Setup
from eftvideo.types.track import Tracks
from eftvideo.video.reader import open_video
from multiview.geometry import View, robust_triangulate

log = logging.getLogger("multiview")
TURNS_DEG = (-50.0, -25.0, 0.0, 25.0, 50.0)
CLOSE_UP_PX = 448
CLOSE_UP_SCALE = 1.35
"""Side of the close-up over the longer side of the athlete's box."""
MIN_SCORE = 0.3
ROUGH_TOLERANCE_PX = 50.0
MIN_SHARE = 0.3
"""Tracks seen in fewer of the frames are not taken for the athlete."""


def kept(path: Path, key: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, from `path` if it was made there before with the same `key`."""
    if path.is_file():
        stored_key, value = pickle.loads(path.read_bytes())
        if stored_key == key:
            return value
    value = make()
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps((key, value)))
    part.replace(path)
    return value


def plain_tracks(clip: Path, cfg: RunConfig, work: Path) -> Tracks:
    """Whom the program itself detects, tracks and mends in a clip."""

    def make() -> Tracks:
        with open_video(clip, cfg.clip) as video:
            return find_people(video, Setup.load(cfg, video.info))

    key = f"{cfg.clip} {cfg.detect} {cfg.keypoints} {cfg.track}"
    return kept(work / f"{clip.stem}_plain.pkl", key, make)


def sightings(tracks: Tracks, track_id: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, 17, 3) keypoints and (T, 4) boxes of one person; NaN (score 0) where not seen."""
    keypoints = np.full((len(tracks.timeline), 17, 3), np.nan)
    keypoints[..., 2] = 0.0
    boxes = np.full((len(tracks.timeline), 4), np.nan)
    for track in tracks.people:
        if track.track_id == track_id:
            keypoints[track.at], boxes[track.at] = track.keypoints, track.xyxy
    return keypoints, boxes


def weight_of(keypoints: np.ndarray) -> np.ndarray:
    """(...,) scores, 0 where too low to be believed."""
    score = np.nan_to_num(keypoints[..., 2])
    return np.where(score >= MIN_SCORE, score, 0.0)


def choose_athlete(views: Sequence[View], plain: Sequence[Tracks]) -> tuple[int, ...]:
    """The track of each view that is the person whom most views agree on."""
    choices = [
        [t.track_id for t in tracks.people if len(t) >= MIN_SHARE * len(tracks.timeline)]
        for tracks in plain
    ]

    def agreement(ids: tuple[int, ...]) -> int:
        seen = [sightings(f, i)[0][::5] for f, i in zip(plain, ids, strict=True)]
        flat = np.stack(seen).reshape(len(views), 1, -1, 3)
        found = robust_triangulate(views, flat[..., :2], weight_of(flat), ROUGH_TOLERANCE_PX)
        return int(found.support[:, found.support.sum(axis=0) >= 3].sum())

    return max(product(*choices), key=agreement)


def collect_sightings(
    clips: Sequence[Path],
    plain: Sequence[Tracks],
    ids: Sequence[int],
    cfg: RunConfig,
    work: Path,
) -> np.ndarray:
    """(V, K, T, 17, 3): the program's own keypoints, then those of the close-ups."""
    out = []
    for clip, tracks, track_id in zip(clips, plain, ids, strict=True):
        own, boxes = sightings(tracks, track_id)
        log.info("%s: close-ups of track %d", clip.name, track_id)
        near = close_ups(clip, boxes, cfg, work)
        out.append(np.concatenate([own[None], near]))
    return np.stack(out)


def close_ups(clip: Path, boxes: np.ndarray, cfg: RunConfig, work: Path) -> np.ndarray:
    """(K, T, 17, 3) keypoints of the person in `boxes` (T, 4), one for each of `TURNS_DEG`."""

    def make() -> np.ndarray:
        detect = DetectConfig(model=cfg.detect.model, image_size=CLOSE_UP_PX)
        detector = load_detector(detect, "cpu", 30.0)
        out = np.full((len(TURNS_DEG), len(boxes), 17, 3), np.nan)
        out[..., 2] = 0.0
        with open_video(clip, cfg.clip) as video:
            for t, frame in enumerate(video):
                if np.isnan(boxes[t]).any():
                    continue
                for k, turn in enumerate(TURNS_DEG):
                    out[k, t] = _close_up(detector, frame.image, boxes[t], turn)
        return out

    key = f"{cfg.clip} {cfg.detect.model} {TURNS_DEG} {CLOSE_UP_PX} {CLOSE_UP_SCALE}"
    return kept(work / f"{clip.stem}_close.pkl", key, make)


def _close_up(detector: Any, image: np.ndarray, box: np.ndarray, turn_deg: float) -> np.ndarray:
    """(17, 3) keypoints, full-frame px, of the largest person in the turned cut-out."""
    middle = (box[:2] + box[2:]) / 2
    side = CLOSE_UP_SCALE * float((box[2:] - box[:2]).max())
    scale = CLOSE_UP_PX / side
    turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), turn_deg, scale)
    turn[:, 2] += CLOSE_UP_PX / 2 - middle
    size = (CLOSE_UP_PX, CLOSE_UP_PX)
    small = cv2.warpAffine(image, turn, size, flags=cv2.INTER_AREA, borderValue=(114, 114, 114))
    people = detector.detect([small])[0]
    nothing = np.full((17, 3), np.nan)
    nothing[:, 2] = 0.0
    if not len(people):
        return nothing
    extent = people.xyxy[:, 2:] - people.xyxy[:, :2]
    keypoints = people.keypoints[int(extent.prod(axis=1).argmax())].astype(float)
    back = cv2.invertAffineTransform(turn)
    keypoints[:, :2] = keypoints[:, :2] @ back[:, :2].T + back[:, 2]
    return keypoints

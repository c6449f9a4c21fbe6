"""The stages of `run_video`, for benchmarks that measure or change what is between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from eftvideo.bodies import BodyModel
from eftvideo.config import RunConfig
from eftvideo.detect.people import detect_people
from eftvideo.fit import fit_tracks
from eftvideo.fit.records import posed
from eftvideo.geometry.camera import Camera
from eftvideo.progress import Progress
from eftvideo.refine import fill_gaps, smooth_tracks
from eftvideo.regressors import Regressor
from eftvideo.results.result import Result
from eftvideo.setup import Setup
from eftvideo.track import drop_unseen, link_tracks, mend_left_right, soften_outliers
from eftvideo.types import VideoFrame
from eftvideo.types.track import Tracks
from eftvideo.types.track_fit import Fits
from eftvideo.video.reader import VideoReader

_NO_CAMERA = Camera(1000.0, 1000, 1000)


def find_people(clip: VideoReader, setup: Setup) -> Tracks:
    """Everybody of a clip, detected, followed and mended."""
    tracks = link_tracks(detect_people(clip, setup, Progress()), setup)
    for mend in (mend_left_right, soften_outliers, drop_unseen):
        tracks = mend(tracks, setup)
    return tracks


def fit_people(tracks: Tracks, setup: Setup, clip: Iterable[VideoFrame] | None = None) -> Fits:
    """Everybody fitted and refined."""
    return refined(fit_tracks(tracks, setup, clip=clip), setup)


def refined(fits: Fits, setup: Setup) -> Fits:
    """Gaps filled, smoothed and put back, as far as the configuration says so."""
    for refine in (fill_gaps, smooth_tracks, posed):
        fits = refine(fits, setup)
    return fits


def result_of(fits: Fits, setup: Setup, source: str, fps: Fraction, num_frames: int) -> Result:
    """A result that no file was read for; its configuration is empty."""
    header = {"source": source, "fps": fps, "num_frames": num_frames, "config": {}}
    header |= {"width_px": setup.camera.width_px, "height_px": setup.camera.height_px}
    return Result.of(fits, header | {"body_model": setup.body.name}, {})


def setup_for_crops(regressor: Regressor, body: BodyModel, cfg: RunConfig) -> Setup:
    """For crops that bring their cameras along: the setup's own is never asked.

    The regressor sees all of their context, also what the program would hide from it.
    """
    context = replace(cfg.fit.context, enabled=False)
    cfg = replace(cfg, fit=replace(cfg.fit, context=context))
    return Setup(cfg, regressor, body, _NO_CAMERA)

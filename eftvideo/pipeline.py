"""The main path: a clip in, SMPL and an overlay video out."""

from __future__ import annotations

import importlib.metadata
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import CropConfig, RunConfig
from eftvideo.detect.people import detect_people
from eftvideo.draw.result import draw_result
from eftvideo.errors import ConfigError, VideoWriteError
from eftvideo.fit.eft.tuned_weights import settled
from eftvideo.fit.people import Camera, fit_people
from eftvideo.fit.smplify.pose_prior import POSE_PRIOR
from eftvideo.geometry import camera
from eftvideo.progress import Progress
from eftvideo.refine.refine_tracks import polish_rows
from eftvideo.regressors._load import load_regressor, regressor_file
from eftvideo.report.write import write_report
from eftvideo.types import VideoInfo
from eftvideo.types.result import Result, save_result
from eftvideo.video.reader import VideoReader, open_video
from eftvideo.weights import locate as weights

log = logging.getLogger(__name__)

_VERSIONS_OF = ("eftvideo", "torch", "ultralytics", "smplx", "numpy")


def run_video(
    path: str | Path,
    out_dir: str | Path | None = None,
    cfg: RunConfig | None = None,
    progress: Progress | None = None,
) -> Result:
    """Fit SMPL to every person in every frame of a clip.

    Args:
        path: the clip.
        out_dir: folder for `<stem>.npz`, `<stem>_overlay.mp4` and, if asked for,
            `<stem>_report.html`, made if missing; None writes
            nothing and only returns the result.
        cfg: options; None takes the defaults.
        progress: listener; None is silent.

    Returns:
        The result, with seconds by stage in `timings_s`. Nobody in the clip: no rows.

    Raises:
        EftVideoError: anything a user can mend; the message says how.
    """
    path, cfg, progress = Path(path), cfg or RunConfig(), progress or Progress()
    with open_video(path, cfg.clip) as clip:
        npz, video = _targets(path, out_dir)
        device = choose_device(cfg.device)
        body = load_body(cfg.body, device)
        regressor = load_regressor(cfg, device, body)
        if cfg.crop == CropConfig():
            cfg = replace(cfg, crop=regressor.crop)
        cfg = replace(cfg, eft=settled(cfg.eft, regressor))
        view = full_frame_camera(clip.info, cfg)
        frames = detect_people(clip, cfg, device, progress)
        with progress.stage("fit", len(frames)):
            rows = fit_people(frames, regressor, body, view, cfg, device, progress, clip)
        size = (view.width_px, view.height_px)
        rows = polish_rows(rows, frames, body, size, cfg.smooth, cfg.eft, device)
        result = Result(**rows, **_header(clip, body, cfg), timings_s=progress.seconds)
        if npz is not None:
            save_result(npz, result)
        if video is not None and cfg.render.enabled:
            draw_result(clip, result, body, cfg.render, video, progress)
    if npz is not None and cfg.render.report:
        write_report(result, path, npz.parent, progress=progress)
    return result


def choose_device(name: str) -> str:
    """ "auto" to a torch device's name.

    Raises:
        ConfigError: an unknown device, or CUDA where there is none.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as e:
        raise ConfigError(f"unknown device {name!r}: use auto, cpu, cuda or cuda:1") from e
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {name!r} is not there: torch sees {torch.cuda.device_count()} CUDA devices; "
            "use --device cpu"
        )
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {name!r} is not supported: use auto, cpu, cuda or cuda:1")
    return name


def full_frame_camera(info: VideoInfo, cfg: RunConfig) -> Camera:
    """The camera from the options, or the usual guess.

    Raises:
        ConfigError: a focal length that is not positive, or an impossible field of view.
    """
    if cfg.focal_length_px is not None:
        focal = cfg.focal_length_px
        if not 0.0 < focal < float("inf"):
            raise ConfigError(f"focal length must be a positive number of px, but got {focal}")
    elif cfg.fov_deg is not None:
        try:
            focal = camera.fov_to_focal_length_px(cfg.fov_deg, info.width_px)
        except ValueError as e:
            raise ConfigError(str(e)) from e
    else:
        focal = camera.default_focal_length_px(info.width_px, info.height_px)
    return Camera(focal, info.width_px, info.height_px)


def _targets(path: Path, out_dir: str | Path | None) -> tuple[Path | None, Path | None]:
    """Where the results go; the folder is made and tried before any work is done."""
    if out_dir is None:
        return None, None
    out = Path(out_dir)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise VideoWriteError(
            f"cannot make folder {out}: {e.strerror}; choose another with -o"
        ) from e
    if not os.access(out, os.W_OK | os.X_OK):
        raise VideoWriteError(f"cannot write to folder {out}: choose another with -o")
    return out / f"{path.stem}.npz", out / f"{path.stem}_overlay.mp4"


def _header(clip: VideoReader, body: BodyModel, cfg: RunConfig) -> dict[str, Any]:
    info = clip.info
    digests = {cfg.regressor: weights.sha256_of(regressor_file(cfg)), "body": body.sha256}
    if cfg.method == "smplify":
        digests["pose_prior"] = weights.sha256_of(weights.resolve(POSE_PRIOR))
    config = cfg.to_dict() | {
        "versions": {n: importlib.metadata.version(n) for n in _VERSIONS_OF},
        "weights_sha256": digests,
        "undecodable_frames": [index for index, _ in clip.failures],
    }
    return {
        "source": info.path.name,
        "width_px": info.width_px,
        "height_px": info.height_px,
        "fps": info.fps,
        "num_frames": info.num_frames,
        "body_model": f"{body.name} sha256:{body.sha256}",
        "config": config,
    }

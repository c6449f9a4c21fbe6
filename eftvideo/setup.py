"""What a whole run works with: settings, network, body, camera, device."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import CropConfig, RunConfig
from eftvideo.errors import ConfigError
from eftvideo.geometry import camera
from eftvideo.geometry.camera import Camera
from eftvideo.landmarks.network import SPECS as LANDMARK_NETWORKS
from eftvideo.regressors import Regressor
from eftvideo.regressors._load import load_regressor, regressor_file
from eftvideo.types import VideoInfo
from eftvideo.weights import locate as weights
from eftvideo.weights.shipped import POSE_PRIOR

_VERSIONS_OF = ("eftvideo", "torch", "ultralytics", "smplx", "numpy")


@dataclass(frozen=True)
class Setup:
    """Made once for a clip; nothing of it changes.

    Raises:
        ConfigError: the regressor has no such set of weights as `fit.eft.tune` names.
    """

    cfg: RunConfig
    """Settled: what it leaves to the regressor is filled in."""
    regressor: Regressor
    body: BodyModel
    camera: Camera
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Fill in the crop, what is tuned and the rate, where the settings leave them open."""
        fit, regressor = self.cfg.fit, self.regressor
        which = next(iter(regressor.rates)) if fit.eft.tune is None else fit.eft.tune
        regressor.tunable(which)
        given = fit.eft.learning_rate
        rate = regressor.rates[which] if given is None else given
        crop = regressor.crop if fit.crop == CropConfig() else fit.crop
        fit = replace(fit, crop=crop, eft=replace(fit.eft, tune=which, learning_rate=rate))
        object.__setattr__(self, "cfg", replace(self.cfg, fit=fit))

    @classmethod
    def load(cls, cfg: RunConfig, info: VideoInfo) -> Setup:
        """Everything that a run of this clip needs.

        Raises:
            ConfigError: an unknown name, device, or an impossible camera.
            WeightsNotFoundError, WeightsCorruptError, CheckpointMismatchError: a file of weights.
        """
        device = choose_device(cfg.device)
        body = load_body(cfg.body, device)
        if cfg.detect.landmarks.network != "off" and not body.has_landmarks:
            raise ConfigError(
                f"the body {cfg.body or body.name} has no points for the landmark network's 33: "
                "use --landmarks off, or another body"
            )
        if cfg.detect.landmarks.network == "off" and cfg.wants_masks:
            raise ConfigError(
                "who stands in front of a body is told by masks of the landmark network: "
                "give --landmarks heavy or full, or leave out --behind and detect.landmarks.masks"
            )
        regressor = load_regressor(cfg, device, body)
        return cls(cfg, regressor, body, full_frame_camera(info, cfg), device)

    def header(self, info: VideoInfo, failures: Sequence[tuple[int, str]]) -> dict[str, Any]:
        """What a `Result` says of the clip and of how it was made.

        Args:
            info: of the clip. failures: frames that would not decode, by index, and why.
        """
        cfg = self.cfg
        digests = {cfg.regressor: weights.sha256_of(regressor_file(cfg)), "body": self.body.sha256}
        if cfg.fit.method == "smplify":
            digests["pose_prior"] = weights.sha256_of(weights.resolve(POSE_PRIOR))
        network = cfg.detect.landmarks.network
        if network != "off":
            file = weights.resolve(LANDMARK_NETWORKS[network])
            digests[f"landmarks_{network}"] = weights.sha256_of(file)
        config = cfg.to_dict() | {
            "versions": {n: importlib.metadata.version(n) for n in _VERSIONS_OF},
            "weights_sha256": digests,
            "undecodable_frames": [index for index, _ in failures],
        }
        return {
            "source": info.path.name,
            "width_px": info.width_px,
            "height_px": info.height_px,
            "fps": info.fps,
            "num_frames": info.num_frames,
            "body_model": f"{self.body.name} sha256:{self.body.sha256}",
            "config": config,
        }


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
    if name == "cpu:0":
        return "cpu"
    if device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index):
        raise ConfigError(f"device {name!r} is not supported: use auto, cpu, cuda or cuda:1")
    return name


def full_frame_camera(info: VideoInfo, cfg: RunConfig) -> Camera:
    """The camera from the options, or the usual guess.

    Raises:
        ConfigError: a focal length that no camera has.
    """
    if cfg.focal_length_px is not None:
        focal = cfg.focal_length_px
    elif cfg.fov_deg is not None:
        try:
            focal = camera.fov_to_focal_length_px(cfg.fov_deg, info.width_px)
        except ValueError as e:
            raise ConfigError(str(e)) from e
    else:
        focal = camera.default_focal_length_px(info.width_px, info.height_px)
    least, most = 0.01 * info.width_px, 1000.0 * info.width_px
    if not least <= focal <= most:
        raise ConfigError(
            f"the focal length must be from {least:g} to {most:g} px for a picture "
            f"{info.width_px} px wide, but is {focal:g}: mend focal_length_px or fov_deg"
        )
    return Camera(focal, info.width_px, info.height_px)

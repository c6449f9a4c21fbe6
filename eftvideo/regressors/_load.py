"""The regressor that a configuration names: its file, its weights, and how it suits the body."""

from __future__ import annotations

import logging
from pathlib import Path

from eftvideo import plugins
from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import RunConfig
from eftvideo.errors import ConfigError, WeightsNotFoundError
from eftvideo.regressors._other_body import Retargeted
from eftvideo.regressors._pose_only import PoseOnly
from eftvideo.regressors._protocol import Regressor
from eftvideo.weights import locate as weights

log = logging.getLogger(__name__)

DEFAULT = "lifter"
"""Speaks of the shapes of the free body; asked for them where another network cannot tell."""


def regressor_file(cfg: RunConfig) -> Path:
    """The weights file: a path, the name of a published one, or the regressor's own.

    Raises:
        ConfigError: unknown regressor. WeightsNotFoundError, WeightsCorruptError: no such file.
    """
    model, given = plugins.load("regressors", cfg.regressor), cfg.regressor_weights
    published = model.published.get(given)
    return weights.resolve(published or model.spec, None if published else given)


def load_regressor(cfg: RunConfig, device: str, body: BodyModel) -> Regressor:
    """The regressor that the configuration names, ready on the device, for this body.

    If it speaks of another body's betas, they are translated. Those of SMPL cannot be translated
    without an SMPL file: then its poses are used, and shapes come from the keypoints.

    Raises:
        ConfigError: unknown name, or a camera that it does not know.
        WeightsNotFoundError, CheckpointMismatchError: its weights.
    """
    regressor = _load(cfg).to(device)  # type: ignore[attr-defined]
    if regressor.betas_of == ("neutral" if cfg.body is None else "smpl"):
        return regressor
    if regressor.betas_of == "neutral":
        return Retargeted(regressor, load_body(None, device), body, device).to(device)
    try:
        smpl = load_body("smpl", device)
    except WeightsNotFoundError:
        log.warning(
            "%s speaks of SMPL's shapes, and the free body has others: its poses are used, shapes "
            "come from the keypoints; for both give --body FILE, or eftvideo weights import FILE",
            cfg.regressor,
        )
        shapes = _load(RunConfig(regressor=DEFAULT)).to(device)  # type: ignore[attr-defined]
        return PoseOnly(regressor, shapes).to(device)
    log.info("%s: SMPL's betas are translated to the free body by your SMPL file", cfg.regressor)
    return Retargeted(regressor, smpl, body, device).to(device)


def _load(cfg: RunConfig) -> Regressor:
    model, path = plugins.load("regressors", cfg.regressor), regressor_file(cfg)
    if cfg.weights_camera is None:
        return model.from_weights(path)
    cameras = model.cameras
    if cfg.weights_camera not in cameras:
        choice = f"choose one of {', '.join(cameras)}" if cameras else "leave the setting out"
        raise ConfigError(
            f"regressor {cfg.regressor!r} has no camera {cfg.weights_camera!r}: {choice}"
        )
    return model.from_weights(path, cfg.weights_camera)

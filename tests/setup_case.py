"""What a run works with, for tests of single steps: the shipped parts, and some settings."""

from __future__ import annotations

from functools import cache

from eftvideo.bodies import BodyModel, load_body
from eftvideo.config import RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.geometry.camera import Camera
from eftvideo.regressors.lifter import Model
from eftvideo.setup import Setup
from eftvideo.weights.locate import resolve

SIZE = (1280, 720)


@cache
def _parts() -> tuple[Model, BodyModel]:
    return Model.from_weights(resolve(Model.spec)), load_body()


@cache
def setup_of(*settings: str, focal_length_px: float = 1400.0) -> Setup:
    """A clip's setup with some settings, `track.join.enabled=no`, other than by default."""
    camera = Camera(focal_length_px, *SIZE)
    return Setup(set_values(RunConfig(), settings), *_parts(), camera)

"""Everything that a run can be told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from eftvideo.config.clip import ClipConfig
from eftvideo.config.detect import DetectConfig, KeypointConfig
from eftvideo.config.dotted import check
from eftvideo.config.draw import DrawConfig
from eftvideo.config.fit import FitConfig
from eftvideo.config.old_names import take_old_names
from eftvideo.config.refine import RefineConfig
from eftvideo.config.track import TrackConfig
from eftvideo.config.values import Positive, Range


@take_old_names
@dataclass(frozen=True)
class RunConfig:
    """Everything that `eftvideo run` can be told. Goes into the result as JSON."""

    clip: ClipConfig = field(default_factory=ClipConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    keypoints: KeypointConfig = field(default_factory=KeypointConfig)
    track: TrackConfig = field(default_factory=TrackConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    draw: DrawConfig = field(default_factory=DrawConfig)
    regressor: str = "lifter"
    """Name of a regressor, or of a Python module with one (docs/regressors.md)."""
    regressor_weights: str | None = None
    """Path of other weights, or the name of published ones; None: the regressor's own."""
    weights_camera: str | None = None
    """What the camera of published weights means, "spin" or "eft"; None: by the file's name."""
    body: str | None = None
    """Path of a body model file; None: the free body that is shipped."""
    focal_length_px: Positive | None = None
    """Of the whole picture."""
    fov_deg: Annotated[float, Range(above=0, below=180)] | None = None
    """Horizontal field of view; used if focal_length_px is None. Neither: sqrt(W^2 + H^2)."""
    device: str = "auto"
    """auto (CUDA if there is one), cpu, cuda, cuda:1."""

    def __post_init__(self) -> None:
        check(self)

    @property
    def wants_masks(self) -> bool:
        """Whether the landmark network is to make masks."""
        return self.detect.landmarks.masks or self.draw.behind

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as they come back from JSON."""
        return json.loads(json.dumps(asdict(self)))

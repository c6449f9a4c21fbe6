"""A toy of a configuration with every kind of field, and trees that any test may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal, Optional

from eftvideo.config import PUBLISHED_EFT, FitConfig, RunConfig
from eftvideo.config.dotted import check, set_values
from eftvideo.config.values import Count, NotNegative, Positive, Range, Share
from eftvideo.errors import ConfigError


@dataclass(frozen=True)
class Eft:
    """Fine-tuning."""

    num_steps: Count = 30
    """Steps at most."""
    tune: str | None = None
    rate: Positive | None = 0.5
    """The rate; None:
    the regressor's own."""
    gate: Annotated[float, Range(1, below=3)] = 1.0


@dataclass(frozen=True)
class Fit:
    """How bodies are fitted."""

    eft: Eft = field(default_factory=Eft)
    enabled: bool = True
    method: Literal["eft", "smplify", "regress"] = "eft"
    """Which way."""
    limit: float = math.inf
    levels: Literal[1, 2, 4] = 2


@dataclass(frozen=True)
class Smooth:
    strength: NotNegative = 1.0
    windows_s: tuple[Positive, ...] = (0.1, 0.25)
    views: tuple[Literal["front", "side", "top"], ...] = ()
    span: tuple[float, float] = (0.0, 1.0)
    ids: Optional[tuple[int, ...]] = None  # noqa: UP045  both spellings are understood


@dataclass(frozen=True)
class Toy:
    """A toy of a configuration, whose summary is longer than a line of a file may be, so that it is
    wrapped."""

    start_s: float = 0.0
    """First second."""
    end_s: float | None = None
    """Last second."""
    name: str = "toy"
    stride: int = 1
    opacity: Share = 0.85
    fit: Fit = field(default_factory=Fit)
    """Fields of groups are documented too."""
    smooth: Smooth = field(default_factory=Smooth)
    made: int = field(default=7, init=False)


OLD = {
    "steps": "fit.eft.num_steps",
    "fit.smooth": "smooth",
    "old.stay_weight": "fit.eft.gate",
    "fit": "fit.method",
}


@dataclass(frozen=True)
class Span:
    low: int = 0
    high: int = 1

    def __post_init__(self) -> None:
        check(self)
        if self.low > self.high:
            raise ConfigError("low must not be above high")


TREES = [
    Toy(),
    Toy(3, 4.5, 'a "quoted" \\ name\nwith\ttabs \x00\x1f\x7f\x85\u2028é😀 #', -7, 0.1),
    Toy(1e-7, 1e9, "", 10**9, 1),
    Toy(fit=Fit(Eft(1, "head", None, 2.5), False, "regress", 2.0, 4)),
    Toy(smooth=Smooth(0, (), ("top", "side", "top"), (-1.5, math.pi), ())),
    Toy(smooth=Smooth(windows_s=tuple(i / 7 + 0.1 for i in range(40)), ids=(3,))),
    Toy(fit=Fit(eft=Eft(tune=""))),
    RunConfig(),
    RunConfig(
        fit=FitConfig(eft=PUBLISHED_EFT, method="smplify", warm_start=False),
        fov_deg=60.0,
        body="a b.pkl",
    ),
    set_values(
        RunConfig(),
        ["fit.eft.max_people=none", "track.track_ids=1,2", "fit.context.near_s="],
    ),
    set_values(RunConfig(), ["detect.batch_size=4", "clip.end_s=9", "detect.second_look.whom=all"]),
]

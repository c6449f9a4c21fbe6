"""The options of `eftvideo run`: names, panels and help texts, each with its default in brackets.

The defaults are those of `config.py`; `DEFAULT` holds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eftvideo.config import (
    PUBLISHED_EFT,
    DrawMode,
    EftConfig,
    Method,
    RunConfig,
    SecondLook,
    Shape,
    Tracker,
)
from eftvideo.config.fit import SmplifyInit

DEFAULT = RunConfig()
RecipeName = Literal["ours", "published"]
RECIPES: dict[str, EftConfig] = {"ours": DEFAULT.eft, "published": PUBLISHED_EFT}

RUN_HELP = """
Fit SMPL to every person in every frame; write CLIP.npz and CLIP_overlay.mp4.

\b
[bold]Examples[/bold]
  eftvideo run clip.mp4                        all of it, into ./out
  eftvideo run *.mp4 -o results --no-overlay   several clips, npz only
  eftvideo run clip.mp4 --start 3 --end 8      five seconds of it
  eftvideo run clip.mp4 --track-id 2           only the person with id 2
  eftvideo run clip.mp4 --fov-deg 60           a camera that you know
  eftvideo run clip.mp4 --body SMPL_NEUTRAL.pkl
"""

_RUNNING, _FRAMES, _PEOPLE = "Running", "Which frames", "Finding people"
_FITTING, _BODY, _OVERLAY = "Fitting", "Body and camera", "Overlay video"


def _option(panel: str, text: str, default: object, metavar: str, *names: str) -> Any:
    return typer.Option(
        *names,
        metavar=metavar,
        rich_help_panel=panel,
        help=f"{text} ({default}).",
        show_default=False,
    )


def _flag(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar="", rich_help_panel=panel, help=text, show_default=False)


Clips = Annotated[list[Path], typer.Argument(help="Video files.", metavar="CLIP")]
Out = Annotated[Path, _option(_RUNNING, "Results go here", "out", "DIR", "-o", "--out")]
Device = Annotated[
    str, _option(_RUNNING, "auto, cpu, cuda or cuda:1", DEFAULT.device, "NAME", "--device")
]
Quiet = Annotated[bool, _flag(_RUNNING, "Print errors only.", "-q", "--quiet")]
Verbose = Annotated[bool, _flag(_RUNNING, "Print what is being done.", "-v", "--verbose")]

Start = Annotated[
    float, _option(_FRAMES, "Begin at this time", f"{DEFAULT.clip.start_s:g}", "SECONDS", "--start")
]
End = Annotated[
    float | None, _option(_FRAMES, "Stop before this time", "the end", "SECONDS", "--end")
]
Stride = Annotated[
    int, _option(_FRAMES, "Use every n-th frame", DEFAULT.clip.stride, "N", "--stride")
]

MaxPeople = Annotated[
    int | None, _option(_PEOPLE, "Keep the n largest people", "all", "N", "--max-people")
]
TrackIds = Annotated[
    list[int] | None,
    _option(_PEOPLE, "Keep this person; repeat for more", "all", "ID", "--track-id"),
]
Detector = Annotated[
    str,
    _option(
        _PEOPLE,
        "ultralytics pose model, a name or a path; names that are not in the package are "
        "downloaded",
        DEFAULT.detect.model,
        "MODEL",
        "--detector",
    ),
]
TrackerName = Annotated[
    Tracker,
    _option(_PEOPLE, "bytetrack or botsort", DEFAULT.detect.tracker, "NAME", "--tracker"),
]
SecondLookName = Annotated[
    SecondLook,
    _option(
        _PEOPLE,
        "Detect again, turned upright and large: people who are leaning, all, or off",
        DEFAULT.detect.second_look,
        "WHOM",
        "--second-look",
    ),
]

MethodName = Annotated[
    Method,
    _option(
        _FITTING,
        "eft: tune the network to each frame; smplify: fit the body itself, the baseline; "
        "regress: only ask the network",
        DEFAULT.method,
        "NAME",
        "--method",
    ),
]
Steps = Annotated[
    int,
    _option(
        _FITTING, "EFT steps at most, per person and frame", DEFAULT.eft.num_steps, "N", "--steps"
    ),
]
NoWarmStart = Annotated[
    bool, _flag(_FITTING, "Start every frame from the base weights.", "--no-warm-start")
]
SmplifyPrior = Annotated[
    bool,
    _flag(
        _FITTING,
        f"smplify: with or without the pose prior ({'with' if DEFAULT.smplify.prior else 'without'}"
        ").",
        "--smplify-prior/--no-smplify-prior",
    ),
]
SmplifyStart = Annotated[
    SmplifyInit,
    _option(
        _FITTING,
        "smplify: begin at the regressor (its answer) or the mean (pose)",
        DEFAULT.smplify.init,
        "NAME",
        "--smplify-init",
    ),
]
ShapeName = Annotated[
    Shape,
    _option(
        _FITTING,
        "per-track: each person has one shape (betas); per-frame: it may change",
        DEFAULT.shape,
        "NAME",
        "--shape",
    ),
]
Smooth = Annotated[
    float,
    _option(
        _FITTING,
        "How strongly tracks are smoothed; 0.5 half as long windows, 2 twice",
        DEFAULT.smooth.strength,
        "FACTOR",
        "--smooth",
    ),
]
NoSmooth = Annotated[bool, _flag(_FITTING, "Leave the frames as they were fitted.", "--no-smooth")]
FillGaps = Annotated[
    bool,
    _flag(
        _FITTING,
        f"Fill gaps of up to {DEFAULT.smooth.max_gap_s:g} s in a track (yes).",
        "--fill-gaps/--no-fill-gaps",
    ),
]
Regressor = Annotated[
    str,
    _option(
        _FITTING,
        "Network to tune: lifter; hmr or hmr2, which see pixels; or a module of yours, my.network",
        DEFAULT.regressor,
        "NAME",
        "--regressor",
    ),
]
Weights = Annotated[
    str | None,
    _option(
        _FITTING,
        "Its weights: a file, or a name of `eftvideo weights fetch`",
        "its own",
        "FILE",
        "--weights",
    ),
]
WeightsCamera = Annotated[
    str | None,
    _option(
        _FITTING,
        "hmr: what the camera of published weights means, spin or eft",
        "by the file's name",
        "NAME",
        "--weights-camera",
    ),
]
Tune = Annotated[
    str | None,
    _option(
        _FITTING,
        "EFT: weights to tune; lifter: head, norm+bias, late, last, all; hmr: layer4+head, "
        "neck+head, head, all; hmr2: norm+bias, readout, head, blocks+head, all",
        "the regressor's choice",
        "WHICH",
        "--tune",
    ),
]
Recipe = Annotated[
    RecipeName,
    _option(
        _FITTING,
        "EFT: ours, or as published: all weights, cold, 20 steps, nothing rejected",
        "ours",
        "NAME",
        "--recipe",
    ),
]

Body = Annotated[
    str | None,
    _option(
        _BODY,
        "Your SMPL file, or 'smpl' for an imported one",
        "the free body that is shipped",
        "FILE",
        "--body",
    ),
]
FocalPx = Annotated[
    float | None, _option(_BODY, "Focal length in px", "sqrt(W^2 + H^2)", "PX", "--focal-px")
]
FovDeg = Annotated[
    float | None,
    _option(_BODY, "Instead: horizontal field of view", "none", "DEGREES", "--fov-deg"),
]

NoOverlay = Annotated[bool, _flag(_OVERLAY, "Write no overlay video.", "--no-overlay")]
Report = Annotated[bool, _flag(_OVERLAY, "Write CLIP_report.html too.", "--report")]
Draw = Annotated[
    DrawMode, _option(_OVERLAY, "mesh, skeleton or both", DEFAULT.render.mode, "WHAT", "--draw")
]

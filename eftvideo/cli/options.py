"""The options of `eftvideo run`: names, panels and help texts, each with its default in brackets.

Whatever else a run can be told is a setting: `--set NAME=VALUE`, listed by `eftvideo config`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eftvideo.config import RunConfig
from eftvideo.config.dotted import leaves
from eftvideo.config.presets import PRESETS

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
  eftvideo run clip.mp4 --set refine.smooth.strength=0.5
"""

FIELDS = {
    "--device": "device",
    "--start": "clip.start_s",
    "--end": "clip.end_s",
    "--stride": "clip.stride",
    "--max-people": "track.max_people",
    "--track-id": "track.track_ids",
    "--detector": "detect.model",
    "--landmarks": "detect.landmarks.network",
    "--method": "fit.method",
    "--regressor": "regressor",
    "--weights": "regressor_weights",
    "--body": "body",
    "--focal-px": "focal_length_px",
    "--fov-deg": "fov_deg",
    "--no-overlay": "draw.enabled",
    "--draw": "draw.mode",
    "--behind": "draw.behind",
    "--report": "draw.report",
}
"""The settings that have an option of their own."""
_FLAGS = {"--no-overlay": "no", "--behind": "yes", "--report": "yes"}
"""What the options say that take no value."""
_USUAL = {name: leaf.value for name, leaf in leaves(RunConfig()).items()}

_RUNNING, _FRAMES, _PEOPLE = "Running", "Which frames", "Finding people"
_FITTING, _BODY, _OVERLAY = "Fitting", "Body and camera", "Overlay video"
_SETTINGS = "Everything else"


def given(ctx: typer.Context) -> dict[str, str]:
    """The options of FIELDS that somebody typed, with their values as typed."""
    found: dict[str, str] = {}
    for parameter in ctx.command.params:
        name = next((n for n in parameter.opts if n in FIELDS), None)
        value = ctx.params.get(parameter.name or "")
        if name is None or value in (None, False, [], ()):
            continue
        found[name] = _FLAGS.get(name) or (value if isinstance(value, str) else ",".join(value))
    return found


def _option(panel: str, text: str, metavar: str, *names: str, default: str = "") -> Any:
    """An option; its default is the field's, or in words."""
    if not default and names[-1] in FIELDS:
        value = _USUAL[FIELDS[names[-1]]]
        default = f"{value:g}" if isinstance(value, float) else str(value)
    return typer.Option(
        *names,
        metavar=metavar,
        rich_help_panel=panel,
        help=f"{text} ({default})." if default else f"{text}.",
        show_default=False,
    )


def _flag(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar="", rich_help_panel=panel, help=text, show_default=False)


Clips = Annotated[list[Path], typer.Argument(help="Video files.", metavar="CLIP")]
Out = Annotated[Path, _option(_RUNNING, "Results go here", "DIR", "-o", "--out", default="out")]
Device = Annotated[str | None, _option(_RUNNING, "auto, cpu, cuda or cuda:1", "NAME", "--device")]
Quiet = Annotated[bool, _flag(_RUNNING, "Print errors only.", "-q", "--quiet")]
Verbose = Annotated[bool, _flag(_RUNNING, "Print what is being done.", "-v", "--verbose")]

Start = Annotated[str | None, _option(_FRAMES, "Begin at this time", "SECONDS", "--start")]
End = Annotated[
    str | None, _option(_FRAMES, "Stop before this time", "SECONDS", "--end", default="the end")
]
Stride = Annotated[str | None, _option(_FRAMES, "Use every n-th frame", "N", "--stride")]

MaxPeople = Annotated[
    str | None, _option(_PEOPLE, "Keep the n largest people", "N", "--max-people", default="all")
]
TrackIds = Annotated[
    list[str] | None,
    _option(_PEOPLE, "Keep this person; repeat for more", "ID", "--track-id", default="all"),
]
Detector = Annotated[
    str | None,
    _option(
        _PEOPLE,
        "ultralytics pose model, a name or a path; names that are not in the package are "
        "downloaded",
        "MODEL",
        "--detector",
    ),
]
Landmarks = Annotated[
    str | None,
    _option(
        _PEOPLE,
        "Network that looks at every person for joints, hands and feet: heavy; full, which takes a "
        "third of the time; or off",
        "NAME",
        "--landmarks",
    ),
]

Method = Annotated[
    str | None,
    _option(
        _FITTING,
        "eft: tune the network to each frame; smplify: fit the body itself, the baseline; "
        "regress: only ask the network",
        "NAME",
        "--method",
    ),
]
Regressor = Annotated[
    str | None,
    _option(
        _FITTING,
        "Network to tune: lifter; hmr or hmr2, which see pixels; or a module of yours, my.network",
        "NAME",
        "--regressor",
    ),
]
Weights = Annotated[
    str | None,
    _option(
        _FITTING,
        "Its weights: a file, or a name of `eftvideo weights fetch`",
        "FILE",
        "--weights",
        default="its own",
    ),
]

Body = Annotated[
    str | None,
    _option(
        _BODY,
        "Your SMPL file, or 'smpl' for an imported one",
        "FILE",
        "--body",
        default="the free body that is shipped",
    ),
]
FocalPx = Annotated[
    str | None,
    _option(_BODY, "Focal length in px", "PX", "--focal-px", default="sqrt(W^2 + H^2)"),
]
FovDeg = Annotated[
    str | None,
    _option(_BODY, "Instead: horizontal field of view", "DEGREES", "--fov-deg", default="none"),
]

NoOverlay = Annotated[bool, _flag(_OVERLAY, "Write no overlay video.", "--no-overlay")]
Draw = Annotated[str | None, _option(_OVERLAY, "mesh, skeleton or both", "WHAT", "--draw")]
Behind = Annotated[
    bool,
    _flag(_OVERLAY, "Bodies go behind people who stand in front of them.", "--behind"),
]
Report = Annotated[bool, _flag(_OVERLAY, "Write CLIP_report.html too.", "--report")]

Preset = Annotated[
    str | None,
    _option(
        _SETTINGS,
        f"Settings that go together: {', '.join(PRESETS)}",
        "NAME",
        "--preset",
        default="default",
    ),
]
ConfigFile = Annotated[
    Path | None,
    _option(
        _SETTINGS,
        "Settings from a TOML file such as `eftvideo config` writes",
        "FILE",
        "--config",
        default="none",
    ),
]
Settings = Annotated[
    list[str] | None,
    _option(
        _SETTINGS,
        "Set anything, such as fit.eft.num_steps=20; repeat for more. `eftvideo config` lists all",
        "NAME=VALUE",
        "--set",
    ),
]

"""`eftvideo export`: options, one call, a line for each file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from eftvideo.cli.screen import one_line_errors, output
from eftvideo.config.export import ExportConfig

if TYPE_CHECKING:
    from eftvideo.exporters._export import ExportedFile

_HELP = """
Write a result in the format of another program.

\b
[bold]Formats[/bold]
  amass      one npz a person: aitviewer, SMPL add-ons of Blender
  glb        skinned, animated bodies and the camera, for most 3D programs
  bvh        one skeleton a person: Blender, Maya, MotionBuilder, ...
  json       everything, plain
  eft-json   the format of EFT's fits

\b
[bold]Examples[/bold]
  eftvideo export out/clip.npz --to glb            everybody in out/clip.glb
  eftvideo export out/clip.npz --to bvh -o folder  one file a person
  eftvideo export out/clip.npz --to amass --track-id 2 --fps 60
"""
_To = Annotated[
    str, typer.Option("--to", metavar="FORMAT", help="amass, glb, bvh, json or eft-json.")
]
_Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        metavar="PATH",
        show_default=False,
        help="File, or folder (that of the result).",
    ),
]
_Ids = Annotated[
    list[int] | None,
    typer.Option(
        metavar="ID", show_default=False, help="Only this person; repeat for more (everybody)."
    ),
]
_Up = Annotated[
    Literal["y", "z"] | None,
    typer.Option(
        metavar="AXIS",
        show_default=False,
        help="y or z (amass z; glb, bvh y; json the camera's axes).",
    ),
]
_Fps = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        show_default=False,
        help="Samples per second (amass a multiple of 30, bvh the clip's; else the frames' times).",
    ),
]
_Body = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", show_default=False, help="The run's body, if it is elsewhere now."
    ),
]
_Mean = Annotated[
    bool,
    typer.Option("--mean-shape", help="amass: betas of zero, for a body other than the run's."),
]
_Metres = Annotated[bool, typer.Option("--metres", help="bvh: metres, not centimetres.")]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command("export", help=_HELP)
    def export(
        result: Annotated[Path, typer.Argument(metavar="RESULT", help="npz of `eftvideo run`.")],
        to: _To,
        out: _Out = None,
        track_id: _Ids = None,
        up: _Up = None,
        fps: _Fps = None,
        body: _Body = None,
        mean_shape: _Mean = False,
        metres: _Metres = False,
    ) -> None:
        """Writes one format."""
        with one_line_errors():
            from eftvideo.cli import console
            from eftvideo.exporters._export import export_result

            console.set_up_logging(Console(stderr=True), quiet=False, verbose=False)
            cfg = ExportConfig(tuple(track_id or ()), up, fps, mean_shape, metres)
            written = export_result(result, to, out, cfg, body=body)
            for file in written:
                output.print(f"wrote {escape(_line(file))}")


def _line(file: ExportedFile) -> str:
    people = ", ".join(map(str, file.track_ids))
    who = f"person {people}" if len(file.track_ids) == 1 else f"persons {people}"
    when = "frames' own times" if file.fps is None else f"{file.fps:g} a second"
    start_s = round(file.start_s, 3) + 0.0  # no minus zero
    return f"{file.path}: {who}; {file.num_samples} samples, {when}, from {start_s:.3f} s on"

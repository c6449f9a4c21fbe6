"""`eftvideo render`: options to a configuration, one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from eftvideo.cli.screen import errors, one_line_errors, output
from eftvideo.config import OutputKind, RerenderConfig
from eftvideo.errors import ConfigError

_D = RerenderConfig()
_HELP = """
Draw a finished result again, without fitting; write CLIP_render.mp4.

\b
[bold]Examples[/bold]
  eftvideo render clip.npz --video clip.mp4                  the run's overlay
  eftvideo render clip.npz --video clip.mp4 --views overlay,side,top,front
  eftvideo render clip.npz --video clip.mp4 --draw mesh,trails,error
  eftvideo render clip.npz --video clip.mp4 --views turntable --gif
  eftvideo render clip.npz --video clip.mp4 --frames 10,50 --png
"""

Video = Annotated[
    Path, typer.Option("--video", metavar="CLIP", help="The video that the result was made from.")
]
Body = Annotated[
    str | None,
    typer.Option(
        "--body",
        metavar="FILE",
        help="Your SMPL file, if the run used one that was moved since.",
        show_default=False,
    ),
]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def frame_numbers(text: str) -> tuple[int, ...]:
    """ "10,50" to numbers.

    Raises:
        ConfigError: something else stands between the commas.
    """
    try:
        return tuple(int(word) for word in _words(text))
    except ValueError as e:
        raise ConfigError(f"--frames takes numbers like 10,50, but got {text!r}") from e


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @app.command(help=_HELP)
    def render(
        result: Annotated[Path, typer.Argument(metavar="RESULT", help="npz of a run.")],
        video: Video,
        out: Annotated[
            Path, typer.Option("-o", "--out", metavar="DIR", help="What is drawn goes here.")
        ] = Path("out"),
        views: Annotated[
            str,
            typer.Option(metavar="NAMES", help="A grid of: overlay, side, top, front, turntable."),
        ] = ",".join(_D.views),
        draw: Annotated[
            str,
            typer.Option(
                metavar="NAMES",
                help="Of each person: mesh, wireframe, skeleton (as detected), bones (as fitted), "
                "trails, error (as drawn by the run).",
                show_default=False,
            ),
        ] = "",
        behind: Annotated[
            bool,
            typer.Option(
                "--behind",
                help="Bodies go behind people who stand in front of them, in the overlay.",
            ),
        ] = False,
        plain: Annotated[
            bool, typer.Option("--plain", help="On plain ground in the place of the clip.")
        ] = _D.plain,
        track_id: Annotated[
            list[int] | None,
            typer.Option(metavar="ID", help="Only this person; repeat for more (all)."),
        ] = None,
        png: Annotated[
            bool, typer.Option("--png", help="Pictures CLIP_000010.png in place of a video.")
        ] = False,
        frames: Annotated[
            str,
            typer.Option(
                metavar="NUMBERS", help="With --png: only these, such as 10,50.", show_default=False
            ),
        ] = "",
        gif: Annotated[bool, typer.Option("--gif", help="CLIP_render.gif, no mp4.")] = False,
        turn: Annotated[
            float, typer.Option(metavar="SECONDS", help="The turntable goes round in this time.")
        ] = _D.turn_s,
        trail: Annotated[
            float, typer.Option(metavar="SECONDS", help="Trails show this much of the past.")
        ] = _D.trail_s,
        body: Body = None,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
    ) -> None:
        """Draws and says what was written."""
        with one_line_errors():
            if png and gif:
                raise ConfigError("give --png or --gif, not both")
            kind: OutputKind = "png" if png else "gif" if gif else "mp4"
            cfg = RerenderConfig(
                views=_words(views),
                draw=_words(draw),
                behind=behind or None,
                plain=plain,
                track_ids=tuple(track_id or ()),
                frames=frame_numbers(frames),
                output=kind,
                turn_s=turn,
                trail_s=trail,
            )
            from eftvideo.cli import console
            from eftvideo.draw.result import render_result
            from eftvideo.results.result_file import load_result

            console.set_up_logging(errors, quiet=quiet, verbose=False)
            paths = render_result(
                load_result(result),
                video,
                out,
                cfg,
                body=body,
                progress=console.make_progress(errors, output, result.name, quiet=quiet),
            )
            for path in [] if quiet else paths:
                output.print(f"wrote {escape(str(path))}")

"""`eftvideo report`: a finished run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from eftvideo.cli.render import Body, Video
from eftvideo.cli.screen import errors, one_line_errors, output

_HELP = """
One HTML file about a finished result: tracks, errors, steps, rejected fits, settings, pictures.

`eftvideo run --report` writes it at once, with the speed of each stage.
"""


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @app.command(help=_HELP)
    def report(
        result: Annotated[Path, typer.Argument(metavar="RESULT", help="npz of a run.")],
        video: Video,
        out: Annotated[
            Path, typer.Option("-o", "--out", metavar="DIR", help="CLIP_report.html goes here.")
        ] = Path("out"),
        body: Body = None,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
    ) -> None:
        """Writes the report and says where it is."""
        with one_line_errors():
            from eftvideo.cli import console
            from eftvideo.report.write import write_report
            from eftvideo.results.result_file import load_result

            console.set_up_logging(errors, quiet=quiet, verbose=False)
            progress = console.make_progress(errors, output, result.name, quiet=quiet)
            path = write_report(load_result(result), video, out, body=body, progress=progress)
            if not quiet:
                output.print(f"wrote {escape(str(path))}")

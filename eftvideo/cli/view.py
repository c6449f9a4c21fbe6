"""`eftvideo view`: a result in the browser, served until Ctrl-C."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from eftvideo.cli.render import Body
from eftvideo.cli.screen import errors, one_line_errors, output
from eftvideo.errors import ConfigError

_HELP = """
Look at a result in the browser: bodies in 3D, camera, timeline (pip install 'eftvideo\\[view]').

Only this machine can reach the page unless you give another --host; there is no password.
"""
_LOOPBACK = "127.0.0.1"


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @app.command(help=_HELP)
    def view(
        result: Annotated[Path, typer.Argument(metavar="RESULT", help="npz of a run.")],
        video: Annotated[
            Path | None,
            typer.Option("--video", metavar="CLIP", help="Its video, for the camera's picture."),
        ] = None,
        host: Annotated[
            str, typer.Option(metavar="ADDRESS", help="0.0.0.0: everybody on the network.")
        ] = _LOOPBACK,
        port: Annotated[
            int, typer.Option(metavar="N", help="The next free one if it is taken.")
        ] = 8080,
        show: Annotated[bool, typer.Option("--open", help="Open the browser too.")] = False,
        body: Body = None,
    ) -> None:
        """Says where the page is, and serves it."""
        with one_line_errors():
            if not 0 < port < 65536:
                raise ConfigError(f"--port must be 1 to 65535, but got {port}")
            from eftvideo.cli import console
            from eftvideo.results.result_file import load_result
            from eftvideo.viewer.server import Viewer

            console.set_up_logging(errors, quiet=False, verbose=False)
            with (
                Viewer(load_result(result), video, body=body, host=host, port=port) as viewer,
                contextlib.suppress(KeyboardInterrupt),
            ):
                output.print(f"{viewer.url} shows {result.name}; Ctrl-C ends it", markup=False)
                if show:
                    typer.launch(viewer.url)
                viewer.wait()

"""`eftvideo weights fetch`: published checkpoints by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from eftvideo.cli.screen import one_line_errors, output

_HELP = """
Download a published checkpoint, for --weights NAME; without a name, list them.

It goes on where it broke off. The sha256 is recorded, and checked whenever the file is used. Each
file has a licence of its own, which is printed: most are for research only.
"""


def register(app: typer.Typer) -> None:
    """Put the command onto `eftvideo weights`."""

    @app.command("fetch", help=_HELP)
    def weights_fetch(
        name: Annotated[str | None, typer.Argument(metavar="NAME", help="As in the list.")] = None,
        out: Annotated[
            Path | None,
            typer.Option("-o", "--out", metavar="DIR", help="Folder; default: where it is found."),
        ] = None,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
    ) -> None:
        with one_line_errors():
            from eftvideo.cli.doctor import published_weights
            from eftvideo.errors import ConfigError

            known = published_weights()
            if name is None:
                for key, spec in known.items():
                    output.print(f"[bold]{key}[/bold]: {escape(spec.origin)}")
                    output.print(f"    licence {escape(spec.licence)}; {escape(spec.url or '')}")
                return
            if name not in known:
                raise ConfigError(f"unknown weights {name!r}: choose one of {', '.join(known)}")
            _fetch(name, out, quiet)

    def _fetch(name: str, out: Path | None, quiet: bool) -> None:
        from eftvideo.cli.doctor import published_weights
        from eftvideo.weights.download import fetch

        spec = published_weights()[name]
        say = (lambda text: None) if quiet else output.print
        say(f"{escape(spec.origin)}\n{escape(str(spec.download))}")
        say(f"licence: {escape(spec.licence)}")
        columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=output, disable=quiet, transient=True) as bar:
            task = bar.add_task("", total=None)
            done = fetch(spec, out, lambda now, total: bar.update(task, completed=now, total=total))
        verb = "is there already" if done.was_there else "fetched"
        say(f"{escape(str(done.path))} {verb}: {done.num_bytes / 1e6:.1f} MB, sha256 {done.sha256}")

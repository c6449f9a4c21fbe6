"""Where the commands write, and how they end: two consoles, exit codes, errors on one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from eftvideo import plugins
from eftvideo.errors import EftVideoError

EXIT_SOME_FAILED, EXIT_USER_ERROR, EXIT_INTERRUPTED = 1, 2, 130

errors = Console(stderr=True, soft_wrap=True, highlight=False)
output = Console(soft_wrap=True, highlight=False)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors that a user can mend become one line and exit code 2."""
    try:
        yield
    except EftVideoError as e:
        errors.print(f"[red]error:[/red] {escape(' '.join(str(e).split()))}")
        raise typer.Exit(EXIT_USER_ERROR) from e
    except ImportError as e:
        if (e.name or "").startswith("eftvideo"):
            raise
        errors.print(f"[red]error:[/red] {escape(str(plugins.missing('eftvideo', e)))}")
        raise typer.Exit(EXIT_USER_ERROR) from e
    except KeyboardInterrupt as e:
        errors.print("interrupted: nothing unfinished was kept")
        raise typer.Exit(EXIT_INTERRUPTED) from e

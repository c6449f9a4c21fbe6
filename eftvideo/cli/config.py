"""`eftvideo config`: every setting, its value and what it means."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from eftvideo.cli import options
from eftvideo.cli.old_options import OneLineCommand
from eftvideo.cli.screen import one_line_errors
from eftvideo.cli.settings import settled
from eftvideo.config import RunConfig
from eftvideo.config.docs import describe, docs_of
from eftvideo.config.dotted import find_leaf, leaves
from eftvideo.config.files import to_toml
from eftvideo.config.old_names import OLD_NAMES

_HELP = """
Print every setting with its value and what it means, as TOML that `run --config` reads.

\b
[bold]Examples[/bold]
  eftvideo config > mine.toml        all of them; keep of it what you change
  eftvideo config fit.eft            those of one group
  eftvideo config fit.eft.num_steps  one
  eftvideo config gap                those with a word in their names
  eftvideo config --preset best      as a preset has them
"""
_WIDTH = 80
_INDENT = "    "


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @app.command(cls=OneLineCommand, help=_HELP)
    def config(
        name: Annotated[
            str | None,
            typer.Argument(metavar="NAME", help="A setting, a group, or a word in their names."),
        ] = None,
        preset: options.Preset = None,
        file: options.ConfigFile = None,
        settings: options.Settings = None,
    ) -> None:
        """Prints all of them, or those of a name."""
        with one_line_errors():
            cfg = settled(preset, file, {}, settings or ())
            if name is None:
                text = to_toml(cfg)
            else:
                text = "\n".join(_described(cfg, matching(name, cfg))) + "\n"
        typer.echo(text, nl=False)


def matching(name: str, cfg: RunConfig) -> list[str]:
    """The settings that a name means: itself, those of a group, those with the word in their names.

    Args:
        name: Dotted, whole or the end of one; or a word. A group of that name comes before longer
            words that hold it.
        cfg: Where they are looked for.

    Raises:
        ConfigError: There is none, or it has another name now; says which was meant.
    """
    known = leaves(cfg)
    word = name.strip().lower().replace("-", "_")
    whole = [full for full in known if f".{word}." in f".{full}."]
    held = [full for full in known if word and "." not in word and word in full]
    return [word] if word in known else whole or held or [find_leaf(name, known, OLD_NAMES).name]


def _described(cfg: RunConfig, names: Iterable[str]) -> Iterator[str]:
    """Lines: of each group what it is, of each setting `name=value` and its documentation."""
    rows = {row.name: row for row in describe(cfg)}
    usual = {row.name: row.default for row in describe(RunConfig())}
    owners = {name: leaf.owner for name, leaf in leaves(cfg).items()}
    group = None
    for name in names:
        row = rows[name]
        if name.rpartition(".")[0] != group:
            yield from [] if group is None else [""]
            group = name.rpartition(".")[0]
            if group:
                yield from _wrapped(f"{group}: {docs_of(owners[name]).summary}", "# ")
        changed = "" if row.default == usual[name] else f"  (default: {usual[name] or 'empty'})"
        yield f"{name}={row.default}{changed}"
        yield from _wrapped(f"{row.doc} {row.type[:1].upper()}{row.type[1:]}.", _INDENT)


def _wrapped(text: str, before: str) -> list[str]:
    return textwrap.wrap(
        text.strip(),
        _WIDTH,
        initial_indent=before,
        subsequent_indent=before,
        break_on_hyphens=False,
    )

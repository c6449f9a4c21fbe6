"""Options of `eftvideo run` that are settings now: what to type instead, said on one line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from eftvideo.cli.screen import one_line_errors
from eftvideo.errors import ConfigError

_FLAGS = {
    "--no-warm-start": "--set fit.warm_start=no",
    "--smplify-prior": "--set fit.smplify.prior=yes",
    "--no-smplify-prior": "--set fit.smplify.prior=no",
    "--no-smooth": "--set refine.smooth.enabled=no",
    "--fill-gaps": "--set refine.gaps.enabled=yes",
    "--no-fill-gaps": "--set refine.gaps.enabled=no",
}
_WITH_VALUE = {
    "--tracker": "--set detect.tracker={}",
    "--second-look": "--set detect.second_look.whom={}",
    "--steps": "--set fit.eft.num_steps={}",
    "--smplify-init": "--set fit.smplify.init={}",
    "--shape": "--set fit.shape.enabled={}",
    "--smooth": "--set refine.smooth.strength={}",
    "--weights-camera": "--set weights_camera={}",
    "--tune": "--set fit.eft.tune={}",
    "--recipe": "--preset {}",
}
_OF_VALUE = {
    "--second-look off": "--set detect.second_look.enabled=no --set detect.recover.enabled=no",
    "--shape per-track": "--set fit.shape.enabled=yes",
    "--shape per-frame": "--set fit.shape.enabled=no",
    "--recipe ours": "--preset default",
}
"""Values that are called otherwise now."""
OLD_OPTIONS = (*_FLAGS, *_WITH_VALUE)
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""click's UsageError, which is in another module from some version of typer on."""


class OneLineCommand(TyperCommand):
    """A command of which a wrong call is one line too; it knows the options that went."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse them.

        Raises:
            typer.Exit: with 2, after the line was printed.
        """
        given = list(args)
        with one_line_errors():
            try:
                return super().parse_args(ctx, args)
            except _USAGE_ERROR as e:
                valued = {name for p in self.params for name in p.opts if not _is_flag(p)}
                text = "; ".join(_moved(given, valued)) or _usage(e, ctx.command_path)
                raise ConfigError(text) from None


def _moved(args: Sequence[str], valued: set[str]) -> Iterator[str]:
    """A text for each old option; the values of `valued` are no options."""
    rest = list(args[: args.index("--")] if "--" in args else args)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in _FLAGS:
            yield f"{name} is now {_FLAGS[name]}"
        elif name in _WITH_VALUE:
            if not equals:
                value = rest.pop(0) if rest and not rest[0].startswith("--") else "VALUE"
            value = " ".join(value.split())
            now = _WITH_VALUE[name].format(shlex.quote(value))
            yield f"{name} is now {_OF_VALUE.get(f'{name} {value}', now)}"
        elif word in valued:
            rest = rest[1:]


def _is_flag(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False))


def _usage(error: Any, command: str) -> str:
    text = " ".join(error.format_message().split()).rstrip(".")
    return f"{text[:1].lower()}{text[1:]}; `{command} --help` shows all"

"""What a configuration's fields are, in words: the literal after a field is its documentation.

Standard library only.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from functools import cache
from typing import NamedTuple

from eftvideo.config.dotted import leaves
from eftvideo.config.values import text_of


class Described(NamedTuple):
    """One field, for a reader."""

    name: str
    """Dotted."""
    type: str
    """`a number from 0 to 1, or none`."""
    default: str
    """As `set_values` takes it; an empty tuple and an empty text are nothing."""
    doc: str
    """On one line; may be empty."""


class Docs(NamedTuple):
    """The documentation of one dataclass, each text on one line."""

    summary: str
    fields: dict[str, str]


def describe(cfg: object) -> list[Described]:
    """Every field of a tree of dataclasses, in the order of the classes.

    Args:
        cfg: The tree; its values are the defaults.

    Raises:
        ConfigError: In the place of a group stands something else.
    """
    return [
        Described(
            leaf.name,
            leaf.kind.words(),
            text_of(leaf.value),
            docs_of(leaf.owner).fields.get(leaf.name.split(".")[-1], ""),
        )
        for leaf in leaves(cfg).values()
    ]


@cache
def docs_of(owner: type) -> Docs:
    """The documentation of a dataclass and its fields, inherited ones too.

    Empty where there is no source to read.
    """
    inherited: dict[str, str] = {}
    summary = ""
    for part in reversed(owner.__mro__):
        if dataclasses.is_dataclass(part):
            text, fields = _own_docs(part)
            summary = text or summary
            inherited |= fields
    return Docs(summary, inherited)


def _own_docs(owner: type) -> tuple[str, dict[str, str]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    except (OSError, TypeError, SyntaxError):
        return "", {}
    body = tree.body[0]
    if not isinstance(body, ast.ClassDef):
        return "", {}
    found: dict[str, str] = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = after.value if isinstance(after, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[field.target.id] = _one_line(text.value)
    return _one_line(ast.get_docstring(body) or ""), found


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""Configurations as TOML files: read with every name and value checked, written with their docs.

Standard library only (Python 3.10 lacks its reader: tomli).
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eftvideo.config.docs import docs_of
from eftvideo.config.dotted import (
    Leaf,
    Tree,
    check,
    field_kinds,
    find_leaf,
    groups_of,
    leaves,
    unfit,
    with_values,
)
from eftvideo.config.values import Kind, UnfitError, got_text, is_none_word
from eftvideo.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

_WIDTH = 100
_HEADER = (
    "A setting that is left out keeps its default. One that may be none is set to none by the text "
    '"none"; those that are none by default are commented out.'
)


def read_toml(path: str | Path, cfg: Tree, old_names: Mapping[str, str] | None = None) -> Tree:
    """A copy with the fields set that a TOML file names; a group is a table.

    Types are strict: no text for a number, but whole numbers for floats; a tuple is an array. A
    key that is left out keeps the value of `cfg`; the text "none" sets None where None may stand.

    Args:
        path: The file.
        cfg: A tree of nested frozen dataclasses.
        old_names: Names of fields or groups that moved, to their new ones, for the error.

    Raises:
        ConfigError: The file cannot be read or is no TOML, a name is unknown, or a value has the
            wrong type or is outside its range; with the file's name.
    """
    tables = _load(Path(path))
    known = leaves(cfg)
    try:
        values = {}
        for name, value in _flat(tables, known, groups_of(known)):
            leaf = find_leaf(name, known, old_names)
            values[name] = _accepted(leaf, value)
        return with_values(cfg, values)
    except ConfigError as e:
        raise ConfigError(f"{path}: {e}") from None


def to_toml(cfg: object, docs: bool = True) -> str:
    """The whole set as a TOML file; `read_toml` makes the same of it and the class's defaults.

    Args:
        cfg: A tree of nested frozen dataclasses.
        docs: Whether the documentation of groups and fields is there too, as comments.

    Raises:
        ConfigError: A field holds what it may not, or text that no file can hold.
    """
    check(cfg)
    try:
        usual = {name: leaf.value for name, leaf in leaves(type(cfg)()).items()}
    except TypeError:  # a class without a default for each field
        usual = {}
    lines = [*_comment(_HEADER), ""] if docs else []
    return "\n".join([*lines, *_table(cfg, "", usual, docs)]).strip("\n") + "\n"


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there: give the path of a TOML file") from None
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror or e}") from None
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        raise ConfigError(f"{path} is not UTF-8 text (at line {line}): save it as such") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        where = f"the end, line {text.count(chr(10)) + 1}"
        reason = " ".join(str(e).split()).replace("end of document", where)
        raise ConfigError(f"{path} is not TOML, mend it: {reason}") from None
    except (ValueError, RecursionError) as e:  # numbers of thousands of digits, deep nesting
        raise ConfigError(f"{path} is not TOML, mend it: {e}") from None


def _flat(
    tables: Mapping[str, Any], known: Mapping[str, Leaf], groups: set[str], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in known and (value or name in groups):
            yield from _flat(value, known, groups, f"{name}.")
        else:
            yield name, value


def _accepted(leaf: Leaf, value: Any) -> Any:
    if leaf.kind.optional and is_none_word(value):
        return None
    try:
        return leaf.kind.accept(tuple(value) if isinstance(value, list) else value)
    except UnfitError as e:
        raise ConfigError(f"{unfit(leaf, value, e)}{_remedy(leaf.kind, value)}") from None


def _remedy(kind: Kind, value: Any) -> str:
    if kind.many and not isinstance(value, list):
        return ": put it in brackets, [...]"
    if isinstance(value, str) and not kind.choices:
        try:
            kind.parse(value)
            return ": leave out the quotes"
        except UnfitError:
            pass
    return ""


def _table(cfg: object, name: str, usual: Mapping[str, Any], docs: bool) -> list[str]:
    """The lines of one group: its own fields, then the groups in it."""
    own = docs_of(type(cfg)) if docs else None
    prefix = f"{name}." if name else ""
    lines: list[str] = []
    groups: list[str] = []
    for field, kind in field_kinds(type(cfg)).items():
        value = getattr(cfg, field)
        if not isinstance(kind, Kind):
            about = [docs_of(type(value)).summary, own.fields.get(field, "")] if own else []
            header = [*_comment(" ".join(filter(None, about))), f"[{prefix}{field}]"]
            inside = _table(value, f"{prefix}{field}", usual, docs)
            groups += ["", *header, *inside]
            continue
        if about := _about(kind, own.fields.get(field, "")) if own else []:
            lines += ["", *about] if lines else about
        lines += _setting(field, kind, value, usual.get(f"{prefix}{field}", ...))
    if own and not name:
        lines = [*_comment(own.summary), "", *lines]
    return [*lines, *groups]


def _about(kind: Kind, doc: str) -> list[str]:
    """A field's comment: its documentation, and what may stand there if that is not plain."""
    narrow = kind.words() if kind.choices or kind.limits else ""
    narrow = narrow[:1].upper() + narrow[1:] + "." if narrow else ""
    return _comment(" ".join(filter(None, [doc, narrow])))


def _comment(text: str) -> list[str]:
    """Wrapped to the width; no text, no lines."""
    lines = textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def _setting(field: str, kind: Kind, value: Any, usual: Any) -> list[str]:
    if value is None:
        return [f'{"# " if usual is None else ""}{field} = "none"']
    if not isinstance(value, tuple):
        return [f"{field} = {_value(kind, value)}"]
    entries = [_value(kind, entry) for entry in value]
    line = f"{field} = [{', '.join(entries)}]"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{field} = [", *(f"    {entry}," for entry in entries), "]"]


def _value(kind: Kind, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"no file can hold the text {got_text(value)}: rename it") from None
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(float(value)) if kind.base is float else repr(int(value))


__all__ = ["read_toml", "to_toml"]

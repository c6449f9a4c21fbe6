"""Settings by their dotted names, `fit.eft.num_steps=20`, in any tree of frozen dataclasses.

Types and ranges are those of the fields (config_values.py). Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn, TypeVar, get_type_hints

from eftvideo.config.values import (
    Kind,
    UnfitError,
    got_text,
    is_none_word,
    kind_of,
    likeness,
    text_of,
)
from eftvideo.errors import ConfigError

Tree = TypeVar("Tree")

_SHOWN = 3
_NEAR, _AS_NEAR = 0.7, 0.1
"""Names at least this like the wrong one are suggested, if they trail the likest by no more."""
_ANOTHER = 0.5
"""Last parts of names that are less alike than this are two names."""


class Leaf(NamedTuple):
    """One field that is no group: where it stands, what it may hold, what it holds."""

    name: str
    """Dotted."""
    kind: Kind
    value: Any
    owner: type
    """The dataclass that has it."""


def set_values(
    cfg: Tree, settings: Iterable[str], old_names: Mapping[str, str] | None = None
) -> Tree:
    """A copy with some fields set; of several settings of one field the last one holds.

    Args:
        cfg: A tree of nested frozen dataclasses.
        settings: `name=value` each. A value is text as a person types it: 20, 0.5, yes, none,
            1,2,3; nothing at all is an empty tuple. Texts in a tuple cannot have commas.
        old_names: Names of fields or groups that moved, to their new ones, for the error.

    Raises:
        ConfigError: No such name, or a value of the wrong type or outside its range.
    """
    known = leaves(cfg)
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not (name and equals):
            _refuse_bare(setting, known)
        leaf = find_leaf(name, known, old_names)
        try:
            values[leaf.name] = leaf.kind.parse(text)
        except UnfitError as e:
            remedy = ": put commas between" if leaf.kind.many else ""
            raise ConfigError(f"{unfit(leaf, text, e)}{remedy}") from None
    return with_values(cfg, values)


def check(tree: object) -> None:
    """Check every type and range of a tree; a dataclass may call it in its `__post_init__`.

    Raises:
        ConfigError: A field holds what it may not; names the first such field.
    """
    for leaf in leaves(tree).values():
        try:
            leaf.kind.accept(leaf.value)
        except UnfitError as e:
            remedy = ": give None itself" if is_none_word(e.value) else ""
            raise ConfigError(f"{unfit(leaf, leaf.value, e)}{remedy}") from None


def differences(cfg: Tree, base: Tree) -> dict[str, Any]:
    """Dotted names and values of the fields in which a tree is not as `base`: what was set.

    Raises:
        TypeError: They are of two classes.
    """
    if type(cfg) is not type(base):
        raise TypeError(f"cannot compare a {type(cfg).__name__} with a {type(base).__name__}")
    usual = leaves(base)
    return {
        name: leaf.value for name, leaf in leaves(cfg).items() if leaf.value != usual[name].value
    }


def leaves(tree: object, prefix: str = "") -> dict[str, Leaf]:
    """All fields of a tree that are no groups, by dotted name, in the order of the classes.

    Args:
        tree: A tree of nested dataclasses.
        prefix: Put before each name.

    Raises:
        ConfigError: In the place of a group stands something else.
        TypeError: A field is annotated with a type that settings cannot have.
    """
    found: dict[str, Leaf] = {}
    for field, kind in field_kinds(type(tree)).items():
        name, value = f"{prefix}{field}", getattr(tree, field)
        if isinstance(kind, Kind):
            found[name] = Leaf(name, kind, value, type(tree))
        elif isinstance(value, kind):
            found |= leaves(value, f"{name}.")
        else:
            raise ConfigError(f"{name} must be of class {kind.__name__}, but got {got_text(value)}")
    return found


@cache
def field_kinds(owner: type) -> dict[str, Kind | type]:
    """What the fields of a dataclass may hold; a group's is its dataclass.

    Raises:
        TypeError: A field is annotated with a type that settings cannot have.
    """
    hints = get_type_hints(owner, include_extras=True)
    kinds: dict[str, Kind | type] = {}
    for field in dataclasses.fields(owner):
        hint = hints[field.name]
        if field.init:
            group = isinstance(hint, type) and dataclasses.is_dataclass(hint)
            kinds[field.name] = hint if group else kind_of(hint, field.default)
    return kinds


def groups_of(known: Iterable[str]) -> set[str]:
    """The names of the groups that some dotted names lie in."""
    parts = [name.split(".") for name in known]
    return {".".join(p[:end]) for p in parts for end in range(1, len(p))}


def with_values(cfg: Tree, values: Mapping[str, Any]) -> Tree:
    """A copy with fields replaced by dotted name; names and values have been checked before."""
    changes: dict[str, Any] = {}
    inside: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        first, _, rest = name.partition(".")
        if rest:
            inside.setdefault(first, {})[rest] = value
        else:
            changes[first] = value
    for group, changed in inside.items():
        changes[group] = with_values(getattr(cfg, group), changed)
    return dataclasses.replace(cfg, **changes) if changes else cfg  # type: ignore[type-var]


def find_leaf(
    name: str, known: Mapping[str, Leaf], old_names: Mapping[str, str] | None = None
) -> Leaf:
    """The field of that name.

    Args:
        name: Dotted.
        known: Those that there are.
        old_names: Names of fields or groups that moved, to their new ones, for the error.

    Raises:
        ConfigError: There is none; says which was meant, as far as one can tell.
    """
    if name in known:
        return known[name]
    groups = groups_of(known)
    if new := _new_name(name, old_names or {}, {*known, *groups}):
        raise ConfigError(f"{name} is now {new}: use that name")
    if name in groups:
        inside = [n for n in known if _in(n, name)][:_SHOWN]
        raise ConfigError(
            f"{name} is a group, not a setting: set one of its fields, such as {', '.join(inside)}"
        )
    if near := nearest(name, known):
        *others, last = near
        meant = f"{', '.join(others)} or {last}" if others else last
        raise ConfigError(f"there is no setting {got_text(name)}: did you mean {meant}?")
    group = name.rpartition(".")[0]
    if group in groups:
        inside = dict.fromkeys(n[len(group) + 1 :].split(".")[0] for n in known if _in(n, group))
        raise ConfigError(
            f"there is no setting {got_text(name)}: those in {group} are {', '.join(inside)}"
        )
    starts = dict.fromkeys(n.split(".")[0] for n in known)
    raise ConfigError(
        f"there is no setting {got_text(name)}: names begin with one of {', '.join(starts)}"
    )


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The names that somebody may have meant, the likest first.

    A name is compared as a whole and by as many last parts as were given, so that `num_step` and
    `eft.num_steps` find `fit.eft.num_steps`; less weight has the last part alone. A field whose
    own name is another is not meant, however much of its group's name is right.
    """
    given = name.split(".")
    scored: list[tuple[float, float, str]] = []
    for full in known:
        parts = full.split(".")
        whole = likeness(name, full)
        end = likeness(name, ".".join(parts[-len(given) :]))
        last = likeness(given[-1], parts[-1])
        another = last < _ANOTHER and not name.startswith(f"{full}.")
        scored.append((0.0 if another else max(whole, end, 0.9 * last), whole, full))
    scored.sort(key=lambda s: (-s[0], -s[1]))
    return [full for score, _, full in scored if score >= max(_NEAR, scored[0][0] - _AS_NEAR)][
        :_SHOWN
    ]


def unfit(leaf: Leaf, got: object, error: UnfitError) -> str:
    """The words for a value that a field may not hold: expected, and got."""
    return f"{leaf.name} must be {leaf.kind.words(error.value)}, but got {got_text(got)}"


def _in(name: str, group: str) -> bool:
    return name.startswith(f"{group}.")


def _refuse_bare(setting: str, known: Mapping[str, Leaf]) -> NoReturn:
    name = setting.strip().strip("=").strip()
    inside = [n for n in known if n == name or _in(n, name)]
    near = [*inside, *nearest(name, known), *known]
    example = f", such as {near[0]}={text_of(known[near[0]].value)}" if near else ""
    raise ConfigError(f"expected NAME=VALUE{example}, but got {got_text(setting)}")


def _new_name(name: str, old_names: Mapping[str, str], there: set[str]) -> str | None:
    """Where a field went: named itself, or its group, or by the end of its old name alone."""
    if name in old_names:
        return old_names[name]
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        group, rest = ".".join(parts[:end]), ".".join(parts[end:])
        if group in old_names and f"{old_names[group]}.{rest}" in there:
            return f"{old_names[group]}.{rest}"
    by_end = {new for old, new in old_names.items() if old.endswith(f".{name}")}
    by_end = set() if name in there else by_end
    return by_end.pop() if len(by_end) == 1 else None

"""What one field of a configuration may hold, from its annotation: type, range, words for errors.

A range is part of a field's type, so that the default stays in sight: `opacity: Share = 0.85`, or
`gate: Annotated[float, Range(1, below=3)] = 1.05`. Standard library only.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin


@dataclass(frozen=True)
class Range:
    """Limits of a number; of every entry, if it is the type of a tuple's entries."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:g} to {self.at_most:g}"
        low = "" if self.at_least is None else f"of {self.at_least:g} or more"
        low = low if self.above is None else f"above {self.above:g}"
        high = "" if self.at_most is None else f"of at most {self.at_most:g}"
        high = high if self.below is None else f"below {self.below:g}"
        return f"{low} and {high.removeprefix('of ')}" if low and high else low + high


_MOST = 1e9
"""No number means anything beyond, and its square must fit a float32."""
Count = Annotated[int, Range(1)]
Share = Annotated[float, Range(0, 1)]
Positive = Annotated[float, Range(above=0)]
NotNegative = Annotated[float, Range(0)]

_NONE = ("none", "null")
_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_TRUTH |= {"false": False, "no": False, "off": False, "0": False}
_WORDS = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
}
_LONGEST_GOT = 60


class UnfitError(ValueError):
    """A value that a field may not hold; `value` is the value, or the entry of a list."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


@dataclass(frozen=True)
class Kind:
    """An annotation, understood."""

    base: type
    """bool, int, float or str; with `choices` it says nothing."""
    choices: tuple[Any, ...] = ()
    """Those of a Literal."""
    limits: Range | None = None
    optional: bool = False
    """None may stand there."""
    many: bool = False
    """A tuple of it."""
    length: int | None = None
    """Entries of the tuple; None: any number of them."""
    infinite: bool = False
    """Infinity is a number here: the field's default is infinite."""

    def parse(self, text: str) -> Any:
        """The value that somebody typed: `20`, `yes`, `none`, `1,2,3`.

        Raises:
            UnfitError: This field cannot hold it.
        """
        if self.optional and text.lower() in _NONE:
            return None
        if not self.many:
            return self._within(self._typed(text))
        entries = [entry.strip() for entry in text.split(",")] if text else []
        return self._counted(tuple(self._within(self._typed(entry)) for entry in entries))

    def accept(self, value: object) -> Any:
        """The value as this field holds it (a whole number becomes a float), its type unchanged.

        Raises:
            UnfitError: This field cannot hold it.
        """
        if value is None and self.optional:
            return None
        if self.optional and is_none_word(value):
            raise UnfitError(value)
        if not self.many:
            return self._within(self._strict(value))
        if not isinstance(value, tuple):
            raise UnfitError(value)
        return self._counted(tuple(self._within(self._strict(entry)) for entry in value))

    def words(self, got: object = None) -> str:
        """What is expected: `a number from 0 to 1, or none`; choices nearest to `got` first."""
        if self.choices:
            near = sorted(self.choices, key=lambda c: -likeness(text_of(got), text_of(c)))
            choices = ", ".join(map(text_of, near if got is not None else self.choices))
            words = f"a list out of {choices}" if self.many else f"one of {choices}"
        else:
            words = _WORDS[self.base][self.many]
            if isinstance(got, float) and not (math.isfinite(got) or self.infinite):
                words = words.replace("number", "finite number")
            words += f" {self.limits}" if self.limits else ""
        if self.many and not self.choices:
            words = (
                f"a list of {words}" if self.length is None else f"a list of {self.length} {words}"
            )
        return f"{words}, or none" if self.optional else words

    def _typed(self, text: str) -> Any:
        if self.choices:
            named = {text_of(choice): choice for choice in self.choices}
            if text not in named:
                raise UnfitError(text)
            return named[text]
        if self.base is bool:
            if text.lower() not in _TRUTH:
                raise UnfitError(text)
            return _TRUTH[text.lower()]
        try:
            return self.base(text)
        except ValueError:
            raise UnfitError(text) from None

    def _strict(self, value: object) -> Any:
        if self.choices:
            if not any(value == c and type(value) is type(c) for c in self.choices):
                raise UnfitError(value)
            return value
        if isinstance(value, bool) != (self.base is bool):
            raise UnfitError(value)
        if self.base is float and isinstance(value, int | float):
            try:
                return float(value)
            except OverflowError:
                raise UnfitError(value) from None
        if not isinstance(value, self.base):
            raise UnfitError(value)
        return value

    def _within(self, value: Any) -> Any:
        if isinstance(value, float) and not self.choices:
            inside = math.isfinite(value) or (self.infinite and not math.isnan(value))
            if not inside:
                raise UnfitError(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and math.isfinite(value) and abs(value) > _MOST:
            raise UnfitError(value)
        if self.limits is not None and value not in self.limits:
            raise UnfitError(value)
        return value

    def _counted(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.length not in (None, len(values)):
            raise UnfitError(values)
        return values


def kind_of(hint: Any, default: object = None) -> Kind:
    """Understand a field's annotation.

    Args:
        hint: bool, int, float, str or a Literal; a tuple of one of them; each perhaps with None,
            each perhaps Annotated with a Range.
        default: The field's default; if it is infinite, infinity may be set.

    Raises:
        TypeError: It is another type: a mistake in the configuration's class.
    """
    bare, limits = _bare(hint)
    optional, many, length = False, False, None
    if get_origin(bare) in (Union, UnionType):
        others = [arg for arg in get_args(bare) if arg is not NoneType]
        if len(others) != 1:
            raise TypeError(f"a field of a configuration has one type or None, but got {hint}")
        optional = True
        bare, inner = _bare(others[0])
        limits = limits or inner
    if get_origin(bare) is tuple:
        entries = get_args(bare)
        many, length = True, None if entries[-1] is ... else len(entries)
        if len({e for e in entries if e is not ...}) != 1:
            raise TypeError(f"the entries of a field's tuple have one type, but got {hint}")
        bare, inner = _bare(entries[0])
        limits = limits or inner
    choices = get_args(bare) if get_origin(bare) is Literal else ()
    if not choices and bare not in _WORDS:
        raise TypeError(f"a field of a configuration cannot be a {hint}")
    if limits and bare not in (int, float):
        raise TypeError(f"only numbers have a range, but got {hint}")
    defaults = default if isinstance(default, tuple) else (default,)
    infinite = any(isinstance(d, float) and math.isinf(d) for d in defaults)
    return Kind(
        type(choices[0]) if choices else bare, choices, limits, optional, many, length, infinite
    )


def is_none_word(value: object) -> bool:
    """Whether it is the text that stands for None where None may stand."""
    return isinstance(value, str) and value.lower() in _NONE


def likeness(a: str, b: str) -> float:
    """How alike two names are, 0 to 1; capitals and dashes do not count."""
    a, b = (text.lower().replace("-", "_") for text in (a, b))
    return difflib.SequenceMatcher(None, a, b).ratio()


def text_of(value: object) -> str:
    """The text that `Kind.parse` takes for a value: `0.5`, `true`, `none`, `1,2,3`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(text_of, value))
    return repr(float(value)) if isinstance(value, float) else str(value)


def got_text(value: object) -> str:
    """A wrong value as an error shows it: on one line, text in quotes, not too long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, tuple | list):
        text = f"[{', '.join(map(got_text, value))}]"
    else:
        text = repr(value) if isinstance(value, str) else " ".join(text_of(value).split())
    return text if len(text) <= _LONGEST_GOT else f"{text[: _LONGEST_GOT - 3]}..."


def _bare(hint: Any) -> tuple[Any, Range | None]:
    if get_origin(hint) is not Annotated:
        return hint, None
    bare, *marks = get_args(hint)
    return bare, next((mark for mark in marks if isinstance(mark, Range)), None)

"""The check that values make of their shapes when they are made."""

from __future__ import annotations


def expect_shape(name: str, value: object, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError where a value has not this shape; None stands for any length."""
    got = tuple(value.shape)  # type: ignore[attr-defined]
    if len(got) != len(shape) or any(w is not None and w != g for w, g in zip(shape, got)):  # noqa: B905
        want = "(" + ", ".join("N" if s is None else str(s) for s in shape) + ")"
        raise ValueError(f"{name} must have shape {want}, but got {got}")

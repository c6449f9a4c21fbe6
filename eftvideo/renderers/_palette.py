"""One pleasant colour for each track, the same in every frame and every run."""

from __future__ import annotations

import colorsys

Colour = tuple[float, float, float]
"""Red, green and blue in 0..1."""

_FIRST: tuple[Colour, ...] = tuple(
    (int(h[0:2], 16) / 255, int(h[2:4], 16) / 255, int(h[4:6], 16) / 255)
    for h in (
        "6fb1e6",  # blue
        "f2955f",  # orange
        "7cc98f",  # green
        "d98cc5",  # pink
        "f0cf65",  # yellow
        "9d8fe0",  # violet
        "63c7c4",  # teal
        "e5777a",  # red
        "b6c95b",  # lime
        "c9a27e",  # sand
    )
)
_GOLDEN_RATIO = 0.61803398875


def track_colour(track_id: int) -> Colour:
    """The colour of a track, for any id.

    The first ten were chosen by eye to be told apart as lit surfaces, on bright and on dark
    pictures; from there on hues follow the golden ratio, so that neighbours differ.
    """
    place = track_id - 1
    if 0 <= place < len(_FIRST):
        return _FIRST[place]
    hue = place * _GOLDEN_RATIO % 1.0
    lightness = (0.62, 0.72, 0.54)[place % 3]
    return colorsys.hls_to_rgb(hue, lightness, 0.6)

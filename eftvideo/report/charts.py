"""Charts of a report: inline SVG that stretches with the page, its words in HTML beside it.

The drawing area of every chart is 1000 units wide and as high as told, stretched to the page's
width; words are HTML, so that they stay readable on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from eftvideo.renderers import track_colour
from eftvideo.results.result import Result
from eftvideo.types import FILLED, REJECTED

WIDTH = 1000.0
_GAP_STEPS = 1.5
"""A person not seen for longer than this many frames leaves a gap in bars and lines."""
_MAX_POINTS = 600
"""Longer lines are thinned to this: more cannot be told apart."""


def css_colour(track_id: int) -> str:
    """#rrggbb of a track, the colour of its body in the pictures."""
    return "#" + "".join(f"{round(255 * c):02x}" for c in track_colour(track_id))


class TimeAxis:
    """Times of a clip to places in a chart."""

    def __init__(self, start_s: float, end_s: float) -> None:
        self.start_s, self.end_s = start_s, max(end_s, start_s + 1e-3)

    def x(self, time_s: np.ndarray | float) -> np.ndarray:
        """0 to WIDTH."""
        span = self.end_s - self.start_s
        return WIDTH * (np.asarray(time_s, float) - self.start_s) / span

    def html(self) -> str:
        """A line of round times below a chart."""
        span = self.end_s - self.start_s
        step = next(s for s in _STEPS_S if span / s <= 6)
        first = np.ceil(self.start_s / step - 1e-9) * step
        marks = np.arange(first, self.start_s + 0.88 * span, step)  # words need room behind
        spans = [
            f'<span style="left:{float(self.x(t)) / WIDTH:.2%}">{t:g} s</span>'
            for t in marks.round(3) + 0.0  # no -0
        ]
        return f'<div class="axis">{"".join(spans)}</div>'


_STEPS_S = [n * 10.0**e for e in range(-3, 6) for n in (1, 2, 5)]


def measured(result: Result) -> Result:
    """The rows with an error: not those filled in, nor those with too few keypoints to measure."""
    return result.select((result.status != FILLED) & (result.loss_px_start > 0))


def pieces(result: Result, step_s: float) -> list[np.ndarray]:
    """Rows of one person, cut where the person was not seen."""
    cuts = np.flatnonzero(np.diff(result.time_s) > _GAP_STEPS * step_s) + 1
    return np.split(np.arange(len(result)), cuts)


def tracks_chart(result: Result, axis: TimeAxis, step_s: float) -> str:
    """A bar for each person: where there, in the colour of the body; rejected fits are marked."""
    rows = []
    for track_id in result.track_ids:
        person = result.track(track_id)
        shapes = [
            _bar(axis, person.time_s[rows_], step_s, css_colour(track_id), "bar")
            for rows_ in pieces(person, step_s)
        ]
        bad = person.select(person.status == REJECTED)
        shapes += [
            _bar(axis, bad.time_s[rows_], step_s, "var(--bad)", "bar rejected")
            for rows_ in (pieces(bad, step_s) if len(bad) else [])
        ]
        rows.append(
            f'<div class="row"><span class="name">{track_id}</span>{svg(shapes, 24.0)}</div>'
        )
    return "".join(rows) + f'<div class="row"><span class="name"></span>{axis.html()}</div>'


def _bar(axis: TimeAxis, times_s: np.ndarray, step_s: float, colour: str, name: str) -> str:
    start, end = float(times_s[0]), float(times_s[-1]) + step_s
    x, right = float(axis.x(start)), float(axis.x(end))
    words = f"{start:.2f} s to {end:.2f} s"
    return (
        f'<rect class="{name}" x="{x:.2f}" y="2" width="{max(right - x, 1.0):.2f}" height="20" '
        f'fill="{colour}"><title>{words}</title></rect>'
    )


def error_chart(person: Result, axis: TimeAxis, step_s: float, top_px: float) -> str:
    """One person's 2D error before and after the fit over time, and the steps taken below."""
    person = measured(person)
    colour, high, low = css_colour(int(person.track_id[0])), 90.0, 26.0
    most = max(1.0, float(person.num_steps.max()))
    shapes = [
        f'<line class="grid" x1="0" x2="{WIDTH:g}" y1="{y:g}" y2="{y:g}"/>' for y in (0, 45, 90)
    ]
    for rows in pieces(person, step_s):
        rows = rows[:: -(-len(rows) // _MAX_POINTS)]
        x = axis.x(person.time_s[rows])
        for name, values in (("before", person.loss_px_start), ("after", person.loss_px)):
            y = high * (1.0 - np.clip(values[rows] / top_px, 0.0, 1.0))
            shapes.append(_line(x, y, name, colour))
        y = high + 4.0 + low * (1.0 - person.num_steps[rows] / most)
        shapes.append(_steps(x, y, high + 4.0 + low, colour))
    words = (
        f'<span class="y" style="top:0">{top_px:g} px</span>'
        f'<span class="y" style="top:78px">0</span>'
        f'<span class="y" style="top:95px">{most:g} steps</span>'
    )
    return f'<div class="chart">{svg(shapes, high + low + 6.0)}{words}</div>{axis.html()}'


def _line(x: np.ndarray, y: np.ndarray, name: str, colour: str) -> str:
    if len(x) == 1:
        x, y = np.array([x[0] - 1.0, x[0] + 1.0]), np.repeat(y, 2)
    return f'<polyline class="{name}" points="{_points(x, y)}" stroke="{colour}"/>'


def _steps(x: np.ndarray, y: np.ndarray, floor: float, colour: str) -> str:
    x = np.concatenate([x[:1], x, x[-1:]])
    y = np.concatenate([[floor], y, [floor]])
    return f'<polygon class="steps" points="{_points(x, y)}" fill="{colour}"/>'


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def svg(shapes: Sequence[str], height: float) -> str:
    """A picture WIDTH by `height` units, as high in px and as wide as there is room."""
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" preserveAspectRatio="none" '
        f'style="height:{height:g}px">{"".join(shapes)}</svg>'
    )


def bars(values: dict[str, float], words: dict[str, str]) -> str:
    """Horizontal bars with a name on the left and words behind."""
    most = max(values.values(), default=1.0) or 1.0
    rows = [
        f'<div class="row"><span class="name wide">{escape(name)}</span><span class="track">'
        f'<span class="fill" style="width:{value / most:.1%}"></span></span>'
        f'<span class="words">{escape(words[name])}</span></div>'
        for name, value in values.items()
    ]
    return "".join(rows)

"""The page of a report: HTML with everything in it, nothing fetched, no script."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from eftvideo.config import RunConfig
from eftvideo.config.old_names import as_now, value_of
from eftvideo.report.charts import TimeAxis, bars, css_colour, error_chart, measured, tracks_chart
from eftvideo.report.pictures import Shot, Shots
from eftvideo.results.result import Result
from eftvideo.types import FILLED, REJECTED

MAX_CHARTS = 12
_SETTLED = ("fit.eft.tune", "fit.eft.learning_rate")
"""Open by default; the run writes down what it chose for its regressor, so both always differ."""
_STYLE = """
:root{--ink:#1d2229;--soft:#626b77;--line:#dfe3e8;--card:#fff;--page:#f4f5f7;--bad:#d6332f;
--fill:#5b9bd5;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#9aa3ae;--line:#343b44;
--card:#1c2127;--page:#14181c;--bad:#ff6b66}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:16px}
h1{font-size:1.5rem;margin:.4em 0 0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:0 0 10px}
h3{font-size:.95rem;margin:14px 0 4px}p{margin:4px 0 10px}.soft{color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;
margin:14px 0;overflow-x:auto}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:10px;margin:14px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}
.tile b{display:block;font-size:1.35rem}.tile span{color:var(--soft);font-size:.85rem}
svg{display:block;width:100%}svg *{vector-effect:non-scaling-stroke}
.row{display:flex;align-items:center;gap:8px;margin:3px 0}.row svg,.row .axis{flex:1;min-width:0}
.name{width:2.2em;text-align:right;color:var(--soft)}.name.wide{width:6em}
.track{flex:1;background:var(--page);border-radius:4px;overflow:hidden}
.fill{display:block;height:14px;background:var(--fill)}.words{width:11em;font-size:.85rem}
.axis{position:relative;height:1.5em;font-size:.75rem;color:var(--soft)}
.axis span{position:absolute;white-space:nowrap}.chart{position:relative}
.y{position:absolute;left:2px;font-size:.7rem;color:var(--soft);pointer-events:none}
.grid{stroke:var(--line);stroke-width:1}.before,.after{fill:none}
.before{stroke-width:1.2;opacity:.5;stroke-dasharray:4 3}.after{stroke-width:1.8}
.steps{opacity:.3}.dot{display:inline-block;width:.8em;height:.8em;border-radius:50%;
margin-right:.4em}.bad{color:var(--bad)}
table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{padding:3px 10px 3px 0;
text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
td:first-child,th:first-child{text-align:left}th{color:var(--soft);font-weight:500}
.settings td{text-align:left;white-space:normal;overflow-wrap:anywhere}
.settings td:first-child{width:45%;overflow-wrap:normal}.changed{font-weight:700}
.columns{columns:2;column-gap:24px}details{margin-top:10px}
.shots{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:10px}
.thumbs{display:flex;flex-wrap:wrap;gap:8px}figure{margin:0}
.thumbs figure{width:min-content;min-width:105px}.thumbs img{max-width:none;height:180px}
img{display:block;max-width:100%;border-radius:6px}.shots img{width:100%}
figcaption{font-size:.8rem;color:var(--soft)}summary{cursor:pointer;font-weight:600}
@media(max-width:520px){main{padding:8px}section{padding:12px}.words{width:8em}
.name.wide{width:4.5em}.shots{grid-template-columns:1fr}.columns{columns:1}
.people{font-size:.69rem}.people td,.people th{padding-right:4px}
.people th{white-space:normal;vertical-align:bottom}}
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The browser itself refuses whatever would be fetched."""


def page(result: Result, shots: Shots, times_s: np.ndarray, timings_s: Mapping[str, float]) -> str:
    """The whole HTML text.

    Args:
        result: what it is about.
        shots: its pictures.
        times_s: (F,) times of the frames that were read, seconds.
        timings_s: seconds by stage; empty: not known.
    """
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else float(1 / result.fps)
    axis = TimeAxis(float(times_s[0]), float(times_s[-1]) + step_s)
    title = escape(result.source)
    body = [
        f"<h1>{title}</h1>{_subtitle(result, len(times_s))}",
        _tiles(result, len(times_s), timings_s),
        _people(result, axis, step_s) if len(result) else _nobody(),
        _errors(result, axis, step_s) if len(result) else "",
        _section("Key frames", _figures(shots.key, result, "shots")),
        _section("Largest errors", _figures(shots.worst, result, "shots")) if shots.worst else "",
        _rejected(result, shots.rejected),
        _speed(len(times_s), timings_s),
        _settings(result),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _subtitle(result: Result, num_frames: int) -> str:
    method = value_of(result.config, "fit.method") or "?"
    words = (
        f"{result.width_px} x {result.height_px}, {float(result.fps):.5g} frames/s; "
        f"{num_frames} of {result.num_frames} frames read; "
        f"method {method}; body {result.body_model.split()[0]}"
    )
    return f'<p class="soft">{escape(words)}</p>'


def _tiles(result: Result, num_frames: int, timings_s: Mapping[str, float]) -> str:
    tiles = {"people": f"{len(result.track_ids)}", "person-frames": f"{len(result)}"}
    if len(result):
        result = measured(result)
        before, after = np.median(result.loss_px_start), np.median(result.loss_px)
        tiles["median px before, after"] = f"{before:.1f} → {after:.1f}"
        tiles["steps, mean"] = f"{result.num_steps.mean():.1f}"
        tiles["fits rejected"] = f"{(result.status == REJECTED).mean():.1%}"
    if timings_s:
        tiles["frames/s, all stages"] = f"{num_frames / max(sum(timings_s.values()), 1e-9):.2f}"
    cells = "".join(
        f'<div class="tile"><b>{escape(v)}</b><span>{escape(k)}</span></div>'
        for k, v in tiles.items()
    )
    return f'<div class="tiles">{cells}</div>'


def _nobody() -> str:
    return _section("People", "<p>Nobody was found in the clip.</p>")


def _people(result: Result, axis: TimeAxis, step_s: float) -> str:
    head = "".join(
        f"<th>{h}</th>"
        for h in (
            "track",
            "frames",
            "from",
            "to",
            "px before",
            "px after",
            "steps",
            "filled",
            "rejected",
        )
    )
    lines = []
    for track_id in result.track_ids:
        t = result.track(track_id)
        rejected, fits = int((t.status == REJECTED).sum()), measured(t)
        cells = (
            f'<span class="dot" style="background:{css_colour(track_id)}"></span>{track_id}',
            f"{len(t)}",
            f"{t.time_s[0]:.2f} s",
            f"{t.time_s[-1]:.2f} s",
            f"{np.median(fits.loss_px_start):.1f}",
            f"{np.median(fits.loss_px):.1f}",
            f"{fits.num_steps.mean():.1f}",
            f"{(t.status == FILLED).sum()}",
            f'<span class="{"bad" if rejected else ""}">{rejected}</span>',
        )
        lines.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    return _section(
        "People",
        f"{tracks_chart(result, axis, step_s)}"
        '<p class="soft">Bars: where each track was seen; <span class="bad">red</span>: the fit '
        "was rejected there. Errors are medians, rms px of a 224 px crop; frames filled in between "
        "two sightings have none.</p>"
        f'<table class="people"><tr>{head}</tr>{"".join(lines)}</table>',
    )


def _errors(result: Result, axis: TimeAxis, step_s: float) -> str:
    top = float(np.quantile(np.maximum(result.loss_px_start, result.loss_px), 0.98))
    top_px = max(4.0, float(np.ceil(top / 2.0) * 2.0))
    sizes = {i: int((result.track_id == i).sum()) for i in result.track_ids}
    shown = sorted(sorted(sizes, key=lambda i: -sizes[i])[:MAX_CHARTS])
    charts = [
        f'<h3><span class="dot" style="background:{css_colour(i)}"></span>track {i}</h3>'
        f"{error_chart(result.track(i), axis, step_s, top_px)}"
        for i in shown
    ]
    left = len(sizes) - len(shown)
    more = f'<p class="soft">{left} shorter tracks have no chart.</p>' if left else ""
    return _section(
        "2D error and steps over time",
        '<p class="soft">Dashed: the network\'s own answer. Solid: what was kept in the end. '
        "Below: optimiser steps. px of a 224 px crop.</p>" + "".join(charts) + more,
    )


def _figures(shots: list[Shot], result: Result, name: str) -> str:
    figures = []
    for shot in shots:
        words = f"{shot.time_s:.2f} s, frame {shot.frame}"
        if shot.row >= 0:
            track, px = result.track_id[shot.row], result.loss_px[shot.row]
            words += f", track {track}: " + (f"{px:.1f} px" if px > 0 else "too few keypoints")
        data = base64.b64encode(shot.jpeg).decode("ascii")
        figures.append(
            f'<figure><img alt="{escape(words)}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{escape(words)}</figcaption></figure>"
        )
    return f'<div class="{name}">{"".join(figures)}</div>'


def _rejected(result: Result, shots: list[Shot]) -> str:
    number = int((result.status == REJECTED).sum())
    if not number:
        return _section("Rejected fits", "<p>None.</p>")
    all_fits = len(measured(result))
    words = f"{number} of {all_fits} fits were rejected; the network's own answer was kept there."
    if len(shots) < number:
        words += f" {len(shots)} of them, spread evenly:"
    return _section("Rejected fits", f"<p>{words}</p>{_figures(shots, result, 'thumbs')}")


def _speed(num_frames: int, timings_s: Mapping[str, float]) -> str:
    if not timings_s:
        words = "Not known: times are not stored in the npz; `eftvideo run --report` tells them."
        return _section("Speed", f'<p class="soft">{escape(words)}</p>')
    words = {
        k: f"{v:.1f} s, {num_frames / max(v, 1e-9):.1f} frames/s" for k, v in timings_s.items()
    }
    return _section("Speed by stage", bars(dict(timings_s), words))


def _settings(result: Result) -> str:
    default = dict(_flat(RunConfig().to_dict()))
    told = [(k, v) if k in default else as_now(k, v) for k, v in _flat(result.config)]
    facts = [(k, v) for k, v in told if k not in default]
    lines = [(k, v, k not in _SETTLED and default[k] != v) for k, v in told if k in default]
    changed = [line for line in lines if line[2]]
    more = [(k, v, False) for k, v in (*facts, ("body_model", result.body_model))]
    return _section(
        "Settings",
        (_table(changed) if changed else '<p class="soft">All as they are by default.</p>')
        + "<details><summary>All options</summary>"
        f'<p class="soft">Bold: other than the default.</p>{_table(lines, "columns")}</details>'
        f"<details><summary>Versions and files</summary>{_table(more)}</details>",
    )


def _table(lines: list[tuple[str, Any, bool]], where: str = "") -> str:
    cells = "".join(_line(*line) for line in lines)
    return f'<div class="{where}"><table class="settings">{cells}</table></div>'


def _line(name: str, value: Any, changed: bool) -> str:
    style = ' class="changed"' if changed else ""
    words = re.sub(r"([._])", r"\1<wbr>", escape(name))
    return f"<tr{style}><td>{words}</td><td>{escape(str(value))}</td></tr>"


def _flat(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value

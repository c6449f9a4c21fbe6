"""Open a report in a headless Chromium, at a desktop's and a phone's width, and say what is wrong.

    python tools/check_report.py out/clip_report.html -o FOLDER

Nothing may be fetched, nothing may be wider than the page, every section must be there, every
picture must be whole, and no words may be smaller than 9 px. Pictures of the whole page go to
FOLDER: look at them. Needs a Chromium; see `chromium.py`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from chromium import DESKTOP, PHONE, Chromium

SECTIONS = {"People", "2D error and steps over time", "Key frames", "Rejected fits", "Settings"}
TALLEST_PX = 8000
"""Chromium's pictures repeat themselves below."""
_HEADINGS = "[...document.querySelectorAll('h2')].map(e => e.innerText)"
_BROKEN = "[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length"
_SMALLEST = (
    "Math.min(...[...document.querySelectorAll('main *')].filter(e => e.children.length == 0 && "
    "e.innerText).map(e => parseFloat(getComputedStyle(e).fontSize)))"
)
_TOO_WIDE = (
    "[...document.querySelectorAll('section')].filter(s => s.scrollWidth > s.clientWidth + 1)"
    ".map(s => s.querySelector('h2').innerText)"
)


def check(browser: Chromium, page: Path, picture: Path) -> list[tuple[str, bool, str]]:
    """What was looked at, whether it is right, and what was seen."""
    browser.go(page.resolve().as_uri())
    browser.wait_for("document.readyState == 'complete'")
    time.sleep(0.5)
    js = browser.js
    size = js("[innerWidth, innerHeight]")
    height, width = js("document.documentElement.scrollHeight"), js("document.body.scrollWidth")
    fetched = [u for u in browser.requests if not u.startswith("data:")][1:]
    headings, broken, smallest = js(_HEADINGS), js(_BROKEN), js(_SMALLEST)
    too_wide = js(_TOO_WIDE)
    js("document.querySelectorAll('details').forEach(d => d.open = true)")
    height_all = min(js("document.documentElement.scrollHeight"), TALLEST_PX)
    browser.resize((size[0], height_all), phone=size[0] < 600)
    time.sleep(0.5)
    browser.picture(picture)
    missing = sorted(SECTIONS - set(headings))
    return [
        ("nothing is fetched", not fetched, ", ".join(fetched) or "nothing"),
        ("all sections", not missing, ", ".join(missing) or f"{len(headings)} there"),
        ("all pictures", broken == 0, f"{js('document.images.length')}, {broken} of them broken"),
        ("not wider than the page", width <= size[0], f"{width} of {size[0]} px, {height} px high"),
        ("no section scrolls sideways", not too_wide, ", ".join(too_wide) or "none"),
        ("words can be read", smallest >= 9.0, f"the smallest are {smallest:.1f} px"),
        ("no errors", not browser.errors, "; ".join(browser.errors) or "none"),
    ]


def main() -> int:
    """Both widths; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/report"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    bad = 0
    for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
        with Chromium(size, phone=name == "phone") as browser:
            for what, right, seen in check(browser, args.report, args.out / f"{name}.png"):
                print(f"{name} {size[0]}x{size[1]}  {'ok ' if right else 'BAD'}  {what}: {seen}")
                bad += not right
    print("all is well" if not bad else f"{bad} things are wrong", f"(pictures: {args.out})")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

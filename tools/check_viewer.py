"""Use a result's viewer as a person would, in a headless Chromium, and say what does not work.

    python tools/check_viewer.py out/clip.npz --video clip.mp4 -o FOLDER

Serves the page, opens it at a desktop's and a phone's size, moves the timeline with mouse or
finger, switches people off, changes the view, plays, and counts how many frames of the clip the
graphics card got in a second. Pictures of each step go to FOLDER: look at them. The last line is
"all is well", or the exit code is 1. Needs a Chromium; see `chromium.py`.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from chromium import DESKTOP, PHONE, Chromium

from eftvideo.results.result_file import load_result
from eftvideo.viewer.server import Viewer

Line = tuple[str, bool, str]
COUNT_MESHES = """
(() => {
  window.drawn = {with_mesh: 0, pending: false};
  for (const kind of ['bufferData', 'bufferSubData']) {
    const plain = WebGL2RenderingContext.prototype[kind];
    WebGL2RenderingContext.prototype[kind] = function (...args) {
      for (const a of args) if (a && a.byteLength > 60000) window.drawn.pending = true;
      return plain.apply(this, args);
    };
  }
  const count = () => {
    if (window.drawn.pending) { window.drawn.with_mesh += 1; window.drawn.pending = false; }
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
})()
"""
"""Counts the page's frames before which a whole mesh went to the graphics card."""
_BUTTON = "[...document.querySelectorAll('button')].find(b => b.innerText.trim() == '{}')"
SLIDER = "document.querySelector('[role=slider]').parentElement.getBoundingClientRect()"
CANVAS = "document.querySelector('canvas').getBoundingClientRect()"


class Page:
    """The viewer's page, with what a user does there."""

    def __init__(self, browser: Chromium, viewer: Viewer, folder: Path, name: str) -> None:
        self.browser, self.viewer, self.folder, self.name = browser, viewer, folder, name
        browser.before_load(COUNT_MESHES)
        began = time.monotonic()
        browser.go(viewer.url)
        for part in ("canvas", "[role=slider]"):
            browser.wait_for(f"document.querySelector('{part}')")
        self.load_s = time.monotonic() - began
        time.sleep(3.0)

    def picture(self, name: str) -> np.ndarray:
        """(h, w, 3) of the canvas; the whole page is written as PNG."""
        content = self.browser.picture(self.folder / f"{self.name}_{name}.png")
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        x, y, w, h = (round(v) for v in self.place(CANVAS))
        return image[y : y + h, x : x + w].astype(int)

    def place(self, element: str) -> list[float]:
        """x, y, width and height of an element, CSS px."""
        return self.browser.js(f"(r => [r.x, r.y, r.width, r.height])({element})")

    def press(self, label: str) -> None:
        """A button, by what is written on it."""
        self.browser.js(f"{_BUTTON.format(label)}.click()")
        time.sleep(2.0)

    def slide(self, share: float) -> None:
        """The timeline's thumb to a place, 0 to 1, by mouse or finger."""
        self.browser.js("document.querySelector('[role=slider]').scrollIntoView({block: 'center'})")
        x, y, w, h = self.place(SLIDER)
        point = {"x": x + share * w, "y": y + h / 2}
        if self.name == "phone":
            self.browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
            self.browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            for kind in ("mousePressed", "mouseReleased"):
                self.browser.call(
                    "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **point
                )
        time.sleep(2.0)

    def tick(self, label: str) -> None:
        """Switch a box on or off, by what is written beside it."""
        labels = "[...document.querySelectorAll('label')]"
        self.browser.js(f"{labels}.find(e => e.innerText == '{label}').click()")
        time.sleep(1.5)

    @property
    def clip_fps(self) -> float:
        """Frames of the clip per second."""
        return 1.0 / float(np.median(np.diff(self.viewer.timeline.times_s)))

    def play(self, seconds: float) -> tuple[float, float]:
        """Frames with new bodies, and seconds of the clip, per second of playing."""
        self.viewer.show(0)
        self.press("Play")
        now = "[window.drawn.with_mesh, performance.now() / 1000]"
        (drawn, began), index = self.browser.js(now), self.viewer.index
        times_s = self.viewer.timeline.times_s
        length_s = float(times_s[-1] - times_s[0]) + 1.0 / self.clip_fps
        time.sleep(min(seconds, 0.8 * length_s))
        (drawn_then, end), index_then = self.browser.js(now), self.viewer.index
        self.press("Pause")
        took, passed = end - began, float(times_s[index_then] - times_s[index]) % length_s
        return (drawn_then - drawn) / took, passed / took


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the pixels that are clearly others; all if the size is another."""
    return float((np.abs(a - b).max(-1) > 40).mean()) if a.shape == b.shape else 1.0


def check(page: Page, track_id: int) -> list[Line]:
    """What was looked at, whether it is right, and what was seen; one person is switched off."""
    page.viewer.show(0)
    before = page.picture("first")
    done: list[Line] = [("page loads", True, f"{page.load_s:.1f} s")]
    done.append(("canvas is not blank", before.std() > 5.0, f"spread {before.std():.0f} of 255"))
    for place in ("side", "top", "beside", "camera"):
        page.press(place)
        view = page.picture(place)
        share = differ(before, view)
        done.append((f"view from {place}", share > 0.001, f"{share:.1%} of the pixels changed"))
        before = view
    return done + _bodies(page, track_id) + _rest(page)


def _bodies(page: Page, track_id: int) -> list[Line]:
    """From the clip's camera and without its picture: only bodies can change."""
    page.tick("camera and picture")
    first = page.picture("bodies")
    page.slide(0.5)
    moved = page.picture("bodies_middle")
    share, middle = differ(first, moved), (len(page.viewer.timeline) - 1) / 2
    near = abs(page.viewer.index - middle) < 0.05 * middle + 2
    told = f"frame {page.viewer.index}, {share:.1%} of the pixels changed"
    done: list[Line] = [("timeline moves the bodies", near and share > 0.002, told)]
    page.tick(f"person {track_id}")
    off = differ(moved, page.picture("person_off"))
    page.tick(f"person {track_id}")
    on = differ(moved, page.picture("person_on"))
    done.append((f"person {track_id} off", off > 0.002, f"{off:.1%} of the pixels changed"))
    done.append(("and on again", on < 0.5 * off, f"{on:.1%} of the pixels are not as before"))
    page.tick("camera and picture")
    return done


def _rest(page: Page) -> list[Line]:
    plot = page.browser.js("document.querySelector('.uplot canvas').width") or 0
    outside = sorted({u for u in page.browser.requests if not _ours(u)})
    return [
        ("the plot is drawn", plot > 50, f"{plot} px wide"),
        ("nothing from the network", not outside, ", ".join(outside) or "nothing"),
        ("no errors", not page.browser.errors, "; ".join(page.browser.errors) or "none"),
    ]


def check_playing(page: Page, seconds: float) -> Line:
    """Whether the clip's time is kept; how many frames are drawn depends on the machine."""
    rate, passed = page.play(seconds)
    page.picture("played")
    told = f"{rate:.1f} frames/s of the clip's {page.clip_fps:.1f}; {passed:.2f} s a second"
    return "plays in true time", rate > 1.0 and 0.9 < passed < 1.1, told


def _ours(url: str) -> bool:
    return url.startswith(("data:", "blob:", "http://127.0.0.1", "ws://127.0.0.1"))


def main() -> int:
    """Both sizes; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("--video", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/viewer"))
    parser.add_argument("--seconds", type=float, default=6.0, help="how long to play")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    result, bad = load_result(args.result), 0
    area = np.prod(result.bbox_xyxy[:, 2:] - result.bbox_xyxy[:, :2], axis=1)
    largest = int(result.track_id[area.argmax()])
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
        with (
            Viewer(result, args.video, port=port) as viewer,
            Chromium(size, phone=name == "phone") as browser,
        ):
            page = Page(browser, viewer, args.out, name)
            lines = [*check(page, largest), check_playing(page, args.seconds)]
            for what, right, seen in lines:
                print(f"{name} {size[0]}x{size[1]}  {'ok ' if right else 'BAD'}  {what}: {seen}")
                bad += not right
    print("all is well" if not bad else f"{bad} things are wrong", f"(pictures: {args.out})")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

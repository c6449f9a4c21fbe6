"""Drive a headless Chromium over its DevTools protocol: for the checks of pages, not for users.

Needs a Chromium or Chrome on the PATH (or in $CHROMIUM) and `websockets`, which viser brings.
WebGL runs on the processor (SwiftShader), so pictures are the same with and without a GPU.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

DESKTOP, PHONE = (1280, 800), (390, 844)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--mute-audio",
)


def find_chromium() -> str | None:
    """Path of the browser, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


class Chromium:
    """One browser with one page, closed at the end of `with`.

    `requests` are the addresses that the page asked for, `errors` what it complained of.
    """

    def __init__(self, size: tuple[int, int] = DESKTOP, *, phone: bool = False) -> None:
        program = find_chromium()
        if program is None:
            raise FileNotFoundError("no Chromium found: install one, or set $CHROMIUM to its path")
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        self._process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._number = 0
        self._socket = connect(self._address(), max_size=None)
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.resize(size, phone=phone)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _address(self) -> str:
        """Of the page, once the browser has written its port into its profile."""
        port_file, end = Path(self._profile) / "DevToolsActivePort", time.monotonic() + 60.0
        while time.monotonic() < end:
            if port_file.exists() and port_file.read_text().strip():
                port = port_file.read_text().split()[0]
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                    pages = [p for p in json.load(answer) if p["type"] == "page"]
                if pages:
                    return pages[0]["webSocketDebuggerUrl"]
            time.sleep(0.1)
        raise TimeoutError("Chromium did not start within 60 s")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its answer; what the page reports meanwhile is kept."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=120.0))
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        name, params = message.get("method"), message.get("params", {})
        if name == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif name == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif name == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(str(details.get("exception", details).get("description", details)))
        elif name == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(" ".join(str(a.get("value", "")) for a in params["args"]))

    def resize(self, size: tuple[int, int], *, phone: bool = False) -> None:
        """The page's size in CSS px; a phone also has fingers in the place of a mouse."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=phone,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def before_load(self, script: str) -> None:
        """Run a script in every page before its own."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def go(self, url: str) -> None:
        """Open an address."""
        self.call("Page.navigate", url=url)

    def js(self, expression: str) -> Any:
        """Value of an expression in the page, awaited if it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression[:80]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 60.0) -> None:
        """Wait until an expression is true."""
        patiently(lambda: self.js(f"!!({expression})"), timeout_s, expression)

    def picture(self, path: Path | None = None, *, whole: bool = False) -> bytes:
        """PNG of what is seen, or of the whole page; also written to a file."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        content = base64.b64decode(answer["data"])
        if path is not None:
            path.write_bytes(content)
        return content


def patiently(value: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """What `value` gives, as soon as that is true."""
    end = time.monotonic() + timeout_s
    while not (got := value()):
        if time.monotonic() > end:
            raise TimeoutError(f"did not happen within {timeout_s:g} s: {what}")
        time.sleep(0.1)
    return got

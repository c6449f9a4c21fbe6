"""A result in the browser: bodies in 3D, the camera with its picture, a timeline.

The only file that imports viser, which serves the page and draws it with three.js.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eftvideo.errors import ConfigError, MissingDependencyError
from eftvideo.results.posing import body_of
from eftvideo.results.result import Result
from eftvideo.viewer.places import FOV, PLACES, camera_fov, look_from
from eftvideo.viewer.scene import set_stage
from eftvideo.viewer.style import STYLE
from eftvideo.viewer.timeline import ErrorCurves, Meshes, Pictures, Timeline, open_clip

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_LOCAL = (LOOPBACK, "localhost", "::1")
_PANEL_WIDTH_PX = 350
SPEEDS = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5, "1": 1.0, "2": 2.0}
_PLOT_EVERY_S = 0.5
"""The mark in the plot follows no faster while playing: each time the whole plot is drawn."""


def import_viser() -> Any:
    """The library viser.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import viser
    except ImportError as e:
        raise MissingDependencyError(
            "the viewer needs viser, which is not installed: pip install 'eftvideo[view]'"
        ) from e
    return viser


class Viewer:
    """Serves one result until it is closed.

    Args:
        result: of `run_video` or `load_result`.
        clip: the video that it was made from; None: no pictures.
        body: body file; None: the one that the run used.
        host: address to listen on. Only this machine can reach the default; there is no password.
        port: 0 to 65535; the next free one is taken if it is in use.

    Raises:
        ConfigError: nobody is in the result, or the clip or body is another one.
        MissingDependencyError: viser is not installed.
    """

    def __init__(
        self,
        result: Result,
        clip: str | Path | None = None,
        *,
        body: str | None = None,
        host: str = LOOPBACK,
        port: int = 8080,
    ) -> None:
        viser = import_viser()
        if not len(result):
            raise ConfigError(f"nobody is in this result of {result.source}: nothing to look at")
        frames = open_clip(result, None if clip is None else Path(clip))
        model = body_of(result, body)
        self._result = result
        self.timeline = Timeline(result, frames)
        self._meshes = Meshes(result, model)
        self._curves = ErrorCurves(self.timeline, result.track_ids)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints, verbose or not
            self.server = viser.ViserServer(host=host, port=port, label="eftvideo", verbose=False)
        if host not in _LOCAL:
            log.warning("there is no password: whoever can reach %s sees this result", self.url)
        self._pictures = None if frames is None else Pictures(frames)
        self._index, self._pictured, self._plotted_s = -1, -1, 0.0
        self._lock = threading.RLock()
        self._stop, self._playing = threading.Event(), threading.Event()
        stage = set_stage(self.server, result, model, self._meshes)
        self._stage, self.bodies, self.frustum = stage, stage.bodies, stage.frustum
        self._controls()
        self.show(0)
        self._player = threading.Thread(target=self._play, daemon=True)
        self._player.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.server.get_host()}:{self.server.get_port()}"

    @property
    def index(self) -> int:
        """Place in the timeline of the frame that is shown."""
        return self._index

    def show(self, index: int) -> None:
        """Show the frame at a place of the timeline."""
        with self._lock:
            if index == self._index:
                return
            self._index = index
            rows = self.timeline.rows(index)
            with self.server.atomic():
                for track_id, mesh in self.bodies.items():
                    row = rows.get(track_id)
                    if row is not None:
                        mesh.vertices = self._meshes.of_row(row)
                    mesh.visible = row is not None and self.shown[track_id].value
                self._show_picture()
                self.words.content = self.timeline.words(index)
                self.slider.value = index
                if not self._playing.is_set() or time.monotonic() - self._plotted_s > _PLOT_EVERY_S:
                    self._plotted_s = time.monotonic()
                    self.plot.data = self._curves.data(self._index)

    def play(self) -> None:
        """Go on from the frame that is shown, at the chosen speed, round and round."""
        self.play_button.label = "Pause"
        self._playing.set()

    def pause(self) -> None:
        """Stay at the frame that is shown."""
        self._playing.clear()
        self.play_button.label = "Play"
        with self._lock:
            self.plot.data = self._curves.data(self._index)

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        while not self._stop.wait(3600.0):
            pass

    def close(self) -> None:
        """Stop serving."""
        self._stop.set()
        self._player.join()
        if self._pictures is not None:
            self._pictures.close()
        with contextlib.redirect_stdout(io.StringIO()):
            self.server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _controls(self) -> None:
        gui = self.server.gui
        gui.configure_theme(show_logo=False, show_share_button=False)
        gui.main_panel.dock_right()
        gui.main_panel.set_width(_PANEL_WIDTH_PX)
        gui.add_html(STYLE)
        self.words = gui.add_markdown("")
        last = max(1, len(self.timeline) - 1)
        self.slider = gui.add_slider("frame", min=0, max=last, step=1, initial_value=0)
        self.slider.on_update(lambda _: self.show(min(self.slider.value, len(self.timeline) - 1)))
        self.play_button = gui.add_button("Play")
        self.play_button.on_click(lambda _: self.pause() if self._playing.is_set() else self.play())
        views = gui.add_button_group("view from", PLACES)
        views.on_click(lambda event: self._go(event.client, event.target.value))
        self.speed = gui.add_dropdown("speed", tuple(SPEEDS), initial_value="1")
        self.plot = gui.add_uplot(
            self._curves.data(0),
            series=self._curves.series(),
            title="2D error, px",
            scales={"x": {"time": False}, "y": {"range": (0.0, self._curves.top_px)}},
            legend={"show": False},
            aspect=2.0,
        )
        with gui.add_folder("People"):
            self.shown = {i: gui.add_checkbox(f"person {i}", True) for i in self.bodies}
        for box in self.shown.values():
            box.on_update(lambda _: self._again())
        self.picture_shown = gui.add_checkbox("camera and picture", True)
        self.picture_shown.on_update(
            lambda _: setattr(self.frustum, "visible", self.picture_shown.value)
        )

    def _go(self, client: Any, name: str) -> None:
        """Moves one browser's camera; into the clip's camera it shows the whole picture."""
        if client is None:
            return
        stage, camera, pelvis = self._stage, client.camera, self._result.joints3d[:, 0]
        aspect = camera.image_width / max(camera.image_height, 1)
        own = name == "camera"
        with client.atomic():
            camera.fov = camera_fov(stage.fov, stage.aspect, aspect) if own else FOV
            camera.position, camera.look_at = look_from(
                name, pelvis.astype(float), stage.level, aspect
            )
            camera.up_direction = (0.0, -1.0, 0.0) if own else -stage.level[1]

    def _again(self) -> None:
        with self._lock:
            index, self._index = self._index, -1
            self.show(index)

    def _show_picture(self) -> None:
        """The shown frame's picture, if it has been read; if not, the player tries again."""
        if self._pictures is None or self._pictured == self._index:
            return
        image = self._pictures.of_frame(int(self.timeline.frames[self._index]))
        if image is not None:
            self.frustum.image, self._pictured = image, self._index

    def _play(self) -> None:
        """Shows whatever frame is due; late ones are left out, so that time stays true."""
        while not self._stop.is_set():
            if not self._playing.wait(0.05):
                with self._lock:
                    self._show_picture()
                continue
            times = self.timeline.times_s
            position, clock = float(times[self._index]), time.monotonic()
            shown = self._index
            while self._playing.is_set() and not self._stop.is_set():
                if self._index != shown:  # somebody moved the slider
                    position = float(times[self._index])
                now = time.monotonic()
                position += (now - clock) * SPEEDS[self.speed.value]
                clock = now
                if position > times[-1]:
                    position = float(times[0])
                shown = self.timeline.at(position)
                self.show(shown)
                self._stop.wait(0.004)

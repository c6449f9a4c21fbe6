"""A result in the browser: bodies in 3D, the camera with its picture, a timeline.

The only file that imports viser, which serves the page and draws it with three.js.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eftvideo.bodies import BodyModel
from eftvideo.errors import ConfigError, MissingDependencyError
from eftvideo.posed import body_of
from eftvideo.renderers import track_colour
from eftvideo.rerender_views import fit_ground
from eftvideo.results import Result
from eftvideo.viewer_data import ErrorCurves, Meshes, Pictures, Timeline, open_clip
from eftvideo.viewer_places import PLACES, frustum_scale, look_from

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_LOCAL = (LOOPBACK, "localhost", "::1")
SPEEDS = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5, "1": 1.0, "2": 2.0}
_PLOT_EVERY_S = 0.2
"""The mark in the plot follows no faster while playing: each time the whole plot is drawn."""
_BEHIND_PEOPLE_M = 1.0
_NO_SHADOW = {"cast_shadow": False, "receive_shadow": False}
"""Without a GPU, shadows take as long as all the rest."""
_GROUND_RGB, _LINE_RGB = (150, 155, 162), (190, 194, 200)


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
        self._index, self._plotted_s = -1, 0.0
        self._lock = threading.RLock()
        self._stop, self._playing = threading.Event(), threading.Event()
        self._scene(viser, model)
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

    def _scene(self, viser: Any, body: BodyModel) -> None:
        r, scene = self._result, self.server.scene
        ground = fit_ground(r)
        scene.set_up_direction(tuple(-ground.level[1]))
        scene.configure_environment_map(hdri=None)  # the others are fetched from the internet
        scene.configure_default_lights(True, cast_shadow=False)
        scene.add_light_ambient("/light/all", intensity=0.9)
        pelvis = r.joints3d[:, 0].astype(float)
        middle = np.median(pelvis, axis=0)
        reach = float(np.ceil(np.ptp(np.quantile(pelvis, [0.02, 0.98], axis=0), axis=0).max())) + 6
        scene.add_grid(
            "/ground",
            *(reach, reach),
            plane="xz",
            cell_size=1.0,
            section_size=5.0,
            cell_color=_LINE_RGB,
            section_color=_GROUND_RGB,
            position=tuple(ground.at(middle[0], middle[2])),
            wxyz=viser.transforms.SO3.from_matrix(ground.level.T).wxyz,
        )
        self.bodies = {}
        for track_id in r.track_ids:
            first = int(np.flatnonzero(r.track_id == track_id)[0])
            colour = tuple(round(255 * c) for c in track_colour(track_id))
            self.bodies[track_id] = scene.add_mesh_simple(
                f"/people/{track_id}",
                self._meshes.of_row(first),
                body.faces,
                color=colour,
                **_NO_SHADOW,
            )
        self._camera(middle)

    def _camera(self, middle: np.ndarray) -> None:
        """The clip's camera, its picture just behind the people, and where to look from first."""
        r = self._result
        focal = float(r.focal_length_px[0])
        aspect = r.width_px / r.height_px
        self._fov = 2.0 * math.atan(r.height_px / (2.0 * focal))
        depth_m = float(np.quantile(r.joints3d[:, 0, 2], 0.9)) + _BEHIND_PEOPLE_M
        self.frustum = self.server.scene.add_camera_frustum(
            "/camera",
            fov=self._fov,
            aspect=aspect,
            scale=frustum_scale(depth_m, self._fov, aspect),
            format="jpeg",
            color=(90, 95, 105),
            **_NO_SHADOW,
        )
        self._middle = middle
        first = self.server.initial_camera
        first.position, first.look_at = look_from("beside", middle)

    def _controls(self) -> None:
        gui = self.server.gui
        gui.configure_theme(show_logo=False, show_share_button=False, control_layout="collapsible")
        self.words = gui.add_markdown("")
        last = max(1, len(self.timeline) - 1)
        self.slider = gui.add_slider("frame", min=0, max=last, step=1, initial_value=0)
        self.slider.on_update(lambda _: self.show(min(self.slider.value, len(self.timeline) - 1)))
        self.play_button = gui.add_button("Play")
        self.play_button.on_click(lambda _: self.pause() if self._playing.is_set() else self.play())
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
        with gui.add_folder("View from"):
            for name in PLACES:
                gui.add_button(name).on_click(lambda event, name=name: self._go(event.client, name))
        self.picture_shown = gui.add_checkbox("camera and picture", True)
        self.picture_shown.on_update(
            lambda _: setattr(self.frustum, "visible", self.picture_shown.value)
        )

    def _go(self, client: Any, name: str) -> None:
        """Moves one browser's camera; into the clip's camera it fits the picture's height."""
        if client is None:
            return
        with client.atomic():
            client.camera.position, client.camera.look_at = look_from(name, self._middle)
            if name == "camera":
                client.camera.up_direction = (0.0, -1.0, 0.0)
                client.camera.fov = self._fov

    def _again(self) -> None:
        with self._lock:
            index, self._index = self._index, -1
            self.show(index)

    def _show_picture(self) -> None:
        if self._pictures is None:
            return
        image = self._pictures.of_frame(int(self.timeline.frames[self._index]))
        if image is not None:
            self.frustum.image = image

    def _play(self) -> None:
        """Shows whatever frame is due; late ones are left out, so that time stays true."""
        while not self._stop.is_set():
            if not self._playing.wait(0.05):
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

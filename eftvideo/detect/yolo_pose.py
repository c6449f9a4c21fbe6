"""People by ultralytics' YOLO pose models, followed by its ByteTrack or BoT-SORT.

The only file that imports ultralytics. That library writes settings into the home folder, looks
for the network, installs packages and sends usage data; none of it happens from here (`_private`).
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

from eftvideo.config import DetectConfig
from eftvideo.detect import _yolo_weights
from eftvideo.errors import ConfigError, UnsafeFileError, WeightsCorruptError
from eftvideo.types import Detections

_log = logging.getLogger(__name__)

_ENV = {
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "true",  # no look-up of public hosts; downloads still work
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",  # a .pt is a pickle: only known classes are built from it
}

_CUDNN: dict[str, Any] = {
    "enabled": True,
    "benchmark": False,
    "deterministic": True,
    "allow_tf32": False,
}
"""A GPU then gives what a CPU gives, to a small fraction of a pixel, and the same thing twice."""


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """Import or run ultralytics with a settings folder of its own, then put everything back.

    It also sets one thread for torch and OpenCV and other print options; those are the caller's.
    """
    threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    before = {name: os.environ.get(name) for name in (*_ENV, "YOLO_CONFIG_DIR", "OMP_NUM_THREADS")}
    with tempfile.TemporaryDirectory(prefix="eftvideo-") as folder, np.printoptions():
        os.environ.update(_ENV, YOLO_CONFIG_DIR=folder)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            torch.set_num_threads(threads)
            cv2.setNumThreads(cv_threads)


_FIRST_IMPORT = "ultralytics" not in sys.modules
with _private():
    from ultralytics import YOLO
    from ultralytics.engine.results import Boxes, Results
    from ultralytics.models.yolo.pose import PosePredictor
    from ultralytics.trackers import BOTSORT, BYTETracker
    from ultralytics.utils import LOGGER, SETTINGS
    from ultralytics.utils.downloads import GITHUB_ASSETS_STEMS, attempt_download_asset
    from ultralytics.utils.events import events

dict.__setitem__(SETTINGS, "sync", False)  # in memory: SETTINGS' own item assignment writes a file
events.enabled = False
if _FIRST_IMPORT:
    LOGGER.handlers.clear()  # its own writes to the terminal
    LOGGER.propagate = True
    LOGGER.setLevel(logging.WARNING)


class Model:
    """A YOLO pose model and a tracker.

    A `.pt` file is a pickle. It is read through ultralytics' allow-list of its own and torch's
    classes (torch 2.6 or newer; older ones build whatever the file names).

    Args:
        cfg: see `DetectConfig`; `cfg.model` is a name or a path.
        device: torch device, such as "cpu" or "cuda:0".
        frames_per_second: rate at which `track` will be called: the clip's rate over the stride.

    Raises:
        ConfigError: unknown name, or the model does not give COCO's 17 keypoints of people.
        WeightsNotFoundError: no such file, or the download failed.
        WeightsCorruptError: not the recorded file, or not readable.
    """

    def __init__(self, cfg: DetectConfig, device: str, frames_per_second: float = 30.0) -> None:
        self.batch_size: int = cfg.batch_size or (1 if device == "cpu" else 16)
        self._cfg = cfg
        self._rate = frames_per_second
        with _private():
            path = _yolo_weights.locate(cfg.model, GITHUB_ASSETS_STEMS, _download)
            self._predictor = self._new_predictor(path, device)
        self._ids_used = 0
        self._tracker = self._new_tracker()

    def _new_predictor(self, path: Path, device: str) -> _Predictor:
        cfg, model = self._cfg, _load(path)
        options = {
            "task": "pose",
            "model": str(path),
            "device": device,
            "imgsz": cfg.image_size,
            "conf": min(cfg.low_confidence, cfg.min_confidence),
            "classes": [0],  # person
            "save": False,
            "verbose": False,
            "rect": True,
            "channels_last": True,  # up to twice as fast on a CPU
        }
        predictor = _Predictor(overrides=options)
        predictor.setup_model(model, verbose=False)
        return predictor

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Everybody in each frame, scores from `cfg.low_confidence` up, best first; track_id is -1.

        Keypoints outside the frame keep the place the network gives them.

        Args:
            images: (H, W, 3) RGB uint8, all of one size.
        """
        found: list[Detections] = []
        for start in range(0, len(images), self.batch_size):
            bgr = [np.ascontiguousarray(im[..., ::-1]) for im in images[start:][: self.batch_size]]
            with torch.backends.cudnn.flags(**_CUDNN):
                found.extend(from_ultralytics(r) for r in self._predictor(bgr))
        return found

    def track(self, people: Detections, image: np.ndarray) -> Detections:
        """The people of the next frame that belong to a track, with ids, in the order of `people`.

        A track begins with a box of `cfg.min_confidence`, goes on with boxes from
        `cfg.low_confidence` up, and is found again within `cfg.max_gap_s`.

        Args:
            people: from `detect`. image: (H, W, 3) RGB uint8, for BoT-SORT's camera motion.
        """
        cls = np.zeros((len(people), 1), np.float32)
        boxes = Boxes(
            np.concatenate([people.xyxy, people.confidence[:, None], cls], axis=1), image.shape[:2]
        )
        bgr = np.ascontiguousarray(image[..., ::-1]) if self._cfg.tracker == "botsort" else None
        self._tracker.update(boxes, bgr)
        # update() hides a new track until its second frame; the first frame belongs to it too.
        seen = [t for t in self._tracker.tracked_stracks if t.frame_id == self._tracker.frame_id]
        seen.sort(key=lambda t: t.idx)
        rows = people.select(np.array([int(t.idx) for t in seen], dtype=np.int64))
        ids = np.array([self._id_base + t.track_id for t in seen], dtype=np.int64)
        self._ids_used = max(self._ids_used, int(ids.max(initial=0)))
        return Detections(rows.xyxy, rows.confidence, rows.keypoints, ids)

    def reset(self) -> None:
        """Forget all tracks; ids already given are not used again."""
        self._tracker = self._new_tracker()

    def _new_tracker(self) -> Any:
        self._id_base = self._ids_used
        start = self._cfg.min_confidence
        args = SimpleNamespace(
            track_high_thresh=start,
            track_low_thresh=min(self._cfg.low_confidence, start),
            new_track_thresh=start,
            track_buffer=max(1, math.ceil(self._cfg.max_gap_s * self._rate)),
            match_thresh=0.8,  # this and all below: ultralytics' bytetrack.yaml, botsort.yaml
            fuse_score=True,
            gmc_method="sparseOptFlow",
            proximity_thresh=0.5,
            appearance_thresh=0.8,
            with_reid=False,
            model="auto",
        )
        return BOTSORT(args) if self._cfg.tracker == "botsort" else BYTETracker(args)


def from_ultralytics(result: Results) -> Detections:
    """One ultralytics result as Detections, track_id -1."""
    boxes, keypoints = result.boxes, result.keypoints
    if boxes is None or keypoints is None or len(boxes) == 0:
        return Detections.empty()
    return Detections(
        _array(boxes.xyxy),
        _array(boxes.conf),
        _array(keypoints.data),
        np.full(len(boxes), -1, np.int64),
    )


def _array(value: Any) -> np.ndarray:
    value = value.cpu().numpy() if isinstance(value, torch.Tensor) else value
    return np.array(value, dtype=np.float32)


class _Predictor(PosePredictor):
    """Ultralytics' own, but keypoints outside the frame are not moved to its border."""

    def construct_result(
        self, pred: torch.Tensor, img: torch.Tensor, orig_img: np.ndarray, img_path: str
    ) -> Results:
        model: Any = self.model
        keypoints = pred[:, 6:].reshape(len(pred), *model.kpt_shape).clone()
        result = super().construct_result(pred, img, orig_img, img_path)
        result.update(keypoints=_unpadded(keypoints, img.shape[2:], result.orig_shape))
        return result


def _unpadded(points: torch.Tensor, net: Sequence[int], frame: Sequence[int]) -> torch.Tensor:
    """Network px to frame px: undo ultralytics' letterbox, which rounds sizes and pads to ints."""
    gain = min(net[0] / frame[0], net[1] / frame[1])
    for axis, side in ((0, 1), (1, 0)):
        size = max(round(frame[side] * gain), 1)
        points[..., axis] -= round((net[side] - size) / 2 - 0.1)
        points[..., axis] /= size / frame[side]
    return points


def _load(path: Path) -> torch.nn.Module:
    try:
        yolo = YOLO(str(path))
    except TypeError as e:
        line = " ".join(str(e).split())
        if "outside the supported" in line:
            raise UnsafeFileError(
                f"{path} holds classes that are not ultralytics' own; nothing of it was run: "
                "use weights that ultralytics saved"
            ) from e
        raise WeightsCorruptError(f"{path} is not a YOLO model that can be read: {line}") from e
    except Exception as e:  # whatever a broken pickle makes torch raise
        raise WeightsCorruptError(
            f"{path} is not a YOLO model that can be read ({type(e).__name__}): "
            "use weights that ultralytics saved"
        ) from e
    shape = list(getattr(yolo.model, "kpt_shape", ()))
    if yolo.task != "pose" or shape != [17, 3]:
        raise ConfigError(
            f"the detector must give COCO's 17 keypoints, but {path.name} is a {yolo.task} model"
            + (f" with keypoints {shape}" if shape else "")
            + ": use a pose model such as yolo11n-pose"
        )
    return yolo.model  # type: ignore[return-value]


def _download(target: Path) -> None:
    _log.info("downloading %s to %s", target.name, target.parent)
    attempt_download_asset(str(target), progress=False, retry=0)

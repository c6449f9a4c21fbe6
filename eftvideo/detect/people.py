"""The people of a clip, frame by frame: found, searched for, followed, looked at again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from eftvideo import plugins
from eftvideo.config import DetectConfig
from eftvideo.detect.close_ups import CloseUps
from eftvideo.detect.detector import Detector
from eftvideo.detect.landmarks import load_landmark_look
from eftvideo.detect.recover import Search
from eftvideo.detect.stirring import Stirring
from eftvideo.detect.turned import TurnedLooks
from eftvideo.detect.upright import SecondLook
from eftvideo.progress import Progress
from eftvideo.setup import Setup
from eftvideo.types import FrameDetections, VideoFrame
from eftvideo.video.cuts import CutDetector
from eftvideo.video.reader import VideoReader


def detect_people(clip: VideoReader, setup: Setup, progress: Progress) -> list[FrameDetections]:
    """Detect and follow the people of a clip; ids end at cuts.

    Returns:
        One entry for each frame read, in order.
    """
    settings, device = setup.cfg.detect, setup.device
    rate = float(clip.info.fps) / setup.cfg.clip.stride
    detector = load_detector(settings, device, rate)
    close_ups = CloseUps(settings, lambda close: load_detector(close, device, rate).detect)
    search, look = Search(setup, close_ups), SecondLook(setup, close_ups)
    landmarks = load_landmark_look(setup)
    turned = TurnedLooks(setup, detector.detect, landmarks and landmarks.confirm)
    cuts, stirring = CutDetector(settings.cut_threshold), Stirring()
    frames: list[FrameDetections] = []
    with progress.stage("detect", clip.num_selected):
        for batch in _batches(clip, detector.batch_size):
            images = [f.image for f in batch]
            tracked, is_cut = [], []
            for frame, people in zip(batch, detector.detect(images), strict=True):
                is_cut.append(cuts.is_cut(frame.image))
                if is_cut[-1]:
                    detector.reset()
                    search.forget()
                    turned.forget()
                people = search.with_lost(frame.image, people, frame.time_s)
                people = turned.with_turned(frame.image, people, frame.time_s)
                tracked.append(detector.track(people, frame.image))
                search.remember(tracked[-1], frame.time_s, turned.found_xyxy)
            for frame, people, cut in zip(batch, look.again(images, tracked), is_cut, strict=True):
                if cut:
                    stirring.forget()
                    if landmarks is not None:
                        landmarks.forget()
                stirs = stirring.at(frame.image, people, frame.time_s)
                people = replace(people, stirs=stirs)
                if landmarks is not None:
                    people = landmarks.at(frame.image, people)
                frames.append(FrameDetections(frame.index, frame.time_s, people, cut))
                progress.advance(1, people=len(people))
    return frames


def load_detector(cfg: DetectConfig, device: str, frames_per_second: float = 30.0) -> Detector:
    """YOLO-pose with its tracker, ready on the device.

    Raises:
        MissingDependencyError: its library cannot be imported.
        ConfigError, WeightsNotFoundError, WeightsCorruptError: see `yolo_pose.Model`.
    """
    try:
        from eftvideo.detect.yolo_pose import Model
    except ImportError as e:
        raise plugins.missing("detector 'yolo_pose'", e) from e
    return Model(cfg, device, frames_per_second)


def _batches(frames: VideoReader, size: int) -> Iterator[list[VideoFrame]]:
    batch: list[VideoFrame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

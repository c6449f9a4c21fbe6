"""Finding the people of a clip with a detector that says what it is told to."""

from __future__ import annotations

import numpy as np
import pytest
from media import HEIGHT, WIDTH, ffmpeg

from eftvideo.config import RunConfig
from eftvideo.detect import people as detect
from eftvideo.progress import Progress
from eftvideo.types import Detections
from eftvideo.video.reader import open_video
from tests.setup_case import setup_of

BOX = np.array([40.0, 8.0, 84.0, 56.0])
LOST = 4
CFG = RunConfig().detect


def standing(xyxy, lean=0.0):
    """Somebody in a box, head above, who leans by a share of its width."""
    down, across = np.linspace(0.05, 0.95, 17), 0.45 * (-1.0) ** np.arange(17)
    x = (xyxy[0] + xyxy[2]) / 2 + (across + lean * (0.5 - down)) * (xyxy[2] - xyxy[0])
    points = np.column_stack([x, xyxy[1] + down * (xyxy[3] - xyxy[1]), np.full(17, 0.9)])
    one = np.ones(1)
    return Detections(
        xyxy[None].astype(np.float32),
        0.8 * one.astype(np.float32),
        points[None].astype(np.float32),
        -one.astype(np.int64),
    )


class Agrees:
    """Landmarks that nobody has, of a network that takes everything for a person."""

    def at(self, image, people):
        return people

    def forget(self):
        pass

    def confirm(self, image, people):
        return np.ones(len(people)), people.xyxy


class Told:
    """Sees one person in every whole frame but one, and in every close-up."""

    batch_size = 3

    def __init__(self, cfg, lean, lost):
        self.cfg, self.lean, self.lost, self.seen, self.resets = cfg, lean, lost, 0, 0
        self.on_its_side = 0

    def detect(self, images):
        return [self._of(image) for image in images]

    def _of(self, image):
        if image.shape[:2] == (WIDTH, HEIGHT):
            self.on_its_side += 1
            return Detections.empty()
        if image.shape[:2] != (HEIGHT, WIDTH):
            size = self.cfg.image_size
            assert image.shape[:2] == (size, size)
            self.seen += 1
            return standing(size * np.array([0.3, 0.13, 0.7, 0.87]))
        self.seen += 1
        return Detections.empty() if self.seen - 1 == self.lost else standing(BOX, self.lean)

    def track(self, people, image):
        ids = np.full(len(people), self.resets + 1)
        return Detections(people.xyxy, people.confidence, people.keypoints, ids)

    def reset(self):
        self.resets += 1


def plain_clip(path, *colours):
    """A quarter of a second of each colour, at 25 frames a second."""
    parts = [f"color={c}:size={WIDTH}x{HEIGHT}:rate=25:duration=0.24" for c in colours]
    inputs = [word for part in parts for word in ("-f", "lavfi", "-i", part)]
    ffmpeg(*inputs, "-filter_complex", f"concat=n={len(colours)}", str(path))
    return path


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return plain_clip(tmp_path_factory.mktemp("grey") / "grey.mp4", "gray")


@pytest.fixture
def found(grey, monkeypatch):
    """Runs the stage with settings; the frames, and the detectors that were made for it."""

    def run(*settings, lean=0.0, clip=grey, lost=LOST):
        made = []

        def load(cfg, device, rate=30.0):
            made.append(Told(cfg, lean, lost))
            return made[-1]

        monkeypatch.setattr(detect, "load_detector", load)
        off = ("detect.turned.enabled=no", "detect.landmarks.network=off")
        off += ("detect.turned.border=0", "detect.turned.afar=0")
        setup = setup_of("detect.recover.min_sightings=2", *off, *settings)
        with open_video(clip) as reader:
            return detect.detect_people(reader, setup, Progress()), made

    return run


def test_every_frame_has_its_entry(found):
    frames, _ = found("detect.recover.enabled=no")
    assert [f.frame_index for f in frames] == list(range(6))
    assert [f.time_s for f in frames] == pytest.approx([at / 25 for at in range(6)])
    assert [len(f.people) for f in frames] == [1, 1, 1, 1, 0, 1]


def test_somebody_lost_is_found_and_followed(found):
    frames, (whole, close) = found()
    assert [f.people.track_id.tolist() for f in frames] == [[1]] * 6
    assert (whole.seen, close.seen) == (6, 1)
    assert close.cfg.image_size == CFG.close_ups.size_px
    assert frames[LOST].people.xyxy[0] == pytest.approx(BOX, abs=12.0)


@pytest.mark.parametrize(
    ("off", "lost_found", "looks"),
    [
        ((), True, 1 + 2 * 6),
        (("second_look",), True, 1),
        (("recover",), False, 2 * 5),
        (("second_look", "recover"), False, 0),
    ],
)
def test_each_help_has_a_switch_of_its_own(found, off, lost_found, looks):
    """Close-ups that were looked at: one in the search, two of everybody who leans."""
    whom = "detect.second_look.whom=all"
    frames, (_, *close) = found(whom, *(f"detect.{help}.enabled=no" for help in off))
    assert [len(f.people) for f in frames] == [1] * LOST + [int(lost_found), 1]
    assert sum(c.seen for c in close) == looks
    assert len(close) == (looks > 0), "a detector for close-ups is only made where it is needed"


def test_only_those_who_lean_are_looked_at_again(found):
    for lean, looks in ((0.0, 0), (1.5, 2 * 5)):
        _, (_, *close) = found("detect.recover.enabled=no", lean=lean)
        assert sum(c.seen for c in close) == looks


def test_each_shot_begins_with_turned_looks(found, tmp_path, monkeypatch):
    """In the first frame somebody is only seen upside down."""
    monkeypatch.setattr(detect, "load_landmark_look", lambda setup: Agrees())
    clip = plain_clip(tmp_path / "cut.mp4", "white", "black")
    frames, (whole, *_) = found(
        "detect.turned.enabled=yes", "detect.recover.enabled=no", clip=clip, lost=0
    )
    assert whole.on_its_side == 2 * 2
    assert len(frames[0].people) == 1
    assert [len(f.people) for f in frames] == [1] * 12


def test_ids_end_at_a_cut(found, tmp_path):
    """Nobody is searched for behind it either."""
    clip = plain_clip(tmp_path / "cut.mp4", "white", "black")
    frames, (whole, *close) = found(clip=clip, lost=6)
    assert [f.is_cut for f in frames] == [at == 6 for at in range(12)]
    assert [f.people.track_id.tolist() for f in frames] == [[1]] * 6 + [[]] + [[2]] * 5
    assert whole.resets == 1 and not close

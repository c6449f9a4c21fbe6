"""The YOLO adapter: finding, following, refusing; no network is touched."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eftvideo.config import DetectConfig
from eftvideo.types import Detections

torch = pytest.importorskip("torch")
yolo_pose = pytest.importorskip("eftvideo.detect.yolo_pose")

CFG = DetectConfig()
SIZE = (480, 640, 3)
BLANK = np.zeros(SIZE, np.uint8)


@pytest.fixture(scope="module")
def model():
    return yolo_pose.Model(CFG, "cpu")


@pytest.fixture(scope="module")
def bus():
    """Ultralytics' sample photo: four people beside a bus; (1080, 810, 3) RGB."""
    import cv2

    folder = Path(importlib.util.find_spec("ultralytics").origin).parent / "assets"
    image = cv2.imread(str(folder / "bus.jpg"))
    return np.ascontiguousarray(image[..., ::-1])


def boxes_of(rows):
    """Detections of (left, top, width, height, score) rows."""
    rows = np.array(rows, np.float32).reshape(-1, 5)
    xyxy = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    keypoints = np.zeros((len(rows), 17, 3), np.float32)
    keypoints[..., :2] = xyxy[:, None, :2]
    return Detections(xyxy, rows[:, 4], keypoints, np.full(len(rows), -1, np.int64))


def follow(model, clip):
    """What `track` says of each frame: {left edge of the box: id}."""
    out = []
    for rows in clip:
        people = model.track(boxes_of(rows), BLANK)
        ids = people.track_id.tolist()
        out.append(dict(zip(people.xyxy[:, 0].tolist(), ids, strict=True)))
    return out


@pytest.fixture
def tracker(model):
    """Makes a Model that tracks as asked, without loading the network again."""

    def make(cfg=CFG, rate=25.0):
        fresh = object.__new__(yolo_pose.Model)
        fresh._cfg, fresh._rate, fresh._ids_used = cfg, rate, 0
        fresh.reset()
        return fresh

    return make


def test_people_of_the_sample_photo(model, bus):
    (people,) = model.detect([bus])
    sure = people.select(people.confidence > 0.5)
    centres = sorted(((sure.xyxy[:, 0] + sure.xyxy[:, 2]) / 2).tolist())
    assert centres == pytest.approx([147, 285, 740], abs=25)
    assert set(people.track_id) == {-1}
    walker = sure.keypoints[np.argmin(np.abs(sure.xyxy[:, 0] - 50))]
    nose, ankles = walker[0], walker[[15, 16]]
    assert nose[2] > 0.5 and (ankles[:, 2] > 0.5).all()
    assert 400 < nose[1] < 500 and (ankles[:, 1] > 780).all()


def test_colours_are_taken_as_rgb(model, bus):
    """The network sees what ultralytics itself shows it for the BGR picture."""
    from ultralytics.engine.results import Results

    seen = []

    class Spy(yolo_pose._Predictor):
        def preprocess(self, im):
            out = super().preprocess(im)
            seen.append(out)
            return out

    original = model._predictor.__class__
    model._predictor.__class__ = Spy
    try:
        red = np.zeros((64, 64, 3), np.uint8)
        red[..., 0] = 255
        assert isinstance(model._predictor([red[..., ::-1].copy()])[0], Results)
        model.detect([red])
    finally:
        model._predictor.__class__ = original
    assert torch.equal(seen[0], seen[1])
    assert seen[1][0, 0].mean() > 0.9 and seen[1][0, 2].mean() < 0.1


def test_batch_is_one_by_one(model, bus):
    other = bus[:, ::-1].copy()
    model.batch_size = 2
    try:
        together = model.detect([bus, other, bus])
    finally:
        model.batch_size = 1
    apart = [model.detect([image])[0] for image in (bus, other, bus)]
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a.xyxy, b.xyxy, atol=0.01)
        np.testing.assert_allclose(a.keypoints, b.keypoints, atol=0.01)
    assert model.detect([]) == []


def test_keypoints_are_not_moved_to_the_border(model, bus):
    """The walker's lower half cut away: hidden ankles are guessed below the picture, if at all."""
    (people,) = model.detect([bus[:700]])
    walker = people.select(people.confidence > 0.5)
    below = walker.keypoints[..., 1] > 700
    assert below.any()
    assert (people.xyxy[:, 3] <= 700).all()


def test_undoing_the_letterbox():
    points = torch.tensor([[[0.0, 12.0, 1.0], [640.0, 628.0, 0.5]]])
    out = yolo_pose._unpadded(points, (640, 640), (616 * 2, 1280))
    expected = [[[0.0, 0.0, 1.0], [1280.0, 1232.0, 0.5]]]
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-4)


def test_a_foreign_result_without_people_is_nobody(model):
    assert len(model.detect([BLANK])[0]) == 0

    class Nothing:
        boxes = None
        keypoints = None

    assert len(yolo_pose.from_ultralytics(Nothing())) == 0


def test_a_foreign_result_becomes_detections():
    class Boxes:
        xyxy = torch.tensor([[1.0, 2.0, 30.0, 40.0]])
        conf = torch.tensor([0.75])

        def __len__(self):
            return 1

    class Keypoints:
        data = torch.arange(51.0).reshape(1, 17, 3)

    class Result:
        boxes = Boxes()
        keypoints = Keypoints()

    people = yolo_pose.from_ultralytics(Result())
    assert people.xyxy.tolist() == [[1, 2, 30, 40]]
    assert people.confidence.tolist() == [0.75]
    assert people.keypoints.dtype == np.float32
    assert people.keypoints[0, 16].tolist() == [48, 49, 50]
    assert people.track_id.tolist() == [-1]


@pytest.mark.parametrize("name", ["bytetrack", "botsort"])
def test_ids_hold_for_people_who_pass_each_other(tracker, name):
    a = [(10 + 8 * t, 100, 50, 120, 0.9) for t in range(60)]
    b = [(500 - 8 * t, 180, 50, 120, 0.9) for t in range(60)]
    out = follow(tracker(replace(CFG, tracker=name)), list(zip(a, b, strict=True)))
    assert [o[10 + 8 * t] for t, o in enumerate(out)] == [out[0][10]] * 60
    assert [o[500 - 8 * t] for t, o in enumerate(out)] == [out[0][500]] * 60


def test_a_track_has_its_first_frame(tracker):
    late = [[(10, 100, 50, 120, 0.9)]] * 3 + [
        [(10, 100, 50, 120, 0.9), (300, 100, 50, 120, 0.9)]
    ] * 2
    out = follow(tracker(), late)
    assert [sorted(o.values()) for o in out] == [[1], [1], [1], [1, 2], [1, 2]]


@pytest.mark.parametrize(
    "rate, missing, same",
    [(25.0, 20, True), (25.0, 30, False), (5.0, 4, True), (5.0, 8, False)],
)
def test_gap_is_counted_in_seconds(tracker, rate, missing, same):
    row = (100, 100, 50, 120, 0.9)
    clip = [[row]] * 5 + [[]] * missing + [[row]] * 3
    out = follow(tracker(replace(CFG, max_gap_s=1.0), rate), clip)
    assert (out[4][100] == out[-1][100]) is same
    assert all(o == {} for o in out[5 : 5 + missing])


def test_low_scores_carry_a_track_on_but_start_none(tracker):
    clip = [[(100, 100, 50, 120, s), (400, 100, 50, 120, 0.15)] for s in (0.9, 0.15, 0.15, 0.9)]
    assert follow(tracker(), clip) == [{100.0: 1}] * 4


def test_a_cut_ends_ids_and_none_comes_back(tracker):
    row = [(100, 100, 50, 120, 0.9)]
    model = tracker()
    before = follow(model, [row] * 3)
    model.reset()
    after = follow(model, [row] * 3)
    assert before == [{100.0: 1}] * 3
    assert after == [{100.0: 2}] * 3


def test_rows_keep_their_own_keypoints(tracker):
    people = tracker().track(
        boxes_of([(300, 0, 50, 90, 0.5), (10, 0, 50, 90, 0.9), (150, 0, 50, 90, 0.05)]), BLANK
    )
    assert people.xyxy[:, 0].tolist() == [300, 10]
    assert people.keypoints[:, 0, 0].tolist() == [300, 10]
    assert people.confidence.tolist() == pytest.approx([0.5, 0.9])

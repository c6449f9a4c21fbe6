"""The data between the stages: shapes are checked at birth, selections keep rows together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eftvideo.types import Crops, Detections, Landmarks, Prediction, SmplParams


def detections(num=3):
    rows = np.arange(num, dtype=np.float32)
    return Detections(
        np.repeat(rows[:, None], 4, axis=1),
        rows / 10,
        np.broadcast_to(rows[:, None, None], (num, 17, 3)).copy(),
        np.arange(num),
    )


def crops(num=3):
    rows = torch.arange(float(num))
    return Crops(
        rows[:, None, None].expand(num, 17, 3),
        rows[:, None].expand(num, 2),
        rows,
        rows,
        rows[:, None].expand(num, 2),
        context=rows[:, None, None, None].expand(num, 5, 17, 3),
        image=rows[:, None, None, None].expand(num, 3, 8, 8),
        betas=rows[:, None].expand(num, 10),
        landmarks=rows[:, None, None, None].expand(num, 6, 33, 7),
        trust=rows[:, None].expand(num, 50),
    )


def params(num=3, value=0.0):
    rows = torch.arange(float(num)) + value
    return SmplParams(
        rows[:, None, None].expand(num, 3, 3),
        rows[:, None, None, None].expand(num, 23, 3, 3),
        rows[:, None].expand(num, 10),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xyxy": np.zeros((3, 5))}, r"xyxy must have shape \(N, 4\), but got \(3, 5\)"),
        ({"confidence": np.zeros(2)}, r"confidence must have shape \(3\), but got \(2,\)"),
        ({"keypoints": np.zeros((3, 17, 2))}, r"keypoints must have shape \(3, 17, 3\)"),
        ({"track_id": np.zeros((3, 1))}, r"track_id must have shape \(3\)"),
    ],
)
def test_wrong_detections_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Detections(**(vars(detections()) | change))


@pytest.mark.parametrize(
    "name", ["keypoints", "center_px", "size_px", "focal_length_px", "image_size_px"]
)
def test_wrong_crops_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        Crops(**(vars(crops()) | {name: torch.zeros(3, 9)}))


@pytest.mark.parametrize("name", ["global_orient", "body_pose", "betas"])
def test_wrong_parameters_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        SmplParams(**(vars(params()) | {name: torch.zeros(3, 9)}))


def test_wrong_prediction_is_refused():
    with pytest.raises(ValueError, match=r"pred_cam must have shape \(3, 3\), but got \(2, 3\)"):
        Prediction(params(), torch.zeros(2, 3))


def test_select_takes_every_field():
    some = detections().select(np.array([False, True, True]))
    assert len(some) == 2 and some.track_id.tolist() == [1, 2]
    assert some.keypoints[:, 0, 0].tolist() == some.xyxy[:, 0].tolist() == [1.0, 2.0]
    one = crops().select(torch.tensor([2]))
    for name, value in vars(one).items():
        assert value.shape[0] == 1 and (value == 2).all(), name
    answer = Prediction(params(), torch.arange(9.0).reshape(3, 3)).select(torch.tensor([1]))
    assert answer.pred_cam.tolist() == [[3.0, 4.0, 5.0]]
    assert (answer.params.body_pose == 1).all() and len(answer) == 1


def test_evidence_is_keypoints_and_what_is_seen_of_the_landmarks():
    both = replace(crops(), trust=None)
    assert both.evidence.shape == (3, 50, 3)
    assert (both.evidence[:, :17] == both.keypoints).all()
    assert both.evidence[2, 17].tolist() == [2.0, 2.0, 4.0]
    assert (replace(both, landmarks=None).evidence == both.keypoints).all()
    trusted = crops().evidence
    assert (trusted[..., :2] == both.evidence[..., :2]).all() and (trusted[2, :, 2] == 2.0).all()


def test_nobody_looked_where_landmarks_are_left_out():
    some = detections()
    assert len(some.landmarks) == len(some) and not some.landmarks.score.any()
    with pytest.raises(ValueError, match=r"landmarks\.score must have shape"):
        Detections(**(vars(some) | {"landmarks": Landmarks.none(2)}))


def test_select_without_context_and_image():
    bare = Crops(**(vars(crops()) | {"context": None, "image": None}))
    some = bare.select(torch.tensor([0, 2]))
    assert some.context is None and some.image is None and len(some) == 2


def test_where_takes_each_person_from_one_side():
    ours = Prediction(params(), torch.zeros(3, 3))
    theirs = Prediction(params(value=10.0), torch.ones(3, 3))
    mixed = ours.where(torch.tensor([True, False, True]), theirs)
    assert mixed.pred_cam[:, 0].tolist() == [0.0, 1.0, 0.0]
    for value in vars(mixed.params).values():
        assert value.flatten(1)[:, 0].tolist() == [0.0, 11.0, 2.0]


def test_nobody():
    assert len(Detections.empty()) == 0
    assert len(Detections.empty().select(np.zeros(0, bool))) == 0

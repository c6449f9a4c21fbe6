"""Scoring a result: figures worked out by hand, who is matched with whom, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from evaluation_data import COCO, CROP_PX, FOCAL_PX, FPS, POSE, people, result_of, truth_of
from typer.testing import CliRunner

from eftvideo.cli.app import app
from eftvideo.errors import ConfigError
from eftvideo.evaluate.score import JOINT_SETS, UNITS, evaluate
from eftvideo.evaluate.truth import save_truth
from eftvideo.geometry.skeletons import COCO17, SMPL24
from eftvideo.results.result_file import save_result

ONE = people((1, list(range(6)), 0.0))


def changed(rows, **changes):
    """Copies of the rows with functions applied to some of them."""
    out = {name: value.copy() for name, value in rows.items()}
    for name, change in changes.items():
        out[name] = change(out[name])
    return out


def test_the_truth_itself_scores_perfectly():
    got = evaluate(result_of(ONE), truth_of(ONE))
    for name in ("mpjpe", "pa_mpjpe", "root", "error_2d", "accel_error"):
        assert got.overall[name] == pytest.approx(0.0, abs=2e-2), name
    assert got.overall["pck"] == 100.0
    assert got.overall["auc"] >= 100.0 * 30 / 31 - 1e-9  # float32 joints miss the threshold of 0
    assert got.joints == "lsp14" and got.counts["matched"] == 6 and got.counts["missed"] == 0
    assert np.isnan(got.overall["pve"]) and got.to_dict()["overall"]["pve"] is None


def test_a_shift_moves_the_root_only():
    rows = changed(
        ONE, joints3d=lambda j: j + np.array([0.0, 0.03, 0.04]), keypoints3d=lambda k: k + 0.0
    )
    got = evaluate(result_of(rows), truth_of(ONE)).overall
    assert got["root"] == pytest.approx(50.0, abs=1e-2)
    assert got["mpjpe"] == pytest.approx(0.0, abs=1e-3)


def test_one_joint_off_by_hand():
    def off(joints):
        joints[:, SMPL24.index("left_wrist")] += [0.0, 0.3, 0.4]
        return joints

    got = evaluate(result_of(changed(ONE, joints3d=off)), truth_of(ONE), joints="limbs12")
    assert got.overall["mpjpe"] == pytest.approx(500.0 / 12, abs=1e-2)
    assert got.overall["pck"] == pytest.approx(100.0 * 11 / 12)
    assert got.per_joint["left_wrist"] == {
        "mpjpe": pytest.approx(500.0, abs=1e-2),
        "pa_mpjpe": max(values["pa_mpjpe"] for values in got.per_joint.values()),
        "pck": 0.0,
    }
    assert got.per_joint["right_wrist"]["mpjpe"] == pytest.approx(0.0, abs=1e-3)
    assert got.overall["pa_mpjpe"] > 0.0


def test_scale_and_turn_are_removed_but_no_reflection():
    pelvis = ONE["joints3d"][:, :1]
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = changed(ONE, joints3d=lambda j: 1.3 * (j - pelvis) @ turn.T + pelvis)
    got = evaluate(result_of(turned), truth_of(ONE), gate=10.0).overall
    assert got["pa_mpjpe"] == pytest.approx(0.0, abs=1e-2) and got["mpjpe"] > 100.0
    mirrored = changed(ONE, joints3d=lambda j: (j - pelvis) * [-1, 1, 1] + pelvis)
    got = evaluate(result_of(mirrored), truth_of(ONE), gate=10.0).overall
    assert got["pa_mpjpe"] > 50.0


def test_joints_that_the_truth_lacks_are_left_out():
    def lack(joints):
        joints[:, SMPL24.index("head")] = np.nan
        return joints

    def off(joints):
        joints[:, SMPL24.index("head")] += 9.0
        return joints

    got = evaluate(result_of(changed(ONE, joints3d=off)), truth_of(changed(ONE, joints3d=lack)))
    assert got.overall["mpjpe"] == pytest.approx(0.0, abs=1e-3)
    assert got.overall["pa_mpjpe"] == pytest.approx(0.0, abs=1e-3)
    assert np.isnan(got.per_joint["head"]["mpjpe"])


def test_keypoints_alone_are_enough():
    rows = {name: ONE[name] for name in ("frame", "track_id", "keypoints3d")}

    def off(keypoints):
        keypoints[:, COCO17.index("nose"), 1] += 0.17
        return keypoints

    got = evaluate(result_of(changed(ONE, keypoints3d=off)), truth_of(rows))
    assert got.joints == "coco17"
    assert got.overall["mpjpe"] == pytest.approx(10.0, abs=1e-2)
    with pytest.raises(ConfigError, match="unknown joint set 'feet'"):
        evaluate(result_of(ONE), truth_of(rows), joints="feet")


def test_picture_error_by_hand():
    def off(keypoints):  # 8 px in the picture, by a crop of 448 px: 4 px
        keypoints[..., 0] += 8.0 / FOCAL_PX * keypoints[..., 2]
        return keypoints

    got = evaluate(result_of(changed(ONE, keypoints3d=off)), truth_of(ONE)).overall
    assert got["error_2d"] == pytest.approx(4.0, abs=1e-3)
    assert got["error_2d_median"] == pytest.approx(8.0 * 224 / CROP_PX, abs=1e-3)


def test_labels_in_the_picture_come_before_projections():
    seen = np.zeros((6, 17, 3))
    nose = COCO + np.array([0.0, 0.1, 5.0])
    px = nose[0, :2] / nose[0, 2] * FOCAL_PX + [640, 360]
    seen[:, 0] = [px[0], px[1] + 34.0, 1.0]
    got = evaluate(result_of(ONE), truth_of(ONE, keypoints2d=seen)).overall
    assert got["error_2d"] == pytest.approx(34.0 / 17**0.5 / 2, abs=1e-3)


def test_motion_figures_by_hand():
    def shake(joints):  # every second frame 10 mm up, the pelvis not: |a - 2 b + c| = 20 mm
        joints[1::2, 1:, 1] += 0.01
        return joints

    got = evaluate(result_of(changed(ONE, joints3d=shake)), truth_of(ONE)).overall
    assert got["accel_error"] == pytest.approx(20.0 * FPS**2, rel=1e-3)
    assert got["jitter"] == pytest.approx(20.0 * FPS**2, rel=1e-3)
    assert got["jitter_truth"] == pytest.approx(0.0, abs=1.0)


def test_motion_stops_at_gaps_and_at_new_ids():
    gap = people((1, [0, 1, 3, 4], 0.0))
    assert np.isnan(evaluate(result_of(gap), truth_of(gap)).overall["jitter"])
    new_id = changed(ONE, track_id=lambda t: np.array([1, 1, 2, 2, 1, 1]))
    got = evaluate(result_of(new_id), truth_of(ONE))
    assert np.isnan(got.overall["jitter"]) and got.counts["id_switches"] == 2


def test_people_are_matched_by_the_picture():
    found = people((7, [0, 1], 1.0), (8, [0, 1], -1.0), (9, [1], 3.0))
    true = people((1, [0, 1], -1.02), (2, [0, 1], 1.02), (3, [0], -2.6))
    got = evaluate(result_of(found), truth_of(true))
    want = {"frames": 2, "true_people": 5, "matched": 4, "missed": 1, "false_people": 1}
    assert {name: got.counts[name] for name in want} == want
    assert got.overall["mpjpe"] == pytest.approx(0.0, abs=1e-3)
    assert got.overall["root"] == pytest.approx(20.0, abs=0.1)
    assert set(got.per_person) == {1, 2}


def test_the_best_sum_beats_the_nearest_first():
    """Nearest first would pair 0.0 with 0.1 and leave a pair 0.55 m apart: too far."""
    found, true = people((1, [0], 0.0), (2, [0], 0.3)), people((5, [0], 0.1), (6, [0], -0.25))
    got = evaluate(result_of(found), truth_of(true), gate=0.4)
    assert got.counts["matched"] == 2


def test_rows_that_are_not_scored():
    """They take up their people, and nobody in their frames counts as false."""
    true = truth_of(people((1, [0, 1], 0.0)), scored=np.array([False, True]))
    found = result_of(people((1, [0, 1], 0.0), (2, [0, 1, 2], 2.0)))
    counts = evaluate(found, true).counts
    assert (counts["matched"], counts["true_people"], counts["false_people"]) == (1, 1, 1)


def test_frames_that_the_run_left_out_are_not_missed():
    true = truth_of(people((1, list(range(20)), 0.0)))
    clip = {"start_s": 4 / FPS, "end_s": 12 / FPS, "stride": 2}
    found = result_of(people((1, [4, 6, 8, 10], 0.0)), config={"clip": clip})
    counts = evaluate(found, true).counts
    assert (counts["matched"], counts["missed"]) == (4, 0)
    lost = result_of(people((1, [4, 8, 10], 0.0)), config={"clip": clip})
    assert evaluate(lost, true).counts["missed"] == 1


def test_nobody_found():
    got = evaluate(result_of(people()), truth_of(ONE))
    assert got.counts["missed"] == 6 and got.counts["matched"] == 0
    assert all(np.isnan(value) for value in got.overall.values())


def test_camera_of_the_truth_is_its_own():
    """Another focal length and principal point: the same person, elsewhere in the picture."""
    true = truth_of(ONE, focal_length_px=500.0, principal_px=np.array([100.0, 100.0]))
    assert evaluate(result_of(ONE), true).counts["matched"] == 0


def run(*args):
    return CliRunner().invoke(app, ["eval", *map(str, args)])


@pytest.fixture
def files(tmp_path):
    save_result(tmp_path / "result.npz", result_of(ONE))
    save_truth(tmp_path / "truth.npz", truth_of(changed(ONE, joints3d=lambda j: j * 1.01)))
    return tmp_path / "result.npz", tmp_path / "truth.npz"


def test_command_prints_and_writes(files, tmp_path):
    result, truth = files
    shown = run(result, "--truth", truth, "--json", tmp_path / "a.json")
    assert shown.exit_code == 0, shown.output
    for word in (*UNITS, *JOINT_SETS["lsp14"], "6 of 6 person-frames found, 0 missed, 0 false"):
        assert word in shown.output
    figures = json.loads((tmp_path / "a.json").read_text())
    assert json.loads(run(result, "--truth", truth, "--json", "-").output) == figures
    extent = np.linalg.norm(POSE - POSE[0], axis=1)
    names = [SMPL24.index(n) for n in JOINT_SETS["lsp14"]]
    assert figures["overall"]["mpjpe"] == pytest.approx(10 * extent[names].mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nothing.npz", "--truth", "TRUTH"], "nothing.npz not found"),
        (["RESULT", "--truth", "nothing.npz"], "nothing.npz not found"),
        (["RESULT", "--truth", "nothing.pkl"], "nothing.pkl not found"),
        (["RESULT", "--truth", "TRUTH", "--joints", "toes"], "unknown joint set 'toes'"),
        (["RESULT", "--truth", "TRUTH", "--joints", "h36m14"], "h36m14 needs --h36m-regressor"),
        (["RESULT", "--truth", "TRUTH", "--truth-body", "male"], "must be NAME=FILE"),
        (["RESULT", "--truth", "TRUTH", "--json", "no/such/folder.json"], "cannot write"),
    ],
)
def test_command_errors_are_one_line(files, args, words):
    places = {"RESULT": str(files[0]), "TRUTH": str(files[1])}
    done = run(*(places.get(a, a) for a in args))
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and words in lines[0], done.output

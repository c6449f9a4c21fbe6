"""The drawn benchmark: what is in the picture is where its truth says, and is scored as such."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pose_library import write_library

from eftvideo.bodies import load_body
from eftvideo.config import ClipConfig
from eftvideo.errors import MissingDependencyError
from eftvideo.evaluate.match import project_points
from eftvideo.evaluate.truth import load_truth
from eftvideo.renderers.pyrender_mesh import probe_gl
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.video.reader import open_video

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# A process of its own: the benchmark binds PyOpenGL through pyrender, in its own way.
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
from rendered import Clip, Person, draw_clip
from eftvideo.bodies import load_body
from eftvideo.train.synthetic.motions import MotionLibrary
folder = Path(sys.argv[2])
library = MotionLibrary(folder / "poses.npz", held_out=True)
people = (
    Person(library.clip_names[0], 0, 20.0, (-0.7, 4.0)),
    Person(library.clip_names[0], 8, 90.0, (0.7, 5.0)),
)
clip = Clip("two", people, 60.0, 5.0, 3, num_frames=4, size=(480, 270))
photo = np.full((270, 480, 3), (0, 255, 0), np.uint8)
draw_clip(clip, library, load_body(), photo, folder)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a drawn clip and its truth."""
    try:
        if probe_gl()[0] != "egl":
            pytest.skip("this benchmark draws with EGL")
    except MissingDependencyError:
        pytest.skip("no OpenGL on this machine")
    path = tmp_path_factory.mktemp("drawn")
    write_library(path / "poses.npz")
    assert MotionLibrary(path / "poses.npz", held_out=True).clip_names
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(BENCHMARKS), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return path


def test_people_are_drawn_where_the_truth_is(folder):
    """The ground is green above the floor: above people's heads it shows, on their trunks not."""
    truth = load_truth(folder / "two_truth.npz")
    assert (
        truth.frame.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] and truth.track_id.tolist() == [1, 2] * 4
    )
    with open_video(folder / "two.mp4", ClipConfig()) as clip:
        images = [frame.image.astype(int) for frame in clip]
    assert len(images) == 4 and images[0].shape == (270, 480, 3)
    chest = [6, 9, 12, 15]  # spine2, spine3, neck, head
    px = project_points(truth.joints3d, truth.focal_length_px, np.array([240.0, 135.0]))
    for row, frame in enumerate(truth.frame):
        for x, y in px[row, chest]:
            assert _green(images[frame], x, y) < 60
        trunk = px[row, 15] - px[row, 0]
        assert _green(images[frame], *(px[row, 15] + 0.6 * trunk)) > 120  # above the head


def _green(image, x, y):
    """How green a spot is, 0..255."""
    r, g, b = image[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].mean(axis=(0, 1))
    return g - max(r, b)


def test_truth_has_the_body_that_was_drawn(folder):
    import torch

    from eftvideo.geometry.rotations import axis_angle_to_matrix
    from eftvideo.types import SmplParams

    truth, body = load_truth(folder / "two_truth.npz"), load_body()
    assert set(truth.body) == {body.name} and truth.scored.all()
    turns = np.concatenate([truth.global_orient, truth.body_pose], axis=1).reshape(-1, 24, 3)
    matrices = axis_angle_to_matrix(torch.from_numpy(turns).float())
    params = SmplParams(matrices[:, 0], matrices[:, 1:], torch.from_numpy(truth.betas).float())
    joints, keypoints = body.joints_and_keypoints(params)
    transl = truth.transl[:, None]
    np.testing.assert_allclose(joints.numpy() + transl, truth.joints3d, atol=1e-4)
    np.testing.assert_allclose(keypoints.numpy() + transl, truth.keypoints3d, atol=1e-4)

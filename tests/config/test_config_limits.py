"""Values that no run survives are refused before it begins."""

import pytest

from eftvideo.config import RunConfig
from eftvideo.config.dotted import leaves, set_values
from eftvideo.errors import ConfigError, EftVideoError, ResultFormatError, VideoWriteError
from eftvideo.outputs import Outputs
from eftvideo.results.result_file import load_result
from eftvideo.setup import choose_device, full_frame_camera
from eftvideo.types import VideoInfo


@pytest.mark.parametrize(
    "setting",
    [
        "refine.smooth.bandwidths_s=",
        "refine.smooth.bandwidths_s=0",
        "refine.smooth.bandwidths_s=-1",
        "refine.smooth.depth_factor=0",
        "refine.smooth.share_joints=0",
        "track.join.max_growth=1",
        "fit.crop.box_scale=1e300",
        "fit.crop.min_size_px=1e300",
        "keypoints.face_weight=1e300",
        "fit.smplify.pose_weight=1e300",
        "fit.chunks.rows_asked=99999999999999999999",
        "fit.eft.stall_steps=99999999999999999999",
        "detect.image_size=99999999999",
        "detect.image_size=1",
        "detect.close_ups.size_px=1",
        "draw.preset=bogus",
        "fov_deg=180",
    ],
)
def test_refused(setting):
    name = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=name) as error:
        set_values(RunConfig(), [setting])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name", [n for n, leaf in leaves(RunConfig()).items() if not leaf.kind.many]
)
@pytest.mark.parametrize("value", ["1e300", "-1e300", "nan"])
def test_no_number_is_without_end(name, value):
    kind = leaves(RunConfig())[name].kind
    if kind.base in (int, float) and not kind.choices:
        with pytest.raises(ConfigError, match=name):
            set_values(RunConfig(), [f"{name}={value}"])


@pytest.mark.parametrize(
    "setting", ["focal_length_px=1e-9", "focal_length_px=1e8", "fov_deg=179.9999999"]
)
def test_a_focal_length_that_no_camera_has(setting, tmp_path):
    info = VideoInfo(tmp_path, 640, 480, 30, 1, 1.0, 0, False)
    with pytest.raises(ConfigError, match=r"focal length must be from 6\.4 to 640000 px"):
        full_frame_camera(info, set_values(RunConfig(), [setting]))


def test_devices():
    assert choose_device("cpu:0") == "cpu"
    with pytest.raises(ConfigError, match="cpu:3"):
        choose_device("cpu:3")


@pytest.mark.parametrize("old", [{"eft": {"num_steps": 3}}, {"shape": ["x"]}, {"shape": "bogus"}])
def test_old_names_with_nonsense(old):
    with pytest.raises(EftVideoError):
        RunConfig(**old)


@pytest.mark.parametrize("name", ["clip.npz", "clip_overlay.mp4", "clip_report.html"])
def test_a_folder_in_the_place_of_a_file(name, tmp_path):
    (tmp_path / name).mkdir()
    cfg = set_values(RunConfig(), ["draw.report=yes"]).draw
    with pytest.raises(VideoWriteError, match="is a folder"):
        Outputs.prepare(tmp_path / "clip.mp4", tmp_path, cfg)


def test_a_result_that_is_none(tmp_path):
    path = tmp_path / "some.mp4"
    path.write_bytes(b"no zip")
    for wrong in (path, tmp_path):
        with pytest.raises(ResultFormatError, match=r"give the \.npz that a run wrote"):
            load_result(wrong)

"""Writing clips: the source's frames, times, size, colours and sound; nothing half-written."""

import logging
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest
from media import ffmpeg, make_clip, numbered_frame, read_number, stream_hash, tone

from eftvideo.config import ClipConfig
from eftvideo.errors import VideoWriteError
from eftvideo.types import VideoInfo
from eftvideo.video.probe import probe
from eftvideo.video.reader import open_video
from eftvideo.video.writer import VideoWriter

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")


def rewrite(source, target, clip=None):
    """Copies a clip frame by frame through the reader and the writer."""
    with open_video(source, clip) as reader, VideoWriter(target, reader.info, source, clip) as out:
        for frame in reader:
            out.write(frame.image, frame.time_s)
    return probe(target)


def info(path, width=64, height=48, fps=Fraction(25)):
    return VideoInfo(path, width, height, fps, 0, 0.0, 0, False)


def only_files(folder, *names):
    return sorted(p.name for p in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("rate", ["25", "30000/1001", "24000/1001", "60", "7", "29.83"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_rate_and_duration_are_the_sources(tmp_path, rate, suffix):
    source = make_clip(tmp_path / f"in.{suffix}", 15, rate=rate)
    old, new = probe(source), rewrite(source, tmp_path / "out.mp4")
    assert new.fps == old.fps
    assert len(new.ticks) == 15
    assert new.times_s == pytest.approx(old.times_s, abs=6e-4 if suffix == "mkv" else 1e-6)
    assert new.duration_s == pytest.approx(15 / float(old.fps), abs=1e-4)
    assert [read_number(f.image) for f in open_video(tmp_path / "out.mp4")] == list(range(15))


def test_variable_rate_keeps_each_frames_time(tmp_path):
    plain = make_clip(tmp_path / "plain.mp4", 10, rate="10")
    source = tmp_path / "vfr.mp4"
    slower = "setpts='if(lt(N,5),N,5+(N-5)*2.7)*0.1/TB'"
    options = ("-vf", slower, "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-bf", "0")
    ffmpeg("-i", str(plain), *options, str(source))
    old, new = probe(source), rewrite(source, tmp_path / "out.mp4")
    assert not old.constant_rate
    assert old.times_s[9] == pytest.approx(1.58, abs=1e-4)
    assert new.times_s == pytest.approx(old.times_s, abs=1e-6)
    assert new.duration_s == pytest.approx(old.duration_s, abs=1e-3)


@pytest.mark.parametrize("size", [(64, 48), (65, 48), (64, 49), (63, 47)])
def test_the_size_is_the_sources_odd_ones_too(tmp_path, size):
    out = tmp_path / "out.mp4"
    with VideoWriter(out, info(out, *size)) as writer:
        for i in range(3):
            writer.write(numbered_frame(i, *size), i / 25)
    made = probe(out)
    assert (made.width_px, made.height_px) == size
    assert [read_number(f.image) for f in open_video(out)] == [0, 1, 2]


def test_same_frames_give_the_same_file(tmp_path, monkeypatch):
    """Whatever was in memory before: the C library fills it differently each time here."""
    rng = np.random.default_rng(1)
    ground = rng.integers(0, 255, (210, 300, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    contents = set()
    for fill in ("0", "1", "165"):
        monkeypatch.setenv("MALLOC_PERTURB_", fill)
        with VideoWriter(tmp_path / "out.mp4", info(tmp_path, 812, 720)) as writer:
            for k in range(50):
                writer.write(ground[2 * k : 2 * k + 720, 3 * k : 3 * k + 812], k / 25)
        contents.add((tmp_path / "out.mp4").read_bytes())
    assert len(contents) == 1


def test_colours_stay(tmp_path):
    """Patches of strong colours come back the same to the eye, and tagged as BT.709."""
    out = tmp_path / "out.mp4"
    colours = np.array(
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 255, 255], [0, 0, 0],
         [128, 128, 128], [200, 120, 60]], np.uint8
    )  # fmt: skip
    image = np.tile(colours.repeat(16, 0), (64, 1, 1))
    with VideoWriter(out, info(out, 128, 64)) as writer:
        for i in range(3):
            writer.write(image, i / 25)
    back = next(iter(open_video(out))).image
    middles = back[32, 8::16].astype(int)
    assert np.abs(middles - colours).max() <= 4


def test_rotated_sources_are_written_upright(tmp_path):
    plain, source = make_clip(tmp_path / "plain.mp4", 3), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", str(plain), "-c", "copy", str(source))
    made = rewrite(source, tmp_path / "out.mp4")
    assert (made.width_px, made.height_px, made.rotation_deg) == (64, 128, 0)


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus", "flac"])
def test_sound_is_copied_not_encoded_anew(tmp_path, codec):
    source = tmp_path / "in.mkv"
    make_clip(source, 25, inputs=tone(1), options=(*X264, "-c:a", codec))
    rewrite(source, tmp_path / "out.mp4")
    assert stream_hash(tmp_path / "out.mp4", "a:0") == stream_hash(source, "a:0")


def test_sound_that_mp4_cannot_hold_is_encoded_with_a_warning(tmp_path, caplog):
    source = make_clip(
        tmp_path / "in.mkv", 25, inputs=tone(1), options=(*X264, "-c:a", "pcm_s16le")
    )
    with caplog.at_level(logging.WARNING):
        made = rewrite(source, tmp_path / "out.mp4")
    assert made.audio_codecs == ("aac",)
    assert "pcm_s16le" in caplog.text


def sound_onset_s(path):
    """When the sound gets loud, in the file's time."""
    raw = ffmpeg(
        *("-i", str(path), "-map", "0:a", "-af", "aresample=async=1:first_pts=0"),
        *("-ac", "1", "-ar", "8000", "-f", "s16le", "-"),
    )
    loud = np.abs(np.frombuffer(raw, np.int16).astype(int)) > 2000
    return int(loud.argmax()) / 8000


@pytest.mark.parametrize(
    ("clip", "onset_s"),
    [
        (None, 1.2),
        (ClipConfig(start_s=0.8), 0.4),
        (ClipConfig(start_s=0.81, end_s=1.6), 0.36),
        (ClipConfig(start_s=0.8, stride=3), 0.4),
    ],
)
def test_sound_stays_with_the_pictures(tmp_path, clip, onset_s):
    """A beep that starts at 1.2 s, with frame 30."""
    source = tmp_path / "in.mp4"
    beep = ("-f", "lavfi", "-t", "2", "-i", "aevalsrc='0.8*sin(2000*t)*gt(t,1.2)':s=44100")
    make_clip(source, 50, inputs=beep, options=(*X264, "-g", "250", "-c:a", "aac"))
    out = tmp_path / "out.mp4"
    made = rewrite(source, out, clip)
    assert sound_onset_s(out) == pytest.approx(onset_s, abs=0.03)
    shown = [(f.time_s, read_number(f.image)) for f in open_video(out)]
    assert min(t for t, number in shown if number >= 30) == pytest.approx(onset_s, abs=0.09)
    if clip and clip.end_s:
        wanted = len(shown) / 25
        assert made.header_duration_s == pytest.approx(wanted, abs=0.05)


def test_stride_keeps_the_pace(tmp_path):
    source = make_clip(tmp_path / "in.mp4", 25)
    made = rewrite(source, tmp_path / "out.mp4", ClipConfig(stride=5))
    assert made.fps == 5
    assert made.duration_s == pytest.approx(1.0)


def test_missing_frames_leave_a_gap_not_a_shift(tmp_path):
    source = make_clip(tmp_path / "in.mp4", 10)
    out = tmp_path / "out.mp4"
    with open_video(source) as reader, VideoWriter(out, reader.info, source) as writer:
        for frame in reader:
            if frame.index not in (4, 5):
                writer.write(frame.image, frame.time_s)
    wanted = [i / 25 for i in range(10) if i not in (4, 5)]
    assert probe(out).times_s == pytest.approx(wanted, abs=1e-4)


def test_the_file_appears_only_when_it_is_whole(tmp_path):
    out = tmp_path / "out.mp4"
    with VideoWriter(out, info(out)) as writer:
        writer.write(numbered_frame(0, 64, 48), 0.0)
        assert not out.exists()
    assert only_files(tmp_path, "out.mp4")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_nothing_and_spares_the_old_file(tmp_path, error):
    out = tmp_path / "out.mp4"
    out.write_text("old")
    with pytest.raises(error), VideoWriter(out, info(out)) as writer:
        writer.write(numbered_frame(0, 64, 48), 0.0)
        raise error
    assert only_files(tmp_path, "out.mp4")
    assert out.read_text() == "old"


def test_ctrl_c_leaves_nothing(tmp_path):
    """A real interrupt, sent to the whole process group as a terminal does."""
    code = (
        "import sys, time, numpy as np\n"
        "from fractions import Fraction\n"
        "from pathlib import Path\n"
        "from eftvideo.video.writer import VideoWriter\n"
        "from eftvideo.types import VideoInfo\n"
        "out = Path(sys.argv[1])\n"
        "info = VideoInfo(out, 64, 48, Fraction(25), 0, 0.0, 0, False)\n"
        "with VideoWriter(out, info) as writer:\n"
        "    for i in range(10000):\n"
        "        writer.write(np.zeros((48, 64, 3), np.uint8), i / 25)\n"
        "        if i == 5: print('going', flush=True)\n"
        "        time.sleep(0.01)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out.mp4")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout.readline() == b"going\n"
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in stderr
    assert only_files(tmp_path)


def test_places_that_cannot_be_written(tmp_path):
    source = make_clip(tmp_path / "in.mp4", 3)
    with pytest.raises(VideoWriteError, match="does not exist"):
        VideoWriter(tmp_path / "nowhere" / "out.mp4", info(source))
    with pytest.raises(VideoWriteError, match="is a folder"):
        VideoWriter(tmp_path, info(source))
    with pytest.raises(VideoWriteError, match="source clip itself"):
        VideoWriter(source, info(source), source)
    assert only_files(tmp_path, "in.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(VideoWriteError, match="Permission denied"):
            VideoWriter(tmp_path / "out.mp4", info(tmp_path))
    finally:
        tmp_path.chmod(0o700)


def test_a_failure_of_ffmpeg_is_told_in_its_words(tmp_path):
    out = tmp_path / "out.mp4"
    writer = VideoWriter(out, info(out))
    writer.write(numbered_frame(0, 64, 48), 0.0)
    writer._process.kill()
    with pytest.raises(VideoWriteError, match=r"out\.mp4 cannot be written") as caught:
        for i in range(1, 200):
            writer.write(numbered_frame(i, 64, 48), i / 25)
            time.sleep(0.01)
    writer.abort()
    assert "\n" not in str(caught.value)
    assert only_files(tmp_path)


def test_no_frame_and_wrong_frames(tmp_path):
    out = tmp_path / "out.mp4"
    with pytest.raises(VideoWriteError, match="no frame"), VideoWriter(out, info(out)):
        pass
    with pytest.raises(ValueError, match=r"\(48, 64, 3\)"), VideoWriter(out, info(out)) as writer:
        writer.write(np.zeros((64, 48, 3), np.uint8), 0.0)
    assert only_files(tmp_path)

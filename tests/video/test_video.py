"""Reading clips: every frame, at its own time, the right way up, whatever the file."""

import logging
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from media import ffmpeg, make_clip, numbered_frame, read_number, tone

from eftvideo.config import ClipConfig
from eftvideo.errors import ConfigError, VideoOpenError
from eftvideo.video import decord as decord_decode
from eftvideo.video import ffmpeg as ffmpeg_decode
from eftvideo.video.probe import probe
from eftvideo.video.reader import open_video

X264 = ("-c:v", "libx264", "-g", "6", "-pix_fmt", "yuv420p")
FORMATS = {
    "b_frames.mp4": (*X264, "-bf", "3"),
    "open_gop.mp4": (*X264, "-x264-params", "open-gop=1:bframes=4:b-pyramid=normal"),
    "fragments.mp4": (*X264, "-movflags", "frag_keyframe+empty_moov"),
    "hevc.mp4": ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-pix_fmt", "yuv420p"),
    "xvid.avi": ("-c:v", "mpeg4", "-bf", "2", "-pix_fmt", "yuv420p"),
    "stream.ts": X264,
    "loop.gif": (),
    "still.mov": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
    "av1.mp4": ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime"),
}


def numbers(reader):
    return [read_number(frame.image) for frame in reader]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_every_frame_in_order(tmp_path, name):
    clip = make_clip(tmp_path / name, 20, options=FORMATS[name])
    with open_video(clip) as reader:
        frames = [(f.index, read_number(f.image), round(f.time_s, 3)) for f in reader]
        assert frames == [(i, i, round(i / 25, 3)) for i in range(20)]
        assert reader.info.fps == 25
        assert reader.info.num_frames == reader.num_selected == 20
        assert reader.info.duration_s == pytest.approx(0.8)
        assert reader.failures == []
        assert numbers(reader) == list(range(20)), "a second pass starts again"


@pytest.mark.parametrize("name", ["b_frames.mp4", "vp9.webm"])
def test_both_decoders_give_the_same_pixels(tmp_path, name):
    media = probe(make_clip(tmp_path / name, 12, options=FORMATS[name]))
    assert decord_decode.can_read(media)
    one = dict(decord_decode.decode(media, np.arange(12)))
    other = dict(ffmpeg_decode.decode(media, 0))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[i], other[i]) for i in one)


def test_clips_whose_frames_do_not_fit_into_memory_do_not_go_to_decord(tmp_path, monkeypatch):
    media = probe(make_clip(tmp_path / "clip.mp4"))
    assert decord_decode.can_read(media)
    monkeypatch.setattr(decord_decode, "MAX_DECODED_BYTES", 1000)
    assert not decord_decode.can_read(media)


def test_memory_does_not_grow_with_the_length_for_a_slow_reader(tmp_path):
    """10 times the length, peak resident memory within 10 %, in processes of their own."""
    big = (640, 480)
    short = make_clip(tmp_path / "short.mp4", 32, size=big, options=("-preset", "ultrafast"))
    (tmp_path / "list").write_text(f"file '{short}'\n" * 10)
    long = tmp_path / "long.mp4"
    concat = ("-f", "concat", "-safe", "0", "-i", str(tmp_path / "list"), "-c", "copy")
    ffmpeg(*concat, str(long))
    code = (
        "import resource, sys, time\n"
        "from eftvideo.video import decord\n"
        "from eftvideo.video.reader import open_video\n"
        "decord.MAX_DECODED_BYTES = 0\n"
        "n = 0\n"
        "for frame in open_video(sys.argv[1]):\n"
        "    n += 1; time.sleep(0.002)\n"
        "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for clip, count in ((short, 32), (long, 320)):
        done = subprocess.run(
            [sys.executable, "-c", code, str(clip)], capture_output=True, text=True, check=True
        )
        read, peak = map(int, done.stdout.split())
        assert read == count
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0], peaks


@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "60000/1001", "60", "10"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_rate_is_exact(tmp_path, rate, suffix):
    clip = make_clip(tmp_path / f"clip.{suffix}", 15, rate=rate)
    wanted = Fraction(rate)
    with open_video(clip) as reader:
        assert reader.info.fps == wanted
        slack_s = 0.0011 if suffix == "mkv" else 1e-4  # Matroska has milliseconds
        for frame in reader:
            assert frame.time_s == pytest.approx(float(frame.index / wanted), abs=slack_s)


def test_variable_rate_keeps_each_frames_own_time(tmp_path):
    plain = make_clip(tmp_path / "plain.mp4", 10, rate="10")
    clip = tmp_path / "vfr.mp4"
    slower = "setpts='if(lt(N,5),N,5+(N-5)*3)*0.1/TB'"
    options = ("-vf", slower, "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-bf", "0")
    ffmpeg("-i", str(plain), *options, str(clip))
    wanted = [0.1 * (i if i < 5 else 5 + (i - 5) * 3) for i in range(10)]
    with open_video(clip) as reader:
        assert [f.time_s for f in reader] == pytest.approx(wanted, abs=1e-4)
        assert reader.times_s == pytest.approx(wanted, abs=1e-4)
        assert not probe(clip).constant_rate


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("by_ffmpeg", [False, True])
def test_rotation_metadata_is_applied(tmp_path, monkeypatch, degrees, by_ffmpeg):
    plain = make_clip(tmp_path / "plain.mp4", 3)
    clip = tmp_path / "turned.mp4"
    # ffmpeg's option turns counter-clockwise.
    ffmpeg("-display_rotation", str(degrees), "-i", str(plain), "-c", "copy", str(clip))
    if by_ffmpeg:
        monkeypatch.setattr(decord_decode, "MAX_DECODED_BYTES", 0)
    with open_video(clip) as reader:
        assert reader.info.rotation_deg == -degrees % 360
        image = next(iter(reader)).image
        assert image.shape == (reader.info.height_px, reader.info.width_px, 3)
    upright = np.rot90(numbered_frame(0), degrees // 90).astype(int)
    assert image.shape == upright.shape
    assert np.abs(image - upright).mean() < 6


def test_rotation_is_applied_for_a_decord_that_does_not(tmp_path, monkeypatch):
    plain = make_clip(tmp_path / "plain.mp4", 3)
    clip = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "180", "-i", str(plain), "-c", "copy", str(clip))
    assert decord_decode._rotates(), "decord 0.6 turns frames by itself"
    real = decord_decode._open
    # A build that does not turn shows the file's own pixels: those of the file without the wish.
    monkeypatch.setattr(decord_decode, "_open", lambda path: real(plain))
    monkeypatch.setattr(decord_decode, "_rotates", lambda: False)
    image = next(iter(open_video(clip))).image
    assert np.abs(image - np.rot90(numbered_frame(0), 2).astype(int)).mean() < 6


@pytest.mark.parametrize(
    ("clip", "wanted"),
    [
        (ClipConfig(start_s=0.4), range(10, 25)),
        (ClipConfig(start_s=0.4, end_s=0.6), range(10, 15)),
        (ClipConfig(end_s=0.2, stride=2), range(0, 5, 2)),
        (ClipConfig(start_s=0.41, stride=7), range(11, 25, 7)),
    ],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_start_end_and_stride(tmp_path, clip, wanted, name):
    path = make_clip(tmp_path / name, 25)
    with open_video(path, clip) as reader:
        frames = list(reader)
        assert [f.index for f in frames] == list(wanted)
        assert [read_number(f.image) for f in frames] == list(wanted)
        assert reader.num_selected == len(frames)
        assert reader.info.num_frames == 25


def test_only_some_frames(tmp_path, monkeypatch):
    """In order of time, and nothing is decoded behind the last of them."""
    decoded, decode = [], decord_decode.decode

    def watched(*args):
        for position, image in decode(*args):
            decoded.append(position)
            yield position, image

    monkeypatch.setattr(decord_decode, "decode", watched)
    with open_video(make_clip(tmp_path / "clip.mp4"), ClipConfig(stride=2)) as reader:
        assert [read_number(f.image) for f in reader.only([6, 2, 3])] == [2, 6]
        assert decoded == [0, 1, 2, 3]
        assert list(reader.only([])) == [] and len(decoded) == 4
        assert [f.index for f in reader.only(range(12))] == numbers(reader) == [0, 2, 4, 6, 8, 10]


def test_frames_hidden_by_an_edit_list_are_not_given(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4", 25, options=(*X264, "-g", "12"))
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.72", "-i", str(whole), "-c", "copy", str(cut))
    with open_video(cut) as reader:
        assert numbers(reader) == list(range(18, 25))
        assert next(iter(reader)).time_s == pytest.approx(0, abs=1e-3)


def test_damage_is_reported_and_the_rest_comes_out(tmp_path, caplog):
    clip = make_clip(tmp_path / "clip.mp4", 60, options=(*X264, "-bf", "0"))
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    length = data.index(b"moov") - start
    data[start + length * 2 // 5 : start + length // 2] = bytes(length // 2 - length * 2 // 5)
    clip.write_bytes(data)
    with caplog.at_level(logging.WARNING), open_video(clip) as reader:
        frames = [(f.index, read_number(f.image)) for f in reader]
        lost = [i for i, _ in reader.failures]
        assert lost
        assert sorted([i for i, _ in frames] + lost) == list(range(60))
        # What was lost is near the damage; before and well behind it all is as it was.
        assert all(20 <= i <= 36 for i in lost)
        assert all(i == n for i, n in frames if i < 20 or i > 36)
        warnings = [r.message for r in caplog.records]
        assert any(f"{lost[0]}" in w and "clip.mp4" in w for w in warnings)
        count = len(caplog.records)
        assert [f.index for f in reader] == [i for i, _ in frames], "the next pass agrees"
        assert len(caplog.records) == count, "a lost frame is told once"


def test_a_file_cut_off_gives_what_is_there(tmp_path, caplog):
    clip = make_clip(tmp_path / "clip.mp4", 60, options=(*X264, "-movflags", "+faststart"))
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    with caplog.at_level(logging.WARNING), open_video(clip) as reader:
        read = numbers(reader)
        assert 15 < len(read) < 50
        assert read == list(range(len(read)))
    assert "cut off" in caplog.text
    assert "2.40 s" in caplog.text


def test_files_that_are_no_videos_get_one_clear_line(tmp_path):
    def message(path):
        with pytest.raises(VideoOpenError) as caught:
            open_video(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
        return str(caught.value)

    empty, text, sound = (tmp_path / n for n in ("empty.mp4", "text.mp4", "sound.m4a"))
    empty.touch()
    text.write_text("not a video\n" * 100)
    ffmpeg(*tone(0.5), str(sound))
    no_index = make_clip(tmp_path / "no_index.mp4")
    no_index.write_bytes(no_index.read_bytes()[:2000])
    assert "does not exist" in message(tmp_path / "nowhere.mp4")
    assert "not a file" in message(tmp_path)
    assert "empty" in message(empty)
    assert "not a video" in message(text)
    assert "only sound" in message(sound)
    assert "cut off" in message(no_index)


def test_a_cover_picture_is_no_video(tmp_path):
    cover, song = tmp_path / "cover.png", tmp_path / "song.mp3"
    make_clip(cover, 1, options=("-frames:v", "1"))
    maps = ("-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic")
    ffmpeg(*tone(0.5), "-i", str(cover), *maps, str(song))
    with pytest.raises(VideoOpenError, match="only sound"):
        open_video(song)


@pytest.mark.parametrize("name", ["a b.mp4", "-dash.mp4", "colon:s.mp4", "ünïcode.mp4", "50%d.mp4"])
def test_awkward_names(tmp_path, monkeypatch, name):
    make_clip(tmp_path / "plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert numbers(open_video(name)) == list(range(12))


def test_ranges_that_make_no_sense(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    for bad in (
        {"start_s": -1},
        {"start_s": float("nan")},
        {"start_s": 2, "end_s": 1},
        {"stride": 0},
    ):
        with pytest.raises(ConfigError):
            open_video(clip, ClipConfig(**bad))
    with pytest.raises(VideoOpenError, match=r"runs from 0\.000 s to 0\.440 s"):
        open_video(clip, ClipConfig(start_s=5))


def test_sound_is_noticed(tmp_path):
    assert not open_video(make_clip(tmp_path / "silent.mp4")).info.has_audio
    options = (*X264, "-c:a", "aac")
    clip = make_clip(tmp_path / "loud.mp4", inputs=tone(0.48), options=options)
    assert open_video(clip).info.has_audio

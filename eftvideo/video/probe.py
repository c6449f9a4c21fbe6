"""What a media file holds, told by the ffmpeg binary that imageio-ffmpeg brings.

The only file that knows where ffmpeg is. One run of ffmpeg reads the header and copies the
picture packets into the `framecrc` format, which is a text table of exact timestamps; nothing is
decoded, so it takes about as long as reading the file.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from eftvideo.errors import MissingDependencyError, VideoOpenError

_NO_PTS = -(2**63)
_PACKET_DISCARD = 4
"""AV_PKT_FLAG_DISCARD: an edit list hides the frame; decoders drop it."""


@dataclass(frozen=True)
class MediaProbe:
    """The first picture stream of a file, and whether there is sound. T frames."""

    path: Path
    container: str
    """ffmpeg's name of the format, such as "mov,mp4,m4a,3gp,3g2,mj2"."""
    width_px: int
    height_px: int
    """Of the upright picture: rotation_deg is applied."""
    rotation_deg: int
    """Clockwise turn that the file asks for: 0, 90, 180 or 270."""
    sample_aspect: Fraction
    time_base: Fraction
    """Seconds per tick of `ticks`."""
    ticks: np.ndarray
    """(T,) int64 presentation times, ascending; 0 is the start of the file (picture or sound)."""
    last_ticks: int
    """How long the last frame stays."""
    fps: Fraction
    constant_rate: bool
    """Every frame is where `fps` puts it, but for the rounding of timestamps."""
    header_duration_s: float | None
    num_hidden: int
    """Frames in the file that an edit list hides; not among `ticks`."""
    num_video_streams: int
    audio_codecs: tuple[str, ...]

    @property
    def times_s(self) -> np.ndarray:
        """(T,) float64 presentation times in seconds."""
        return self.ticks * (self.time_base.numerator / self.time_base.denominator)

    @property
    def duration_s(self) -> float:
        """From the first frame's time to the end of the last frame."""
        return float((int(self.ticks[-1] - self.ticks[0]) + self.last_ticks) * self.time_base)


@lru_cache(maxsize=1)
def ffmpeg_exe() -> str:
    """Path of the ffmpeg program.

    Raises:
        MissingDependencyError: imageio-ffmpeg is missing or has no binary for this machine.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError) as e:
        raise MissingDependencyError(
            f"ffmpeg was not found ({e}): pip install imageio-ffmpeg, "
            "or set IMAGEIO_FFMPEG_EXE to the path of an ffmpeg program"
        ) from e


def input_url(path: Path) -> str:
    """A path as ffmpeg wants it: names with ':' or a leading '-' stay file names."""
    return f"file:{path.resolve()}"


def probe(path: Path) -> MediaProbe:
    """Reads the header and the timestamps of `path`.

    Raises:
        VideoOpenError: missing, a folder, empty, not readable, no video, or no picture in it.
    """
    _check_file(path)
    done = subprocess.run(
        [
            *(ffmpeg_exe(), "-nostdin", "-hide_banner", "-copyts", "-start_at_zero"),
            *("-i", input_url(path), "-map", "0:V:0", "-c", "copy"),
            *("-avoid_negative_ts", "disabled", "-f", "framecrc", "-"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode < 0:
        raise VideoOpenError(
            f"{path} makes ffmpeg crash (signal {-done.returncode}): "
            "update it with pip install -U imageio-ffmpeg"
        )
    header = done.stderr.partition("Stream mapping:")[0].partition("Output #0")[0]
    if "Input #0" not in header:
        raise VideoOpenError(_not_a_video(path, done.stderr))
    streams = re.findall(r"^\s*Stream #0:\d+.*?: (\w+): (.*)$", header, re.MULTILINE)
    pictures = [s for kind, s in streams if kind == "Video" and "(attached pic)" not in s]
    audio = tuple(s.split()[0].rstrip(",") for kind, s in streams if kind == "Audio")
    if not pictures:
        what = "only sound" if audio else "no picture"
        raise VideoOpenError(f"{path} has {what} in it: give a video file")
    return _parse(path, header, done.stdout, pictures, audio)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise VideoOpenError(f"{path} does not exist: give the path of a video file")
    if not path.is_file():
        raise VideoOpenError(f"{path} is not a file: give the path of a video file")
    try:
        with path.open("rb") as f:
            first = f.read(1)
    except OSError as e:
        raise VideoOpenError(f"{path} cannot be read: {e.strerror}") from e
    if not first:
        raise VideoOpenError(f"{path} is empty (0 bytes): copy or download it again")


def _not_a_video(path: Path, stderr: str) -> str:
    with path.open("rb") as f:
        boxes = f.read(8)[4:] in (b"ftyp", b"mdat", b"moov", b"free", b"skip", b"wide")
    if boxes and "moov atom not found" in stderr:
        return f"{path} is cut off (its index, the moov atom, is missing): copy it again in full"
    return f"{path} is not a video that ffmpeg can read: give an mp4, mov, mkv, webm or avi file"


def _parse(
    path: Path, header: str, table: str, pictures: list[str], audio: tuple[str, ...]
) -> MediaProbe:
    tags = dict(re.findall(r"^#(tb|dimensions|sar) 0: (\S+)$", table, re.MULTILINE))
    rows = [r.split(",") for r in table.splitlines() if r.startswith("0,")]
    if not rows or "dimensions" not in tags:
        raise VideoOpenError(f"{path} has no frame in it: copy it again in full")
    time_base = Fraction(tags["tb"])
    ticks, last, average, num_hidden = _timestamps(rows)
    if not len(ticks):
        raise VideoOpenError(f"{path} has no visible frame in it: copy it again in full")
    turn = re.search(r"rotation of (-?[\d.]+) degrees", header)
    rotation = round(-float(turn.group(1)) / 90) * 90 % 360 if turn else 0
    width, height = (int(x) for x in tags["dimensions"].split("x"))
    if rotation % 180:
        width, height = height, width
    nominal = re.search(r"([\d.]+)(k?) fps", pictures[0])
    aspect = Fraction(tags["sar"]) if tags.get("sar", "0/1") != "0/1" else Fraction(1)
    fps, constant = frame_rate(ticks, time_base, average / time_base, _number(nominal))
    return MediaProbe(
        path=path,
        container=_find(r"^Input #0, (.+), from ", header),
        width_px=width,
        height_px=height,
        rotation_deg=rotation,
        sample_aspect=1 / aspect if rotation % 180 else aspect,
        time_base=time_base,
        ticks=ticks,
        last_ticks=last,
        fps=fps,
        constant_rate=constant,
        header_duration_s=_seconds(_find(r"Duration: ([\d:.]+)", header)),
        num_hidden=num_hidden,
        num_video_streams=len(pictures),
        audio_codecs=audio,
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1) if found else ""


def _seconds(clock: str) -> float | None:
    if not clock:
        return None
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _number(found: re.Match[str] | None) -> float | None:
    return float(found.group(1)) * (1000 if found.group(2) else 1) if found else None


def _timestamps(rows: list[list[str]]) -> tuple[np.ndarray, int, Fraction, int]:
    """Ticks of the visible frames in showing order, the last one's length, mean frames per tick
    in the order of decoding (what containers call the average rate), number of hidden frames.
    """
    flags = [next((int(c[5:], 16) for c in r if c.startswith(" F=0x")), 0) for r in rows]
    shown = np.array([not f & _PACKET_DISCARD for f in flags])
    dts, pts, lengths = np.array([[int(x) for x in r[1:4]] for r in rows], np.int64).T
    # AVI has decoding times only; sorted, they are the showing times.
    times = dts if (pts == _NO_PTS).any() else pts
    ticks = np.sort(times[shown])
    ordered = np.sort(times)
    usual = int(np.median(ordered[1:] - ordered[:-1])) if len(rows) > 1 else 1
    span = int(dts[-1] - dts[0]) + (int(lengths[-1]) or usual)
    last = int(lengths[shown][times[shown].argmax()]) if shown.any() else 0
    return ticks, last or usual, Fraction(len(rows), max(1, span)), int((~shown).sum())


def frame_rate(
    ticks: np.ndarray, time_base: Fraction, average: Fraction, nominal: float | None = None
) -> tuple[Fraction, bool]:
    """Frames per second as an exact fraction, and whether the rate is constant.

    A constant rate comes out exactly (30000/1001, 25, ...) even if the container rounds its
    timestamps, as Matroska does to milliseconds; a variable one is `average`.

    Args:
        ticks: (T,) ascending times. time_base: seconds per tick.
        average: frames per second over the whole file. nominal: what the header tells, if any.
    """
    steps = np.diff(ticks)
    if len(steps) == 0:
        return (Fraction(nominal).limit_denominator(1001) if nominal else average), True
    if (steps == steps[0]).all() and steps[0] > 0:
        return 1 / (int(steps[0]) * time_base), True
    likely = nominal or float(average)
    guesses = [Fraction(round(likely)), Fraction(round(likely * 1.001) * 1000, 1001)]
    guesses.sort(key=lambda g: abs(float(g) - likely))
    guesses += [Fraction(likely).limit_denominator(1001), average.limit_denominator(1001)]
    for rate in guesses:
        if rate > 0:
            ideal = np.arange(len(ticks)) * float(1 / (rate * time_base)) + ticks[0]
            if np.abs(ticks - ideal).max() <= 1.0:
                return rate, True
    return average, False

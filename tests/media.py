"""Clips for tests, made by the ffmpeg that the program uses. Each frame carries its number."""

import subprocess
from pathlib import Path

import numpy as np

from eftvideo.video.probe import ffmpeg_exe

BITS = 8
WIDTH, HEIGHT = 128, 64


def ffmpeg(*args: str, stdin: bytes | None = None) -> bytes:
    """Runs ffmpeg; its standard output."""
    done = subprocess.run(
        [ffmpeg_exe(), "-v", "error", "-y", *args], input=stdin or b"", capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def numbered_frame(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture with `number` as black and white bars above and texture below."""
    image = np.full((height, width, 3), 60, np.uint8)
    for bit in range(BITS):
        bar = slice(bit * width // BITS, (bit + 1) * width // BITS)
        image[: height // 2, bar] = 235 if number >> bit & 1 else 20
    noise = np.random.default_rng(number).integers(90, 160, (height // 8 + 1, width // 8 + 1, 3))
    texture = noise.astype(np.uint8).repeat(8, 0).repeat(8, 1)
    image[height // 2 :] = texture[: height - height // 2, :width]
    return image


def read_number(image: np.ndarray) -> int:
    """The number that `numbered_frame` drew."""
    height, width = image.shape[:2]
    edge = width // BITS // 4
    ends = [b * width // BITS for b in range(BITS + 1)]
    bars = [
        image[height // 8 : height * 3 // 8, ends[b] + edge : ends[b + 1] - edge]
        for b in range(BITS)
    ]
    return sum(int(bar.mean() > 128) << b for b, bar in enumerate(bars))


def make_clip(
    path: Path,
    num_frames: int = 12,
    rate: str = "25",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    options: tuple[str, ...] = ("-c:v", "libx264", "-g", "6", "-pix_fmt", "yuv420p"),
    inputs: tuple[str, ...] = (),
) -> Path:
    """Writes a clip of numbered frames; `inputs` are more ffmpeg inputs (sound)."""
    pixels = b"".join(numbered_frame(i, *size).tobytes() for i in range(num_frames))
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", rate)
    ffmpeg(*raw, "-i", "-", *inputs, *options, str(path), stdin=pixels)
    return path


def tone(seconds: float) -> tuple[str, ...]:
    """An ffmpeg input with sound."""
    return ("-f", "lavfi", "-t", str(seconds), "-i", "sine=frequency=440:sample_rate=44100")


def stream_hash(path: Path, stream: str) -> str:
    """MD5 of the packets of a stream ("a:0"), untouched by containers."""
    return ffmpeg("-i", str(path), "-map", f"0:{stream}", "-c", "copy", "-f", "md5", "-").decode()
